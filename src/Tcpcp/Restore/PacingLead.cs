using Tcpcp.Core;

namespace Tcpcp.Restore;

/// <summary>
/// How far the timestamps that the origin has sent can be ahead of its clock. A paced socket (BBR, SO_MAX_PACING_RATE, fq) stamps what it sends with the
/// time at which the pacing allows the next segment (tcp_wstamp_ns, net/ipv4/tcp_output.c), acknowledgements too, which do not wait for it; TCP_TIMESTAMP
/// shows the clock without that. Up to 20 ms were seen, and a peer drops what is below (PAWS).
/// </summary>
internal static class PacingLead
{
    private const int MaxSegmentBytes = 64 << 10; // GSO_LEGACY_MAX_SIZE
    private const int HeaderBytes = 128;
    private const int MicrosecondsPerHalving = 512; // tcp_tso_rtt_log

    // The captured rate may be higher than the one that the last segment was paced by: BBR's gains in the states DRAIN and PROBE_BW differ by 3.6.
    private const int RateSpread = 4;

    /// <summary>The time that one segment of the size that the kernel makes (tcp_tso_autosize) takes at the captured rate, with a margin.</summary>
    public static TimeSpan Of(in CongestionState congestion, int mss)
    {
        if (congestion.PacingRate is 0 or ulong.MaxValue)
            return TimeSpan.Zero;
        int halvings = (int)Math.Min(31, congestion.MinRtt.TotalMicroseconds / MicrosecondsPerHalving);
        double segment = Math.Min(MaxSegmentBytes, (congestion.PacingRate / 1024.0) + (MaxSegmentBytes >> halvings));
        return TimeSpan.FromSeconds(RateSpread * (Math.Max(segment, 2 * mss) + HeaderBytes) / congestion.PacingRate);
    }
}
