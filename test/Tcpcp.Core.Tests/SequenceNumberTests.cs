using CsCheck;

namespace Tcpcp.Core.Tests;

public class SequenceNumberTests
{
    private static readonly Gen<SequenceNumber> s_number = Gen.UInt.Select(value => new SequenceNumber(value));

    // A distance that has an opposite: all but half the space.
    private static readonly Gen<int> s_distance = Gen.Int[-int.MaxValue, int.MaxValue];

    [Theory]
    [InlineData(1u, 0u)]
    [InlineData(0u, uint.MaxValue)]
    [InlineData(5u, 0xFFFF_FFF0u)]
    [InlineData(0x7FFF_FFFFu, 0u)]
    [InlineData(0x8000_0000u, 1u)]
    [InlineData(0x7FFF_FFFEu, uint.MaxValue)]
    public void A_number_within_half_the_space_ahead_is_after_the_other(uint later, uint earlier)
    {
        (SequenceNumber after, SequenceNumber before) = (new(later), new(earlier));
        Assert.True(after.IsAfter(before));
        Assert.True(after.IsAtOrAfter(before));
        Assert.False(after.IsBefore(before));
        Assert.True(before.IsBefore(after));
        Assert.False(before.IsAfter(after));
        Assert.False(before.IsAtOrAfter(after));
    }

    [Fact]
    public void A_number_is_at_itself_and_neither_before_nor_after() => s_number.Sample(number =>
        number.IsAtOrAfter(number) && !number.IsAfter(number) && !number.IsBefore(number) && number - number == 0);

    [Fact]
    public void Half_the_space_away_is_before_in_both_directions()
    {
        (SequenceNumber one, SequenceNumber other) = (new(10), new(10 + 0x8000_0000u));
        Assert.True(one.IsBefore(other));
        Assert.True(other.IsBefore(one));
        Assert.Equal(int.MinValue, one - other);
    }

    [Theory]
    [InlineData(2u, uint.MaxValue, 3)]
    [InlineData(uint.MaxValue, 2u, -3)]
    [InlineData(0x8000_0000u, 0u, int.MinValue)]
    [InlineData(0x7FFF_FFFFu, 0u, int.MaxValue)]
    public void The_distance_is_signed_and_crosses_zero(uint left, uint right, int distance)
    {
        Assert.Equal(distance, new SequenceNumber(left) - new SequenceNumber(right));
        Assert.Equal(distance, new SequenceNumber(left).DistanceFrom(new SequenceNumber(right)));
    }

    [Theory]
    [InlineData(uint.MaxValue, 1, 0u)]
    [InlineData(0u, -1, uint.MaxValue)]
    [InlineData(0u, int.MinValue, 0x8000_0000u)]
    [InlineData(0xFFFF_FF00u, 0x200, 0x100u)]
    public void Adding_wraps(uint start, int count, uint end)
    {
        Assert.Equal(new SequenceNumber(end), new SequenceNumber(start) + count);
        Assert.Equal(new SequenceNumber(end), new SequenceNumber(start).Add(count));
    }

    [Fact]
    public void The_distance_to_what_was_added_is_what_was_added() => Gen.Select(s_number, Gen.Int)
        .Sample((number, count) => (number + count) - number == count);

    [Fact]
    public void Adding_the_distance_leads_to_the_other_number() => Gen.Select(s_number, s_number)
        .Sample((one, other) => one + (other - one) == other);

    [Fact]
    public void Subtracting_undoes_adding() => Gen.Select(s_number, Gen.Int)
        .Sample((number, count) => number + count - count == number && (number + count).Subtract(count) == number);

    [Fact]
    public void Within_half_the_space_exactly_one_of_two_numbers_is_after_the_other() => Gen.Select(s_number, s_distance).Sample((number, distance) =>
    {
        SequenceNumber other = number + distance;
        return (distance == 0 || number.IsAfter(other) != other.IsAfter(number))
            && number.IsAfter(other) == other.IsBefore(number)
            && number - other == -(other - number);
    });

    [Fact]
    public void The_order_does_not_depend_on_where_the_numbers_lie() => Gen.Select(s_number, s_distance, Gen.Int).Sample((number, distance, shift) =>
        (number + distance).IsAfter(number) == (number + shift + distance).IsAfter(number + shift)
        && (number + distance).IsAfter(number) == distance > 0);

    [Fact]
    public void It_prints_as_the_header_s_number() => Assert.Equal("4294967295", new SequenceNumber(uint.MaxValue).ToString());
}
