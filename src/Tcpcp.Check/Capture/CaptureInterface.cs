namespace Tcpcp.Check.Capture;

/// <summary>What a pcapng interface description block says, and the drops that the statistics reported for it.</summary>
internal sealed class CaptureInterface(LinkType linkType, uint snapshotLength, byte resolution, long offsetSeconds)
{
    /// <summary>10^-6 s, the default of if_tsresol.</summary>
    public const byte Microseconds = 6;

    private static readonly long s_latest = long.MaxValue / 2;

    public LinkType LinkType { get; } = linkType;

    /// <summary>0 for no limit.</summary>
    public uint SnapshotLength { get; } = snapshotLength;

    /// <summary>From interface statistics: a running total, so the last one counts.</summary>
    public ulong DroppedInStatistics { get; set; }

    /// <summary>From the packets' own drop counts.</summary>
    public ulong DroppedBetweenPackets { get; set; }

    /// <summary>Nanoseconds since 1970 for a time stamp in this interface's unit; a damaged stamp is clamped.</summary>
    public long ToNanoseconds(ulong stamp)
    {
        Int128 nanoseconds = (resolution & 0x80) != 0
            ? ((Int128)stamp * 1_000_000_000) >> (resolution & 0x7F)
            : resolution <= 9 ? (Int128)stamp * PowerOfTen(9 - resolution) : stamp / (Int128)PowerOfTen(Math.Min(resolution - 9, 18));
        nanoseconds += (Int128)offsetSeconds * 1_000_000_000;
        return nanoseconds < 0 ? 0 : nanoseconds > s_latest ? s_latest : (long)nanoseconds;
    }

    private static long PowerOfTen(int exponent)
    {
        long result = 1;
        for (int i = 0; i < exponent; i++)
            result *= 10;
        return result;
    }
}
