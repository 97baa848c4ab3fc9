namespace Tcpcp.Core;

/// <summary>The connection's timestamp clock at the capture (RFC 7323, 4; TCP_TIMESTAMP).</summary>
/// <param name="Value">TSval that the clock showed. The kernel's lowest bit is not part of it: it says <paramref name="Microseconds"/>.</param>
/// <param name="Microseconds">The clock counts microseconds (Linux 6.7 and newer, by route feature), else milliseconds.</param>
/// <param name="Ahead">
/// How far the timestamps that were sent can be ahead of the clock, at most: a paced socket stamps what it sends with the time at which the next
/// segment may leave.
/// </param>
public readonly record struct TimestampClock(uint Value, bool Microseconds, TimeSpan Ahead)
{
    /// <summary>
    /// What the clock must show after it stood still for <paramref name="elapsed"/>. Never less than the origin can have sent, since peers
    /// drop a segment whose TSval steps back (PAWS): reading and writing both lose the lowest bit, so that it is rounded up, by 2 units at most.
    /// </summary>
    public uint Advanced(TimeSpan elapsed)
    {
        TimeSpan advance = elapsed > Ahead ? elapsed : Ahead;
        long units = Math.Max(0, advance.Ticks) / (Microseconds ? TimeSpan.TicksPerMicrosecond : TimeSpan.TicksPerMillisecond);
        return unchecked((Value & ~1u) + (uint)(units + 2)) & ~1u;
    }
}
