namespace Tcpcp;

/// <summary>How the gate marks the sockets that it keeps silent.</summary>
/// <remarks>
/// The gate uses the bits of <see cref="MarkMask"/> in SO_MARK. They must not meet those of another user of packet marks on the host
/// (container networks often use 0x4000, 0x8000 and 0xf000 masks); change them for the whole host, not for one program.
/// </remarks>
public sealed record GateOptions
{
    /// <summary>The value of the masked bits that says: silent. Default 0x7C700000.</summary>
    public uint Mark { get; init; } = 0x7C70_0000;

    /// <summary>The bits of the mark that are the gate's. Default 0xFFFF0000; the others hold the number of the pass.</summary>
    public uint MarkMask { get; init; } = 0xFFFF_0000;

    /// <summary>Mark of a packet that the gate lets through: one that this host makes for a socket behind it.</summary>
    internal uint ArrivalMark => Mark ^ (MarkMask & (~MarkMask + 1));

    internal bool IsGateMark(uint mark) => (mark & MarkMask) == Mark;

    internal bool IsArrivalMark(uint mark) => (mark & MarkMask) == ArrivalMark;
}
