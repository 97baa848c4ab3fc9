using Tcpcp.Check.Judgement;

namespace Tcpcp.Check;

/// <summary>Counts of what one end sent. Frames are counted as they were captured: a GSO super-segment is one segment.</summary>
public sealed record DirectionFigures
{
    /// <summary>Segments of every kind.</summary>
    public long Segments { get; init; }

    /// <summary>Payload bytes, those sent again included.</summary>
    public long PayloadBytes { get; init; }

    /// <summary>Payload bytes of different sequence numbers: the stream, as far as it was captured.</summary>
    public long StreamBytes { get; init; }

    /// <summary>Segments with at least one payload byte that had been captured before; probes apart.</summary>
    public long RetransmittedSegments { get; init; }

    /// <summary>Payload bytes that had been captured before.</summary>
    public long RetransmittedBytes { get; init; }

    /// <summary>Segments that fill a gap with bytes that had not been captured: of the service, the network lost them on the way to the peer and they
    /// were sent again (or it delivered them late). Not in <see cref="RetransmittedSegments"/>.</summary>
    public long GapSegments { get; init; }

    /// <summary>Duplicate acknowledgements (RFC 5681, 2): no data, same acknowledgement and window, while data is outstanding.</summary>
    public long DuplicateAcks { get; init; }

    /// <summary>Segments whose first SACK block reports bytes that arrived twice (RFC 2883).</summary>
    public long DuplicateSacks { get; init; }

    /// <summary>Segments that announce a window of 0.</summary>
    public long ZeroWindows { get; init; }

    /// <summary>Keep-alive and window probes: at most one byte just below what the other end has acknowledged (RFC 9293, 3.8.4 and
    /// 3.8.6.1).</summary>
    public long Probes { get; init; }

    /// <summary>RSTs.</summary>
    public long Resets { get; init; }

    /// <summary>Segments larger than the other end's MSS: GSO or GRO super-segments, which are cut or were joined outside the
    /// capture.</summary>
    public long OversizeSegments { get; init; }

    /// <summary>Longest time between two segments of this direction; zero if there are fewer than two.</summary>
    public TimeSpan LongestSilence { get; init; }

    /// <summary>When the longest silence began; null if there was none. UTC.</summary>
    public DateTimeOffset? LongestSilenceFrom { get; init; }

    internal static DirectionFigures Of(Endpoint end) => new()
    {
        Segments = end.Figures.Segments,
        PayloadBytes = end.Figures.PayloadBytes,
        StreamBytes = end.Sent.DistinctBytes,
        RetransmittedSegments = end.Figures.RetransmittedSegments,
        RetransmittedBytes = end.Figures.RetransmittedBytes,
        GapSegments = end.Figures.GapSegments,
        DuplicateAcks = end.Figures.DuplicateAcks,
        DuplicateSacks = end.Figures.DuplicateSacks,
        ZeroWindows = end.Figures.ZeroWindows,
        Probes = end.Figures.Probes,
        Resets = end.Figures.Resets,
        OversizeSegments = end.Figures.OversizeSegments,
        LongestSilence = UnixTime.ToTimeSpan(end.Figures.LongestSilence),
        LongestSilenceFrom = end.Figures.LongestSilence > 0 ? UnixTime.ToDateTime(end.Figures.LongestSilenceFrom) : null,
    };
}
