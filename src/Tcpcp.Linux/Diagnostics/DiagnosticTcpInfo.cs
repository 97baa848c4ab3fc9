using System.Runtime.InteropServices;

namespace Tcpcp.Linux.Diagnostics;

/// <summary>struct tcp_info as sock_diag gives it. Times: tcpi_rto, tcpi_ato, RTTs and the three limits in microseconds, tcpi_last_* in
/// milliseconds; rates in bytes a second; windows of congestion in segments.</summary>
[KernelHeader("linux/tcp.h", Structure = "struct tcp_info")]
[StructLayout(LayoutKind.Explicit, Size = 232)]
internal struct DiagnosticTcpInfo
{
    [FieldOffset(0)] public byte tcpi_state;
    [FieldOffset(1)] public byte tcpi_ca_state;
    [FieldOffset(2)] public byte tcpi_retransmits;
    [FieldOffset(3)] public byte tcpi_probes;
    [FieldOffset(4)] public byte tcpi_backoff;
    [FieldOffset(5)] public byte tcpi_options;
    [FieldOffset(6)] public byte WindowScales; // tcpi_snd_wscale : 4, tcpi_rcv_wscale : 4
    [FieldOffset(7)] public byte Limits; // tcpi_delivery_rate_app_limited : 1, tcpi_fastopen_client_fail : 2
    [FieldOffset(8)] public uint tcpi_rto;
    [FieldOffset(12)] public uint tcpi_ato;
    [FieldOffset(16)] public uint tcpi_snd_mss;
    [FieldOffset(20)] public uint tcpi_rcv_mss;
    [FieldOffset(24)] public uint tcpi_unacked;
    [FieldOffset(28)] public uint tcpi_sacked;
    [FieldOffset(32)] public uint tcpi_lost;
    [FieldOffset(36)] public uint tcpi_retrans;
    [FieldOffset(44)] public uint tcpi_last_data_sent;
    [FieldOffset(52)] public uint tcpi_last_data_recv;
    [FieldOffset(56)] public uint tcpi_last_ack_recv;
    [FieldOffset(60)] public uint tcpi_pmtu;
    [FieldOffset(64)] public uint tcpi_rcv_ssthresh;
    [FieldOffset(68)] public uint tcpi_rtt;
    [FieldOffset(72)] public uint tcpi_rttvar;
    [FieldOffset(76)] public uint tcpi_snd_ssthresh;
    [FieldOffset(80)] public uint tcpi_snd_cwnd;
    [FieldOffset(84)] public uint tcpi_advmss;
    [FieldOffset(88)] public uint tcpi_reordering;
    [FieldOffset(92)] public uint tcpi_rcv_rtt;
    [FieldOffset(96)] public uint tcpi_rcv_space;
    [FieldOffset(100)] public uint tcpi_total_retrans;
    [FieldOffset(104)] public ulong tcpi_pacing_rate;
    [FieldOffset(112)] public ulong tcpi_max_pacing_rate;
    [FieldOffset(120)] public ulong tcpi_bytes_acked;
    [FieldOffset(128)] public ulong tcpi_bytes_received;
    [FieldOffset(136)] public uint tcpi_segs_out;
    [FieldOffset(140)] public uint tcpi_segs_in;
    [FieldOffset(144)] public uint tcpi_notsent_bytes;
    [FieldOffset(148)] public uint tcpi_min_rtt;
    [FieldOffset(152)] public uint tcpi_data_segs_in;
    [FieldOffset(156)] public uint tcpi_data_segs_out;
    [FieldOffset(160)] public ulong tcpi_delivery_rate;
    [FieldOffset(168)] public ulong tcpi_busy_time;
    [FieldOffset(176)] public ulong tcpi_rwnd_limited;
    [FieldOffset(184)] public ulong tcpi_sndbuf_limited;
    [FieldOffset(192)] public uint tcpi_delivered;
    [FieldOffset(196)] public uint tcpi_delivered_ce;
    [FieldOffset(200)] public ulong tcpi_bytes_sent;
    [FieldOffset(208)] public ulong tcpi_bytes_retrans;
    [FieldOffset(216)] public uint tcpi_dsack_dups;
    [FieldOffset(220)] public uint tcpi_reord_seen;
    [FieldOffset(224)] public uint tcpi_rcv_ooopack;
    [FieldOffset(228)] public uint tcpi_snd_wnd;

    public readonly int SndWscale => WindowScales & 0xf;

    public readonly int RcvWscale => WindowScales >> 4;
}
