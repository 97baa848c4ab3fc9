using Tcpcp.Core;
using Tcpcp.Linux.Tcp;

namespace Tcpcp.Capture;

/// <summary>
/// How far the timestamps that a socket has sent can be ahead of its clock. A paced socket (BBR, SO_MAX_PACING_RATE, fq) stamps what it sends with the
/// time at which the pacing allows the next segment (tcp_wstamp_ns, net/ipv4/tcp_output.c), acknowledgements too, which do not wait for it; TCP_TIMESTAMP
/// shows the clock without that. Up to 20 ms were seen, and a peer drops what is below (PAWS).
/// </summary>
internal static class PacingLead
{
    /// <summary>A socket that has sent no data for so long is not ahead of its clock, at whatever rate it is paced.</summary>
    public const int LongestMilliseconds = 1000;

    private const int MaxSegmentBytes = 64 << 10; // GSO_LEGACY_MAX_SIZE
    private const int HeaderBytes = 128;
    private const int MicrosecondsPerHalving = 512; // tcp_tso_rtt_log

    // The rate may have risen since the last segment was paced: BBR multiplies it when its first samples come in.
    private const int RateSpread = 16;

    // tcpi_last_data_sent counts in jiffies.
    private const int JiffyMilliseconds = 10;

    private static readonly TimeSpan s_limit = TimeSpan.FromMilliseconds(LongestMilliseconds);

    /// <summary>How far a timestamp that was sent is ahead of the clock.</summary>
    public static TimeSpan Between(TimestampClock clock, uint sent)
    {
        int units = Math.Max(0, unchecked((int)(sent - clock.Value)));
        TimeSpan lead = clock.Microseconds ? TimeSpan.FromMicroseconds(units) : TimeSpan.FromMilliseconds(units);
        return lead < s_limit ? lead : s_limit;
    }

    /// <summary>
    /// An estimate: the time that one segment of the size that the kernel makes (tcp_tso_autosize) takes at the socket's rate, with a margin; nothing if that time
    /// has passed since the last one.
    /// </summary>
    public static TimeSpan Of(in TcpInfo info)
    {
        if (info.tcpi_pacing_rate is 0 or ulong.MaxValue)
            return TimeSpan.Zero;
        int halvings = (int)Math.Min(31, info.tcpi_min_rtt / MicrosecondsPerHalving);
        double segment = Math.Min(MaxSegmentBytes, (info.tcpi_pacing_rate / 1024.0) + (MaxSegmentBytes >> halvings));
        TimeSpan lead = TimeSpan.FromSeconds(RateSpread * (Math.Max(segment, 2 * info.tcpi_snd_mss) + HeaderBytes) / info.tcpi_pacing_rate);
        if (lead > s_limit)
            lead = s_limit;
        return info.tcpi_last_data_sent > lead.TotalMilliseconds + JiffyMilliseconds ? TimeSpan.Zero : lead;
    }
}
