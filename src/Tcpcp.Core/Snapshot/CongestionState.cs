namespace Tcpcp.Core;

/// <summary>What congestion control at the destination starts from.</summary>
public enum CongestionStart
{
    /// <summary>As a new connection, with the captured algorithm.</summary>
    Default = 0,

    /// <summary>As a new connection in every respect, with the destination's default algorithm.</summary>
    New = 1,

    /// <summary>From the captured window and rate: only where the path is the same.</summary>
    Keep = 2,
}

/// <summary>Congestion control at the capture (struct tcp_info, linux/tcp.h).</summary>
/// <param name="Algorithm">Name of the algorithm (TCP_CONGESTION), at most 15 characters.</param>
/// <param name="WindowSegments">Congestion window in segments.</param>
/// <param name="SlowStartThreshold">In segments.</param>
/// <param name="Rtt">Smoothed round-trip time.</param>
/// <param name="MinRtt">Smallest round-trip time seen.</param>
/// <param name="DeliveryRate">Goodput of late, in bytes per second.</param>
/// <param name="PacingRate">In bytes per second.</param>
/// <param name="Start">What the destination makes of it.</param>
public readonly record struct CongestionState(
    string Algorithm, int WindowSegments, int SlowStartThreshold, TimeSpan Rtt, TimeSpan MinRtt, ulong DeliveryRate, ulong PacingRate,
    CongestionStart Start);
