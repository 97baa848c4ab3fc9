using CsCheck;

namespace Tcpcp.Core.Tests.Snapshot;

public class TimestampClockTests
{
    private static readonly Gen<TimestampClock> s_clock =
        Gen.Select(Gen.OneOf(Gen.UInt, Gen.UInt[uint.MaxValue - 5, uint.MaxValue]), Gen.Bool, (value, microseconds) => new TimestampClock(value, microseconds, TimeSpan.Zero));

    private static readonly Gen<TimeSpan> s_elapsed = Gen.Long[0, TimeSpan.TicksPerMinute].Select(ticks => new TimeSpan(ticks));

    // The kernel's lowest bit is lost in the reading: the segment sent last may have had a TSval one greater than what was read.
    [Fact]
    public void It_never_shows_less_than_what_can_have_been_sent() => Gen.Select(s_clock, s_elapsed).Sample((clock, elapsed) =>
        Ahead(clock, elapsed) >= 1 && Ahead(clock, elapsed) >= Units(clock, elapsed));

    [Fact]
    public void It_is_at_most_two_units_ahead() => Gen.Select(s_clock, s_elapsed).Sample((clock, elapsed) =>
        Ahead(clock, elapsed) <= Units(clock, elapsed) + 2);

    [Fact]
    public void It_shows_at_least_how_far_the_sent_timestamps_can_have_been_ahead() => Gen.Select(s_clock, s_elapsed, s_elapsed).Sample((clock, elapsed, ahead) =>
        (clock with { Ahead = ahead }).Advanced(elapsed) == clock.Advanced(ahead > elapsed ? ahead : elapsed));

    [Fact]
    public void It_never_steps_back() => Gen.Select(s_clock, s_elapsed, s_elapsed).Sample((clock, one, other) =>
        Ahead(clock, one < other ? one : other) <= Ahead(clock, one < other ? other : one));

    [Fact]
    public void Its_lowest_bit_is_left_to_the_kernel() => Gen.Select(s_clock, s_elapsed).Sample((clock, elapsed) => (clock.Advanced(elapsed) & 1) == 0);

    [Fact]
    public void An_elapsed_time_below_zero_does_not_turn_it_back() => Gen.Select(s_clock, s_elapsed).Sample((clock, elapsed) =>
        clock.Advanced(-elapsed) == clock.Advanced(TimeSpan.Zero));

    [Theory]
    [InlineData(uint.MaxValue, false, 0, 0u)]
    [InlineData(uint.MaxValue - 1, false, 5, 4u)]
    [InlineData(uint.MaxValue - 1, true, 5, 5000u)]
    [InlineData(1000u, false, 250, 1252u)]
    [InlineData(1001u, false, 250, 1252u)]
    [InlineData(1000u, true, 250, 251002u)]
    public void It_counts_in_its_unit_and_wraps(uint value, bool microseconds, int milliseconds, uint expected) =>
        Assert.Equal(expected, new TimestampClock(value, microseconds, TimeSpan.Zero).Advanced(TimeSpan.FromMilliseconds(milliseconds)));

    private static long Ahead(TimestampClock clock, TimeSpan elapsed) => unchecked(clock.Advanced(elapsed) - (clock.Value & ~1u));

    private static long Units(TimestampClock clock, TimeSpan elapsed) =>
        elapsed.Ticks / (clock.Microseconds ? TimeSpan.TicksPerMicrosecond : TimeSpan.TicksPerMillisecond);
}
