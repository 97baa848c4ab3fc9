namespace Tcpcp.Check.Judgement;

/// <summary>A segment's place in the capture and in the stream, worked out before anything it says is taken over.</summary>
internal readonly struct Moment
{
    /// <summary>From 1.</summary>
    public required long PacketNumber { get; init; }

    /// <summary>Nanoseconds since 1970.</summary>
    public required long Time { get; init; }

    /// <summary>Offset of the sequence number in the sender's stream.</summary>
    public required long Sequence { get; init; }

    /// <summary>Offset of the first payload byte: one further than the SYN's.</summary>
    public required long PayloadFrom { get; init; }

    public required long PayloadTo { get; init; }

    /// <summary>Offset of the acknowledgement in the other end's stream; meaningful with the ACK bit only.</summary>
    public required long Acknowledgement { get; init; }

    /// <summary>The path delivered it after segments that were sent later: its older numbers are no step back.</summary>
    public required bool IsLate { get; init; }

    /// <summary>A keep-alive or window probe: at most one byte, just below what the other end has acknowledged (RFC 9293, 3.8.4).</summary>
    public required bool IsProbe { get; init; }
}
