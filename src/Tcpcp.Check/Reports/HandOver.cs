namespace Tcpcp.Check;

/// <summary>What the peer felt of one hand-over of the connection.</summary>
public sealed record HandOver
{
    /// <summary>True if it was found by a change of the service's MAC address, false if the caller named it.</summary>
    public required bool IsDetected { get; init; }

    /// <summary>The first frame from the new MAC address, or the instant that the caller gave; UTC.</summary>
    public required DateTimeOffset Instant { get; init; }

    /// <summary>The service's MAC address before, as 02:00:00:00:00:0a; null for a hand-over that the caller named.</summary>
    public string? OldMac { get; init; }

    /// <summary>The service's MAC address after it; null for a hand-over that the caller named.</summary>
    public string? NewMac { get; init; }

    /// <summary>From the last frame of the old MAC address to the first of the new one; null for a hand-over that the caller
    /// named.</summary>
    public TimeSpan? Gap { get; init; }

    /// <summary>Longest silence of the service that touches the 200 ms before or after; zero if none does.</summary>
    public required TimeSpan ServiceSilence { get; init; }

    /// <summary>Longest silence of the peer that touches the 200 ms before or after; zero if none does.</summary>
    public required TimeSpan PeerSilence { get; init; }

    /// <summary>Segments that the service retransmitted within 200 ms on both sides.</summary>
    public required long ServiceRetransmissions { get; init; }

    /// <summary>Segments that the peer retransmitted within 200 ms on both sides.</summary>
    public required long PeerRetransmissions { get; init; }
}
