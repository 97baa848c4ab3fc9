namespace Tcpcp.Check.Capture;

/// <summary>One packet of a capture. The bytes are valid until the next one is read.</summary>
internal readonly ref struct CapturedPacket(ReadOnlySpan<byte> data, int originalLength, long timeNanoseconds, LinkType linkType)
{
    /// <summary>What was captured, from the link-layer header on; shorter than the packet if the snapshot length cut it.</summary>
    public ReadOnlySpan<byte> Data { get; } = data;

    /// <summary>Length on the wire in bytes, never below the captured length.</summary>
    public int OriginalLength { get; } = Math.Max(originalLength, data.Length);

    /// <summary>Nanoseconds since 1970-01-01 UTC.</summary>
    public long TimeNanoseconds { get; } = timeNanoseconds;

    public LinkType LinkType { get; } = linkType;
}
