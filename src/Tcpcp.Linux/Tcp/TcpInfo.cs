using System.Runtime.InteropServices;

namespace Tcpcp.Linux.Tcp;

/// <summary>The part of struct tcp_info that we read; the kernel fills what it has and says how much that was.</summary>
[KernelHeader("linux/tcp.h", Structure = "struct tcp_info")]
[StructLayout(LayoutKind.Explicit, Size = 168)]
internal struct TcpInfo
{
    [FieldOffset(0)] public byte tcpi_state;
    [FieldOffset(5)] public byte tcpi_options;
    [FieldOffset(6)] public byte WindowScales; // tcpi_snd_wscale : 4, tcpi_rcv_wscale : 4
    [FieldOffset(8)] public uint tcpi_rto;
    [FieldOffset(16)] public uint tcpi_snd_mss;
    [FieldOffset(20)] public uint tcpi_rcv_mss;
    [FieldOffset(24)] public uint tcpi_unacked;
    [FieldOffset(44)] public uint tcpi_last_data_sent;
    [FieldOffset(60)] public uint tcpi_pmtu;
    [FieldOffset(68)] public uint tcpi_rtt;
    [FieldOffset(76)] public uint tcpi_snd_ssthresh;
    [FieldOffset(80)] public uint tcpi_snd_cwnd;
    [FieldOffset(100)] public uint tcpi_total_retrans;
    [FieldOffset(104)] public ulong tcpi_pacing_rate;
    [FieldOffset(144)] public uint tcpi_notsent_bytes;
    [FieldOffset(148)] public uint tcpi_min_rtt;
    [FieldOffset(160)] public ulong tcpi_delivery_rate;

    public readonly bool HasEcn => (tcpi_options & TcpOption.TCPI_OPT_ECN) != 0;

    public readonly byte SndWscale => (byte)(WindowScales & 0xf);

    public readonly byte RcvWscale => (byte)(WindowScales >> 4);
}

/// <summary>One option for TCP_REPAIR_OPTIONS.</summary>
[KernelHeader("linux/tcp.h", Structure = "struct tcp_repair_opt")]
[StructLayout(LayoutKind.Sequential)]
internal struct TcpRepairOption
{
    public uint opt_code;
    public uint opt_val;
}

/// <summary>Both windows for TCP_REPAIR_WINDOW.</summary>
[KernelHeader("linux/tcp.h", Structure = "struct tcp_repair_window")]
[StructLayout(LayoutKind.Sequential)]
internal struct TcpRepairWindow
{
    public uint snd_wl1;
    public uint snd_wnd;
    public uint max_window;
    public uint rcv_wnd;
    public uint rcv_wup;
}

/// <summary>The value of SO_LINGER.</summary>
[KernelHeader("sys/socket.h", Structure = "struct linger")]
[StructLayout(LayoutKind.Sequential)]
internal struct LingerOption
{
    public int l_onoff;
    public int l_linger;
}
