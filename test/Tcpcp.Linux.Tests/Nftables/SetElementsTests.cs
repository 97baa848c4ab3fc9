using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Tcpcp.Core;
using Tcpcp.Linux.Nftables;

namespace Tcpcp.Linux.Tests.Nftables;

public sealed class SetElementsTests : IDisposable
{
    private const string IPv4 = "192.0.2.1:80-192.0.2.9:51514";
    private const string IPv6 = "[2001:db8::1]:80-[2001:db8::9]:51514";

    private static readonly FourTupleSet s_dropped = new(FourTupleSet.NFPROTO_INET, "test", "dropped");

    private readonly LoopbackHost _host = new();
    private readonly SetElements _elements;

    public SetElementsTests()
    {
        _elements = _host.Run(() => new SetElements());
        _host.Nft("""
            add table inet test
            add set inet test dropped4 { type ipv4_addr . inet_service . ipv4_addr . inet_service; }
            add set inet test dropped6 { type ipv6_addr . inet_service . ipv6_addr . inet_service; }
            add counter inet test hits
            add chain inet test out { type filter hook output priority 0; }
            add rule inet test out ip saddr . tcp sport . ip daddr . tcp dport @dropped4 counter name hits drop
            add rule inet test out ip6 saddr . tcp sport . ip6 daddr . tcp dport @dropped6 counter name hits drop
            """);
    }

    public void Dispose()
    {
        _elements.Dispose();
        _host.Dispose();
    }

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("::1")]
    [InlineData("::ffff:127.0.0.1")]
    public void Adding_and_removing_take_effect_at_once(string address)
    {
        (Socket client, Socket server) = _host.Connect(IPAddress.Parse(address));
        using (client)
        using (server)
        {
            FourTuple connection = new((IPEndPoint)client.LocalEndPoint!, (IPEndPoint)client.RemoteEndPoint!);
            client.Send("a"u8);
            Assert.Equal(1, server.Receive(new byte[10]));
            Assert.Equal(0, Hits());

            Assert.True(_elements.Add(s_dropped, connection));
            client.Send("b"u8);
            long hits = Hits();
            Assert.True(hits >= 1, "The first segment after Add went out.");

            Assert.True(_elements.Remove(s_dropped, connection));
            hits = Hits(); // retransmissions in between
            client.Send("c"u8);
            byte[] received = new byte[10];
            int count = 0;
            while (count < 2)
                count += server.Receive(received.AsSpan(count));
            Assert.Equal("bc"u8, received.AsSpan(0, count));
            Assert.Equal(hits, Hits());
        }
    }

    [Theory]
    [InlineData(IPv4)]
    [InlineData(IPv6)]
    public void What_is_there_already_and_what_is_not_there_are_told(string text)
    {
        FourTuple connection = FourTuple.Parse(text);
        Assert.False(_elements.Remove(s_dropped, connection));
        Assert.True(_elements.Add(s_dropped, connection));
        Assert.False(_elements.Add(s_dropped, connection));
        Assert.True(_elements.Remove(s_dropped, connection));
        Assert.False(_elements.Remove(s_dropped, connection));
    }

    [Fact]
    public void The_list_of_both_families_is_complete()
    {
        Assert.Empty(_elements.List(s_dropped)!);
        HashSet<FourTuple> added = [FourTuple.Parse(IPv6)];
        for (int port = 1; port <= 3000; port++)
            added.Add(new FourTuple(new IPEndPoint(IPAddress.Parse("192.0.2.1"), 80), new IPEndPoint(IPAddress.Parse("192.0.2.9"), port)));
        foreach (FourTuple connection in added)
            _elements.Add(s_dropped, connection);
        Assert.Equal(added, _elements.List(s_dropped)!.ToHashSet());
        Assert.Null(_elements.List(new FourTupleSet(FourTupleSet.NFPROTO_INET, "nowhere", "dropped")));
    }

    [Fact]
    public void A_table_is_removed_only_if_nothing_has_changed_since()
    {
        uint generation = _elements.Generation();
        _elements.Add(s_dropped, FourTuple.Parse(IPv4));
        Assert.False(_elements.RemoveTableIfUnchanged(s_dropped.Family, s_dropped.Table, generation));
        Assert.True(_elements.HasTable(s_dropped.Family, s_dropped.Table));
        Assert.True(_elements.RemoveTableIfUnchanged(s_dropped.Family, s_dropped.Table, _elements.Generation()));
        Assert.False(_elements.HasTable(s_dropped.Family, s_dropped.Table));
    }

    [Theory]
    [InlineData(IPv4, "dropped4")]
    [InlineData(IPv6, "dropped6")]
    public void The_element_reads_as_the_connection(string text, string set)
    {
        FourTuple connection = FourTuple.Parse(text);
        _elements.Add(s_dropped, connection);
        using JsonDocument listing = JsonDocument.Parse(_host.Nft($"list set inet test {set}", json: true));
        JsonElement element = Assert.Single(Objects(listing, "set").Single().GetProperty("elem").EnumerateArray());
        Assert.Equal(
            [connection.Local.Address.ToString(), "80", connection.Peer.Address.ToString(), "51514"],
            element.GetProperty("concat").EnumerateArray().Select(part => part.ToString()));
    }

    [Fact]
    public void One_connection_of_many_is_removed()
    {
        FourTuple[] connections = [.. Enumerable.Range(1, 200).Select(port => FourTuple.Parse($"192.0.2.1:80-192.0.2.9:{port}"))];
        Assert.All(connections, connection => Assert.True(_elements.Add(s_dropped, connection)));
        Assert.True(_elements.Remove(s_dropped, connections[100]));
        Assert.All(connections, connection => Assert.Equal(connection == connections[100], _elements.Add(s_dropped, connection)));
    }

    [Fact]
    public void A_set_of_the_netdev_family_takes_connections_too()
    {
        _host.Nft("""
            add table netdev test
            add set netdev test held4 { type ipv4_addr . inet_service . ipv4_addr . inet_service; }
            """);
        FourTupleSet held = new(FourTupleSet.NFPROTO_NETDEV, "test", "held");
        Assert.True(_elements.Add(held, FourTuple.Parse(IPv4)));
        Assert.Contains("192.0.2.1 . 80 . 192.0.2.9 . 51514", _host.Nft("list set netdev test held4"), StringComparison.Ordinal);
        Assert.True(_elements.Remove(held, FourTuple.Parse(IPv4)));
    }

    [Fact]
    public void A_set_that_is_missing_is_named()
    {
        FourTupleSet missing = new(FourTupleSet.NFPROTO_INET, "test", "missing");
        KernelException refused = Assert.Throws<KernelException>(() => _elements.Add(missing, FourTuple.Parse(IPv4)));
        Assert.Equal(("NFT_MSG_NEWSETELEM", Errno.ENOENT), (refused.Call, refused.Errno));
        Assert.Contains($"test missing4 {IPv4}", refused.Message, StringComparison.Ordinal);
        Assert.False(_elements.Remove(missing, FourTuple.Parse(IPv4)));
        Assert.False(_elements.Remove(new FourTupleSet(FourTupleSet.NFPROTO_INET, "gone", "missing"), FourTuple.Parse(IPv4)));
    }

    [Fact]
    public void A_table_is_removed_with_all_that_is_in_it_and_may_be_gone_already()
    {
        _elements.Add(s_dropped, FourTuple.Parse(IPv4));
        _elements.RemoveTable(FourTupleSet.NFPROTO_INET, "test");
        Assert.DoesNotContain("test", _host.Nft("list tables"), StringComparison.Ordinal);
        _elements.RemoveTable(FourTupleSet.NFPROTO_INET, "test");
        Assert.False(_elements.Remove(s_dropped, FourTuple.Parse(IPv4)));
    }

    private long Hits()
    {
        using JsonDocument listing = JsonDocument.Parse(_host.Nft("list counter inet test hits", json: true));
        return Objects(listing, "counter").Single().GetProperty("packets").GetInt64();
    }

    private static IEnumerable<JsonElement> Objects(JsonDocument listing, string kind) => listing.RootElement.GetProperty("nftables").EnumerateArray()
        .Where(entry => entry.TryGetProperty(kind, out _)).Select(entry => entry.GetProperty(kind));
}
