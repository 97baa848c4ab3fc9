namespace Tcpcp.Check.Judgement;

/// <summary>Capture times are nanoseconds since 1970; reports have .NET's types of 100 ns steps.</summary>
internal static class UnixTime
{
    public static DateTimeOffset ToDateTime(long nanoseconds) => DateTimeOffset.UnixEpoch.AddTicks(nanoseconds / 100);

    public static TimeSpan ToTimeSpan(long nanoseconds) => new(nanoseconds / 100);

    public static long FromDateTime(DateTimeOffset time)
    {
        long ticks = (time - DateTimeOffset.UnixEpoch).Ticks;
        return ticks <= 0 ? 0 : ticks >= long.MaxValue / 400 ? long.MaxValue / 4 : ticks * 100;
    }
}
