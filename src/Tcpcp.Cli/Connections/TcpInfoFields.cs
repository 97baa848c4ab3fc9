using Tcpcp.Linux.Diagnostics;
using static Tcpcp.Linux.Tcp.TcpOption;

namespace Tcpcp.Cli.Connections;

/// <summary>The fields of struct tcp_info by the kernel's names without the prefix.</summary>
internal static class TcpInfoFields
{
    /// <summary>Null where the kernel gives none, as in TIME_WAIT.</summary>
    public static Dictionary<string, ulong>? Of(SocketDetails details)
    {
        if (details.Info is not { } info)
            return null;
        Dictionary<string, ulong> fields = new(StringComparer.Ordinal)
        {
            ["ca_state"] = info.tcpi_ca_state,
            ["retransmits"] = info.tcpi_retransmits,
            ["probes"] = info.tcpi_probes,
            ["backoff"] = info.tcpi_backoff,
            ["snd_wscale"] = (ulong)info.SndWscale,
            ["rcv_wscale"] = (ulong)info.RcvWscale,
            ["rto"] = info.tcpi_rto,
            ["ato"] = info.tcpi_ato,
            ["snd_mss"] = info.tcpi_snd_mss,
            ["rcv_mss"] = info.tcpi_rcv_mss,
            ["advmss"] = info.tcpi_advmss,
            ["pmtu"] = info.tcpi_pmtu,
            ["unacked"] = info.tcpi_unacked,
            ["sacked"] = info.tcpi_sacked,
            ["lost"] = info.tcpi_lost,
            ["retrans"] = info.tcpi_retrans,
            ["last_data_sent"] = info.tcpi_last_data_sent,
            ["last_data_recv"] = info.tcpi_last_data_recv,
            ["last_ack_recv"] = info.tcpi_last_ack_recv,
            ["rtt"] = info.tcpi_rtt,
            ["rttvar"] = info.tcpi_rttvar,
            ["min_rtt"] = info.tcpi_min_rtt,
            ["rcv_rtt"] = info.tcpi_rcv_rtt,
            ["snd_cwnd"] = info.tcpi_snd_cwnd,
            ["snd_ssthresh"] = info.tcpi_snd_ssthresh,
            ["rcv_ssthresh"] = info.tcpi_rcv_ssthresh,
            ["rcv_space"] = info.tcpi_rcv_space,
            ["snd_wnd"] = info.tcpi_snd_wnd,
            ["reordering"] = info.tcpi_reordering,
            ["pacing_rate"] = info.tcpi_pacing_rate,
            ["max_pacing_rate"] = info.tcpi_max_pacing_rate,
            ["delivery_rate"] = info.tcpi_delivery_rate,
            ["bytes_sent"] = info.tcpi_bytes_sent,
            ["bytes_acked"] = info.tcpi_bytes_acked,
            ["bytes_retrans"] = info.tcpi_bytes_retrans,
            ["bytes_received"] = info.tcpi_bytes_received,
            ["notsent_bytes"] = info.tcpi_notsent_bytes,
            ["segs_out"] = info.tcpi_segs_out,
            ["segs_in"] = info.tcpi_segs_in,
            ["data_segs_out"] = info.tcpi_data_segs_out,
            ["data_segs_in"] = info.tcpi_data_segs_in,
            ["total_retrans"] = info.tcpi_total_retrans,
            ["delivered"] = info.tcpi_delivered,
            ["delivered_ce"] = info.tcpi_delivered_ce,
            ["dsack_dups"] = info.tcpi_dsack_dups,
            ["reord_seen"] = info.tcpi_reord_seen,
            ["rcv_ooopack"] = info.tcpi_rcv_ooopack,
            ["busy_time"] = info.tcpi_busy_time,
            ["rwnd_limited"] = info.tcpi_rwnd_limited,
            ["sndbuf_limited"] = info.tcpi_sndbuf_limited,
        };
        if (details.RcvWnd is { } window)
            fields["rcv_wnd"] = window;
        return fields;
    }

    /// <summary>The unit of a field, for people; empty for a plain number.</summary>
    public static string UnitOf(string field) => field switch
    {
        "rto" or "ato" or "rtt" or "rttvar" or "min_rtt" or "rcv_rtt" or "busy_time" or "rwnd_limited" or "sndbuf_limited" => "us",
        "last_data_sent" or "last_data_recv" or "last_ack_recv" => "ms",
        "snd_cwnd" or "unacked" or "sacked" or "lost" or "retrans" or "snd_ssthresh" => "segments",
        "pacing_rate" or "max_pacing_rate" or "delivery_rate" => "bytes/s",
        "snd_mss" or "rcv_mss" or "advmss" or "pmtu" or "snd_wnd" or "rcv_wnd" or "rcv_space" or "rcv_ssthresh" or "bytes_sent" or "bytes_acked"
            or "bytes_retrans" or "bytes_received" or "notsent_bytes" => "bytes",
        _ => "",
    };

    /// <summary>What the SYN exchange agreed on.</summary>
    public static IReadOnlyList<string> Options(DiagnosticTcpInfo? info)
    {
        int bits = info?.tcpi_options ?? 0;
        List<string> names = [];
        foreach ((int bit, string name) in ((int, string)[])[(TCPI_OPT_TIMESTAMPS, "timestamps"), (TCPI_OPT_SACK, "sack"),
            (TCPI_OPT_WSCALE, "window_scaling"), (TCPI_OPT_ECN, "ecn")])
        {
            if ((bits & bit) != 0)
                names.Add(name);
        }

        return names;
    }
}
