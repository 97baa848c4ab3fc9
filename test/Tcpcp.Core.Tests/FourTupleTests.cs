using System.Net;
using CsCheck;

namespace Tcpcp.Core.Tests;

public class FourTupleTests
{
    private const string Example = "192.0.2.1:80-192.0.2.9:51514";

    [Theory]
    [InlineData(Example)]
    [InlineData("[2001:db8::1]:80-[2001:db8::9]:51514")]
    [InlineData("[fe80::1%2]:80-[fe80::9%2]:51514")]
    [InlineData("[::1]:65535-[::1]:1")]
    [InlineData("255.255.255.255:65535-0.0.0.0:1")]
    public void It_prints_as_it_was_parsed(string text) => Assert.Equal(text, FourTuple.Parse(text).ToString());

    [Fact]
    public void Its_parts_are_the_local_and_the_peer_s_end()
    {
        FourTuple tuple = FourTuple.Parse(Example);
        Assert.Equal(new IPEndPoint(IPAddress.Parse("192.0.2.1"), 80), tuple.Local);
        Assert.Equal(new IPEndPoint(IPAddress.Parse("192.0.2.9"), 51514), tuple.Peer);
        Assert.False(tuple.IsIPv6);
        Assert.True(FourTuple.Parse("[2001:db8::1]:80-[2001:db8::9]:51514").IsIPv6);
    }

    [Theory]
    [InlineData("[::ffff:192.0.2.1]:80-[::ffff:192.0.2.9]:51514")]
    [InlineData("[::ffff:192.0.2.1]:80-192.0.2.9:51514")]
    [InlineData("192.0.2.1:80-[::FFFF:c000:209]:51514")]
    public void V4_mapped_ends_become_IPv4(string text)
    {
        FourTuple tuple = FourTuple.Parse(text);
        Assert.False(tuple.IsIPv6);
        Assert.Equal(Example, tuple.ToString());
        Assert.Equal(FourTuple.Parse(Example), tuple);
    }

    [Fact]
    public void Any_spelling_of_an_IPv6_address_is_printed_in_the_short_one() => Assert.Equal(
        "[2001:db8::1]:80-[2001:db8::9]:51514", FourTuple.Parse("[2001:0DB8:0:0:0:0:0:1]:80-[2001:db8:0::9]:51514").ToString());

    [Fact]
    public void Every_four_tuple_survives_printing_and_parsing() => Generators.FourTuple.Sample(tuple =>
        FourTuple.Parse(tuple.ToString()) == tuple && FourTuple.TryParse(tuple.ToString(), null, out FourTuple parsed) && parsed == tuple);

    [Theory]
    [InlineData("")]
    [InlineData("-")]
    [InlineData("192.0.2.1:80")]
    [InlineData("192.0.2.1:80-")]
    [InlineData("-192.0.2.9:51514")]
    [InlineData("192.0.2.1-192.0.2.9:51514")]
    [InlineData("192.0.2.1:80-192.0.2.9")]
    [InlineData("192.0.2.1:-192.0.2.9:51514")]
    [InlineData(":80-192.0.2.9:51514")]
    [InlineData("192.0.2.1:0-192.0.2.9:51514")]
    [InlineData("192.0.2.1:80-192.0.2.9:0")]
    [InlineData("192.0.2.1:65536-192.0.2.9:51514")]
    [InlineData("192.0.2.1:80-192.0.2.9:99999999999")]
    [InlineData("192.0.2.1:+80-192.0.2.9:51514")]
    [InlineData("192.0.2.1:0x50-192.0.2.9:51514")]
    [InlineData("192.0.2.1:http-192.0.2.9:51514")]
    [InlineData("192.0.2.1:80-[2001:db8::9]:51514")]
    [InlineData("[2001:db8::1]:80-192.0.2.9:51514")]
    [InlineData("[::ffff:192.0.2.1]:80-[2001:db8::9]:51514")]
    [InlineData("192.0.2:80-192.0.2.9:51514")]
    [InlineData("192.513:80-192.0.2.9:51514")]
    [InlineData("3221225985:80-192.0.2.9:51514")]
    [InlineData("192.0.2.256:80-192.0.2.9:51514")]
    [InlineData("010.0.2.1:80-192.0.2.9:51514")]
    [InlineData("0xC0.0.2.1:80-192.0.2.9:51514")]
    [InlineData("192.0.2.1.:80-192.0.2.9:51514")]
    [InlineData(" 192.0.2.1:80-192.0.2.9:51514")]
    [InlineData("192.0.2.1:80-192.0.2.9:51514 ")]
    [InlineData("192.0.2.1:80 - 192.0.2.9:51514")]
    [InlineData("192.0.2.1 :80-192.0.2.9:51514")]
    [InlineData("192.0.2.1:80-192.0.2.9:51514-192.0.2.9:51514")]
    [InlineData("192.0.2.1:80,192.0.2.9:51514")]
    [InlineData("2001:db8::1:80-2001:db8::9:51514")]
    [InlineData("[192.0.2.1]:80-[192.0.2.9]:51514")]
    [InlineData("[2001:db8::1:80-[2001:db8::9]:51514")]
    [InlineData("[]:80-[2001:db8::9]:51514")]
    [InlineData("[[2001:db8::1]]:80-[2001:db8::9]:51514")]
    [InlineData("[[2001:db8::1]:7]:80-[2001:db8::9]:51514")]
    [InlineData("[2001:db8::1]:7]:80-[2001:db8::9]:51514")]
    [InlineData("[2001:db8::1/64]:80-[2001:db8::9]:51514")]
    [InlineData("[ 2001:db8::1]:80-[2001:db8::9]:51514")]
    [InlineData("[2001:db8::1 ]:80-[2001:db8::9]:51514")]
    [InlineData("pid:12/3")]
    [InlineData("host:80-192.0.2.9:51514")]
    public void A_text_that_is_no_connection_is_refused_with_an_example(string text)
    {
        Assert.False(FourTuple.TryParse(text, null, out FourTuple result));
        Assert.Equal(default, result);
        FormatException refused = Assert.Throws<FormatException>(() => FourTuple.Parse(text));
        Assert.StartsWith($"'{text}' is not a connection: write LOCAL-PEER", refused.Message, StringComparison.Ordinal);
        Assert.Contains(Example, refused.Message, StringComparison.Ordinal);
        Assert.Contains("[2001:db8::1]:80-[2001:db8::9]:51514", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Any_text_is_parsed_or_refused() => Gen.OneOf(Gen.String, Gen.String["0123456789abcdef.:[]-%/ x"]).Sample(text =>
    {
        if (FourTuple.TryParse(text, null, out FourTuple tuple))
            Assert.Equal(tuple, FourTuple.Parse(tuple.ToString()));
    });

    [Fact]
    public void Equal_four_tuples_have_equal_hash_codes() => Generators.FourTuple.Sample(tuple =>
    {
        FourTuple same = FourTuple.Parse(tuple.ToString());
        return same == tuple && same.Equals((object)tuple) && same.GetHashCode() == tuple.GetHashCode();
    });

    [Theory]
    [InlineData("192.0.2.2:80-192.0.2.9:51514")]
    [InlineData("192.0.2.1:81-192.0.2.9:51514")]
    [InlineData("192.0.2.1:80-192.0.2.8:51514")]
    [InlineData("192.0.2.1:80-192.0.2.9:51515")]
    [InlineData("192.0.2.9:51514-192.0.2.1:80")]
    public void A_difference_in_any_part_is_another_connection(string other) => Assert.NotEqual(FourTuple.Parse(Example), FourTuple.Parse(other));

    [Fact]
    public void The_scope_is_part_of_the_name() => Assert.NotEqual(
        FourTuple.Parse("[fe80::1%2]:80-[fe80::9%2]:51514"), FourTuple.Parse("[fe80::1%3]:80-[fe80::9%3]:51514"));

    [Fact]
    public void Reversed_twice_it_is_the_same() => Generators.FourTuple.Sample(tuple =>
        tuple.Reversed.Reversed == tuple && tuple.Reversed.Local.Equals(tuple.Peer) && tuple.Reversed.Peer.Equals(tuple.Local));

    [Fact]
    public void Ends_of_different_families_are_no_four_tuple()
    {
        ArgumentException refused = Assert.Throws<ArgumentException>(
            () => new FourTuple(new IPEndPoint(IPAddress.Loopback, 1), new IPEndPoint(IPAddress.IPv6Loopback, 2)));
        Assert.Contains("different families", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void One_that_was_never_made_prints_as_none() => Assert.Equal("(none)", default(FourTuple).ToString());
}
