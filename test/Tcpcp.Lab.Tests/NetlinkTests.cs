using System.Net;
using System.Net.NetworkInformation;
using Tcpcp.Linux;
using Tcpcp.Linux.Namespaces;
using Tcpcp.Linux.Netlink;
using Tcpcp.Linux.Nftables;

namespace Tcpcp.Lab.Tests;

public sealed class NetlinkTests : IDisposable
{
    private readonly NamespaceThread _thread = NamespaceThread.Start("netlink");
    private readonly RouteNetlink _network;

    public NetlinkTests() => _network = _thread.Run(RouteNetlink.Open);

    private int Loopback => _network.Links.Get("lo").Index;

    public void Dispose()
    {
        _network.Dispose();
        _thread.Dispose();
    }

    [Fact]
    public void An_error_names_the_operation_and_gives_the_kernel_s_reason()
    {
        _network.Links.SetUp("lo");
        KernelException refused = Assert.Throws<KernelException>(
            () => _network.Routes.Add(Route.Via(InterfaceAddress.Parse("192.0.2.0/24"), IPAddress.Parse("198.51.100.1"))));
        Assert.Contains("RTM_NEWROUTE (192.0.2.0/24 via 198.51.100.1: Nexthop has invalid gateway", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("192.0.2.1/32")]
    [InlineData("2001:db8::1/128")]
    public void Adding_an_address_twice_and_removing_it_twice_is_told(string text)
    {
        InterfaceAddress address = InterfaceAddress.Parse(text);
        Assert.True(_network.Addresses.Add(Loopback, address));
        Assert.False(_network.Addresses.Add(Loopback, address));
        Assert.Contains(new AssignedAddress(Loopback, address, IsTentative: false), _network.Addresses.List(Loopback));
        Assert.True(_network.Addresses.Remove(Loopback, address));
        Assert.False(_network.Addresses.Remove(Loopback, address));
    }

    [Theory]
    [InlineData("192.0.2.0/24")]
    [InlineData("2001:db8::/64")]
    public void Adding_a_local_route_twice_and_removing_it_twice_is_told(string text)
    {
        _network.Links.SetUp("lo");
        Route route = Route.Local(InterfaceAddress.Parse(text), Loopback, table: 100);
        Assert.True(_network.Routes.Add(route));
        Assert.False(_network.Routes.Add(route));
        Assert.True(_network.Routes.Remove(route));
        Assert.False(_network.Routes.Remove(route));
    }

    [Fact]
    public void A_default_route_is_used()
    {
        MakeVeth();
        _network.Addresses.Add(_network.Links.Get("near").Index, InterfaceAddress.Parse("192.0.2.2/24"));
        Assert.True(_network.Routes.Add(Route.Default(IPAddress.Parse("192.0.2.1"))));
        using System.Net.Sockets.Socket socket = _thread.Run(() => new System.Net.Sockets.Socket(
            System.Net.Sockets.AddressFamily.InterNetwork, System.Net.Sockets.SocketType.Dgram, System.Net.Sockets.ProtocolType.Udp));
        socket.Connect(IPAddress.Parse("203.0.113.1"), 9); // ENETUNREACH without a route
        Assert.Equal(IPAddress.Parse("192.0.2.2"), ((IPEndPoint)socket.LocalEndPoint!).Address);
    }

    [Fact]
    public void A_link_has_the_given_properties()
    {
        PhysicalAddress address = PhysicalAddress.Parse("02-00-00-00-00-01");
        _network.Links.CreateVeth(new VethEnd("near", HardwareAddress: address), new VethEnd("far"), mtu: 9000);
        LinkInfo near = _network.Links.Get("near");
        Assert.Equal((address, 9000, false), (near.HardwareAddress, near.Mtu, near.IsUp));
        _network.Links.SetUp("near");
        _network.Links.SetMtu("near", 1400);
        Assert.Equal((1400, true), (_network.Links.Get("near").Mtu, _network.Links.Get("near").IsUp));
        Assert.True(_network.Links.Delete("near"));
        Assert.False(_network.Links.Delete("near"));
        Assert.False(_network.Links.TryGet("far", out _));
    }

    [Fact]
    public void A_neighbour_is_listed_with_its_hardware_address()
    {
        MakeVeth();
        PhysicalAddress hardware = PhysicalAddress.Parse("02-00-00-00-00-09");
        int near = _network.Links.Get("near").Index;
        _network.Neighbours.Set(near, IPAddress.Parse("192.0.2.9"), hardware);
        Assert.Contains(new Neighbour(near, IPAddress.Parse("192.0.2.9"), hardware, NeighbourState.Permanent), _network.Neighbours.List());
        Assert.True(_network.Neighbours.Remove(near, IPAddress.Parse("192.0.2.9")));
    }

    [Theory]
    [InlineData("192.0.2.9", "192.0.2.9")]
    [InlineData("198.51.100.7", "192.0.2.254")]
    [InlineData("2001:db8::9", "2001:db8::9")]
    [InlineData("2001:db8:1::7", "2001:db8::fe")]
    public void The_next_hop_is_asked_for_before_anything_is_sent_there(string destination, string expected)
    {
        MakeVeth();
        int near = _network.Links.Get("near").Index;
        _network.Addresses.Add(near, InterfaceAddress.Parse("192.0.2.1/24"));
        _network.Addresses.Add(near, InterfaceAddress.Parse("2001:db8::1/64"));
        (IPAddress peer, IPAddress hop) = (IPAddress.Parse(destination), IPAddress.Parse(expected));
        bool ipv6 = destination.Contains(':', StringComparison.Ordinal);
        _network.Routes.Add(Route.Default(IPAddress.Parse(ipv6 ? "2001:db8::fe" : "192.0.2.254")));
        foreach (string source in (string[])[ipv6 ? "2001:db8::1" : "192.0.2.1", ipv6 ? "2001:db8::99" : "192.0.2.99"]) // of this host, and not
        {
            Assert.Equal((near, hop), _network.Routes.FindNextHop(peer, IPAddress.Parse(source)));
            Assert.DoesNotContain(_network.Neighbours.List(), entry => entry.Address.Equals(hop));
            _network.Solicit(peer, IPAddress.Parse(source));
            Assert.Contains(_network.Neighbours.List(), entry => entry.Address.Equals(hop) && entry.State is NeighbourState.Incomplete or NeighbourState.Failed);
            Assert.True(_network.Neighbours.Remove(near, hop));
        }

        PhysicalAddress hardware = PhysicalAddress.Parse("02-00-00-00-00-09");
        _network.Neighbours.Set(near, hop, hardware);
        _network.Solicit(peer, peer);
        Assert.Contains(new Neighbour(near, hop, hardware, NeighbourState.Permanent), _network.Neighbours.List());
    }

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("203.0.113.1")]
    [InlineData("::1")]
    [InlineData("2001:db8:2::1")]
    public void Where_nothing_is_sent_to_a_neighbour_none_is_asked_for(string destination)
    {
        _network.Links.SetUp("lo");
        Assert.Null(_network.Routes.FindNextHop(IPAddress.Parse(destination), IPAddress.Parse(destination)));
        _network.Solicit(IPAddress.Parse(destination), IPAddress.Parse(destination));
        Assert.DoesNotContain(_network.Neighbours.List(), entry => entry.Address.Equals(IPAddress.Parse(destination)));
    }

    [Fact]
    public void A_list_longer_than_one_datagram_is_complete()
    {
        for (int i = 0; i < 1000; i++)
            _network.Addresses.Add(Loopback, new InterfaceAddress(new IPAddress([10, 9, (byte)(i >> 8), (byte)i]), 32));
        Assert.Equal(1000, _network.Addresses.List(Loopback).Count);
    }

    [Fact]
    public void A_netfilter_batch_takes_effect_as_a_whole()
    {
        using NetlinkSocket netfilter = _thread.Run(() => NetlinkSocket.Open(NetlinkSocket.NETLINK_NETFILTER));
        netfilter.Transact(Batch(message => message.Begin(NewTable, NetlinkFlags.Ack | NetlinkFlags.Create, Inet).String(TableName, "made").End()), "batch");
        Assert.Contains("table inet made", _thread.Run(() => LibNftables.Run("list tables")), StringComparison.Ordinal);
    }

    [Fact]
    public void A_refused_message_of_a_batch_is_told_by_its_index()
    {
        using NetlinkSocket netfilter = _thread.Run(() => NetlinkSocket.Open(NetlinkSocket.NETLINK_NETFILTER));
        NetlinkOutcome outcome = netfilter.TryTransact(Batch(message => message
            .Begin(NewTable, NetlinkFlags.Ack | NetlinkFlags.Create, Inet).String(TableName, "made").End()
            .Begin(DeleteTable, NetlinkFlags.Ack, Inet).String(TableName, "none").End()));
        Assert.Equal((Errno.ENOENT, 2), (outcome.Errno, outcome.FailedMessage));
        Assert.DoesNotContain("made", _thread.Run(() => LibNftables.Run("list tables")), StringComparison.Ordinal);
        netfilter.Transact(Batch(message => message.Begin(NewTable, NetlinkFlags.Ack | NetlinkFlags.Create, Inet).String(TableName, "next").End()), "batch");
    }

    [Fact]
    public void A_wrong_nftables_command_is_quoted_in_the_error()
    {
        NftablesException refused = Assert.Throws<NftablesException>(() => _thread.Run(() => LibNftables.Run("add tabel inet x")));
        Assert.Contains("syntax error", refused.Message, StringComparison.Ordinal);
        Assert.Contains("add tabel inet x", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_listing_of_nftables_can_be_JSON()
    {
        _thread.Run(() => LibNftables.Run("add table inet x"));
        Assert.Contains("\"table\": {\"family\": \"inet\", \"name\": \"x\"", _thread.Run(() => LibNftables.Run("list tables", json: true)), StringComparison.Ordinal);
    }

    private const ushort NewTable = 10 << 8; // NFNL_SUBSYS_NFTABLES, NFT_MSG_NEWTABLE: linux/netfilter/nf_tables.h
    private const ushort DeleteTable = (10 << 8) | 2;
    private const ushort TableName = 1; // NFTA_TABLE_NAME

    private static byte[] Inet => [1, 0, 0, 0]; // struct nfgenmsg: NFPROTO_INET

    private static NetlinkMessage Batch(Func<NetlinkMessage, NetlinkMessage> messages)
    {
        byte[] subsystem = [0, 0, 0, 10];
        return messages(new NetlinkMessage().Begin(0x10, NetlinkFlags.None, subsystem).End()).Begin(0x11, NetlinkFlags.None, subsystem).End();
    }

    private void MakeVeth()
    {
        _network.Links.CreateVeth(new VethEnd("near"), new VethEnd("far"));
        _network.Links.SetUp("near");
        _network.Links.SetUp("far");
    }
}
