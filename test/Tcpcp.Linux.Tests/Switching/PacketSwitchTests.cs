using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using Tcpcp.Core;
using Tcpcp.Linux.Devices;
using Tcpcp.Linux.Switching;

namespace Tcpcp.Linux.Tests.Switching;

/// <summary>What every packet switch does, whatever it is made of.</summary>
public sealed class PacketSwitchTests : IDisposable
{
    private readonly SwitchHost _host = new();

    public void Dispose() => _host.Dispose();

    [Theory]
    [MemberData(nameof(SwitchHost.Cases), MemberType = typeof(SwitchHost))]
    public void A_packet_without_an_entry_goes_on_and_so_does_one_that_passes(string mechanism, bool ipv6)
    {
        using IPacketSwitch opened = _host.Open(mechanism);
        FourTuple connection = SwitchHost.Connection(ipv6);
        opened.Set(new SwitchEntry(SwitchHost.Connection(ipv6, 1), PacketTarget.Drop));
        _host.Arrive(new TestFrame(connection));
        Assert.Equal(1, _host.Arrived());
        opened.Set(new SwitchEntry(connection, PacketTarget.Pass));
        _host.Arrive(new TestFrame(connection));
        Assert.Equal(2, _host.Arrived());
        Assert.Equal(1, PacketsOf(opened, connection));
    }

    [Theory]
    [MemberData(nameof(SwitchHost.Cases), MemberType = typeof(SwitchHost))]
    public void A_dropped_packet_does_not_arrive(string mechanism, bool ipv6)
    {
        using IPacketSwitch opened = _host.Open(mechanism);
        FourTuple connection = SwitchHost.Connection(ipv6);
        opened.Set(new SwitchEntry(connection, PacketTarget.Drop));
        _host.Arrive(new TestFrame(connection));
        _host.Arrive(new TestFrame(SwitchHost.Connection(ipv6, 1)));
        _host.Arrive(new TestFrame(connection.Reversed));
        _host.Arrive(new TestFrame(SwitchHost.Connection(!ipv6)));
        Assert.Equal(3, _host.Arrived());
        SwitchStatistics counted = Assert.Single(opened.List());
        Assert.Equal((connection, PacketVerdict.Drop, 1), (counted.Entry.Connection, counted.Entry.Target.Verdict, counted.Packets));
        Assert.True(counted.Bytes >= 60);
        Assert.True(opened.Remove(connection));
        Assert.False(opened.Remove(connection));
        _host.Arrive(new TestFrame(connection));
        Assert.Equal(4, _host.Arrived());
        Assert.Empty(opened.List());
    }

    [Theory]
    [MemberData(nameof(SwitchHost.Cases), MemberType = typeof(SwitchHost))]
    public void A_held_packet_leaves_by_the_interface_as_it_came(string mechanism, bool ipv6)
    {
        using IPacketSwitch opened = _host.Open(mechanism);
        TestFrame frame = new(SwitchHost.Connection(ipv6)) { Destination = _host.Arrival.HardwareAddress };
        opened.Set(new SwitchEntry(frame.Connection, PacketTarget.Hold(_host.DepartureLink.Index)));
        _host.Arrive(frame);
        Assert.Equal(0, _host.Arrived());
        Assert.Equal(frame.ToArray()[TapDevice.HeaderBytes..], Assert.Single(_host.Departed())[TapDevice.HeaderBytes..]);
        Assert.Equal(PacketTarget.Hold(_host.DepartureLink.Index), Assert.Single(opened.List()).Entry.Target);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_connection_is_released_only_by_who_knows_of_every_packet_that_is_held(bool ipv6)
    {
        using IPacketSwitch opened = _host.Open(nameof(SwitchMechanism.Bpf));
        TestFrame frame = new(SwitchHost.Connection(ipv6)) { Destination = _host.Arrival.HardwareAddress };
        opened.Set(new SwitchEntry(frame.Connection, PacketTarget.Hold(_host.DepartureLink.Index)));
        for (int i = 0; i < 3; i++)
            _host.Arrive(frame);
        Assert.False(opened.TryRelease(frame.Connection, 2)); // one more is on its way to the holder
        Assert.False(opened.TryRelease(frame.Connection, 4));
        _host.Arrive(frame); // the fourth: the wrong number is forgotten
        _host.Arrive(frame);
        Assert.Equal((0, 5), (_host.Arrived(), _host.Departed().Count));
        Assert.True(opened.TryRelease(frame.Connection, 5));
        _host.Arrive(frame);
        Assert.Equal((1, 0), (_host.Arrived(), _host.Departed().Count));
        Assert.Empty(opened.List());
        opened.Set(new SwitchEntry(frame.Connection, PacketTarget.Hold(_host.DepartureLink.Index)));
        for (int i = 0; i < 6; i++)
            _host.Arrive(frame);
        Assert.Equal((1, 6), (_host.Arrived(), _host.Departed().Count)); // none but the one before
    }

    [Theory]
    [MemberData(nameof(SwitchHost.Cases), MemberType = typeof(SwitchHost))]
    public void A_redirected_packet_is_sent_to_the_neighbour(string mechanism, bool ipv6)
    {
        using IPacketSwitch opened = _host.Open(mechanism);
        FourTuple connection = SwitchHost.Connection(ipv6);
        PacketTarget target = PacketTarget.Redirect(_host.DepartureLink.Index, SwitchHost.NextHop(ipv6));
        opened.Set(new SwitchEntry(connection, target));
        _host.Arrive(new TestFrame(connection));
        Assert.Equal(0, _host.Arrived());
        byte[] frame = Assert.Single(_host.Departed());
        Assert.Equal((SwitchHost.Neighbour, _host.DepartureLink.HardwareAddress), (AddressAt(frame, 0), AddressAt(frame, 6)));
        byte[] sent = new TestFrame(connection).ToArray();
        int addresses = TapDevice.NetworkOffset + (ipv6 ? 8 : 12);
        Assert.Equal(sent[addresses..], frame[addresses..]);
        Assert.Equal(target, Assert.Single(opened.List()).Entry.Target);
    }

    [Theory]
    [MemberData(nameof(SwitchHost.Mechanisms), MemberType = typeof(SwitchHost))]
    public void A_next_hop_of_another_family_is_refused(string mechanism)
    {
        using IPacketSwitch opened = _host.Open(mechanism);
        SwitchEntry wrong = new(SwitchHost.Connection(ipv6: false), PacketTarget.Redirect(_host.DepartureLink.Index, SwitchHost.NextHop(ipv6: true)));
        Assert.Throws<InvalidOperationException>(() => opened.Set(wrong));
        Assert.Throws<InvalidOperationException>(() => opened.Set([wrong]));
        Assert.Empty(opened.List());
    }

    [Theory]
    [MemberData(nameof(SwitchHost.Mechanisms), MemberType = typeof(SwitchHost))]
    public void What_is_not_a_connections_own_segment_goes_on_untouched(string mechanism)
    {
        using IPacketSwitch opened = _host.Open(mechanism);
        FourTuple ipv4 = SwitchHost.Connection(ipv6: false), ipv6 = SwitchHost.Connection(ipv6: true);
        opened.Set([new SwitchEntry(ipv4, PacketTarget.Drop), new SwitchEntry(ipv6, PacketTarget.Drop)]);
        TestFrame[] untouched =
        [
            new(ipv4) { FragmentOffset = 8 }, new(ipv4) { FragmentOffset = 8, MoreFragments = true }, new(ipv4) { IsUdp = true }, new(ipv4) { Vlan = 5 },
            new(ipv6) { HasExtensionHeader = true }, new(ipv6) { IsUdp = true }, new(ipv6) { Vlan = 5 },
        ];
        TestFrame[] switched = [new(ipv4), new(ipv4) { OptionBytes = 8 }, new(ipv4) { OptionBytes = 40 }, new(ipv4) { MoreFragments = true }, new(ipv6)];
        foreach (TestFrame frame in untouched)
        {
            _host.Arrive(frame);
            Assert.True((PacketsOf(opened, ipv4), PacketsOf(opened, ipv6)) == (0, 0), $"{frame} was switched.");
        }

        foreach (TestFrame frame in switched)
            _host.Arrive(frame);
        Assert.Equal((4, 1), (PacketsOf(opened, ipv4), PacketsOf(opened, ipv6)));
        Assert.Equal(untouched.Count(frame => frame.Vlan == 0), _host.Arrived());
    }

    // Over loopback a segment has arrived when send() returns: so it is known which entry it has met.
    [Theory]
    [MemberData(nameof(SwitchHost.Cases), MemberType = typeof(SwitchHost))]
    public void A_change_has_taken_effect_when_it_returns(string mechanism, bool ipv6)
    {
        SwitchChoice choice = SwitchHost.Choose(mechanism);
        using IPacketSwitch opened = _host.Host.Run(() => PacketSwitch.Open(SwitchPlace.Forward, ["lo"], out _, choice));
        for (int i = 0; i < 50; i++)
        {
            (Socket client, Socket server) = _host.Host.Connect(ipv6 ? IPAddress.IPv6Loopback : IPAddress.Loopback);
            using (client)
            using (server)
            {
                FourTuple connection = new((IPEndPoint)server.LocalEndPoint!, (IPEndPoint)server.RemoteEndPoint!);
                opened.Set(new SwitchEntry(connection, PacketTarget.Pass));
                client.Send("a"u8);
                Assert.Equal(1, server.Available);
                opened.Set(new SwitchEntry(connection, PacketTarget.Drop));
                client.Send("b"u8);
                Assert.Equal(1, server.Available);
                Assert.True(PacketsOf(opened, connection) >= 1, "The first segment after the change was not dropped.");
                Assert.True(opened.Remove(connection));
                if (i > 0)
                    continue;
                byte[] received = new byte[10];
                for (int count = 0; count < 2;)
                    count += server.Receive(received.AsSpan(count)); // the second comes again
                Assert.Equal("ab"u8, received.AsSpan(0, 2));
            }
        }
    }

    [Theory]
    [MemberData(nameof(SwitchHost.Mechanisms), MemberType = typeof(SwitchHost))]
    public void A_thousand_connections_are_switched_in_one_call(string mechanism)
    {
        using IPacketSwitch opened = _host.Open(mechanism);
        FourTuple[] connections = [.. Enumerable.Range(0, 1000).Select(number => SwitchHost.Connection(number % 3 == 0, 1000 + number))];
        foreach (Func<FourTuple, PacketTarget> target in (Func<FourTuple, PacketTarget>[])
        [
            _ => PacketTarget.Drop, connection => PacketTarget.Redirect(_host.DepartureLink.Index, SwitchHost.NextHop(connection.IsIPv6)),
            _ => PacketTarget.Hold(_host.DepartureLink.Index), _ => PacketTarget.Pass,
        ])
        {
            SwitchEntry[] entries = [.. connections.Select(connection => new SwitchEntry(connection, target(connection)))];
            opened.Set(entries);
            Assert.Equal(entries.ToHashSet(), opened.List().Select(one => one.Entry).ToHashSet());
            long arrived = _host.Arrived();
            int each = connections.Length / 10;
            foreach (FourTuple connection in connections.Where((_, index) => index % 10 == 0))
                _host.Arrive(new TestFrame(connection));
            PacketVerdict verdict = entries[0].Target.Verdict;
            Assert.Equal(verdict == PacketVerdict.Pass ? each : 0, _host.Arrived() - arrived);
            Assert.Equal(verdict is PacketVerdict.Hold or PacketVerdict.Redirect ? each : 0, _host.Departed().Count);
            Assert.Equal(each, opened.List().Sum(one => one.Packets));
        }

        Assert.All(connections, connection => Assert.True(opened.Remove(connection)));
        Assert.Empty(opened.List());
    }

    [Theory]
    [MemberData(nameof(SwitchHost.Mechanisms), MemberType = typeof(SwitchHost))]
    public void A_full_switch_says_so_and_keeps_what_it_has(string mechanism)
    {
        using IPacketSwitch opened = _host.Open(mechanism, capacity: 16);
        for (int port = 1; port <= 16; port++)
            opened.Set(new SwitchEntry(SwitchHost.Connection(ipv6: false, port), PacketTarget.Drop));
        KernelException full = Assert.Throws<KernelException>(() => opened.Set(new SwitchEntry(SwitchHost.Connection(ipv6: false, 17), PacketTarget.Drop)));
        Assert.Contains("the map is full", full.Message, StringComparison.Ordinal);
        Assert.Equal(16, opened.List().Count);
        opened.Set(new SwitchEntry(SwitchHost.Connection(ipv6: false, 1), PacketTarget.Pass));
        Assert.Equal(16, opened.List().Count);
    }

    private static long PacketsOf(IPacketSwitch opened, FourTuple connection) => opened.List().Single(one => one.Entry.Connection == connection).Packets;

    private static PhysicalAddress AddressAt(byte[] frame, int offset) => new(frame[(TapDevice.HeaderBytes + offset)..(TapDevice.HeaderBytes + offset + 6)]);
}
