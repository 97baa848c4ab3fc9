using Tcpcp.Core;
using Tcpcp.Linux.Bpf;
using Tcpcp.Linux.Switching;

namespace Tcpcp.Linux.Tests.Switching;

/// <summary>A switch outlives its process, is found by the next one, and leaves nothing when it is taken out; others' programs and rules are not touched.</summary>
public sealed class InstalledSwitchTests : IDisposable
{
    private const string ForeignTable = """
        add table netdev foreign
        add chain netdev foreign in { type filter hook ingress device "in0" priority -600; }
        add rule netdev foreign in tcp dport 80 counter
        """;

    private readonly SwitchHost _host = new();

    public void Dispose() => _host.Dispose();

    [Theory]
    [MemberData(nameof(SwitchHost.Cases), MemberType = typeof(SwitchHost))]
    public void Without_its_process_it_goes_on_and_the_next_one_takes_it_over(string mechanism, bool ipv6)
    {
        FourTuple connection = SwitchHost.Connection(ipv6), redirected = SwitchHost.Connection(ipv6, 2);
        PacketTarget redirect = PacketTarget.Redirect(_host.DepartureLink.Index, SwitchHost.NextHop(ipv6));
        using (IPacketSwitch first = _host.Open(mechanism)) // the end closes its descriptors, as the end of a process does
            first.Set([new SwitchEntry(connection, PacketTarget.Drop), new SwitchEntry(redirected, redirect)]);
        _host.Arrive(new TestFrame(connection));
        _host.Arrive(new TestFrame(redirected));
        Assert.Equal((0, 1), (_host.Arrived(), _host.Departed().Count));
        Assert.Equal(2, _host.Host.Run(() => PacketSwitch.Find(SwitchPlace.Forward))!.Value.Entries.Count);

        using IPacketSwitch next = _host.Open(mechanism);
        Assert.Equal([(new SwitchEntry(connection, PacketTarget.Drop), 1), (new SwitchEntry(redirected, redirect), 1)],
            next.List().OrderBy(one => one.Entry.Target.Verdict).Select(one => (one.Entry, one.Packets)));
        _host.Arrive(new TestFrame(connection));
        Assert.Equal(0, _host.Arrived());
        Assert.True(next.Remove(connection));
        _host.Arrive(new TestFrame(connection));
        Assert.Equal(1, _host.Arrived());
        next.Set(new SwitchEntry(redirected, PacketTarget.Pass));
        _host.Arrive(new TestFrame(redirected));
        Assert.Equal((2, 0), (_host.Arrived(), _host.Departed().Count));
    }

    [Theory]
    [MemberData(nameof(SwitchHost.Mechanisms), MemberType = typeof(SwitchHost))]
    public void Taken_out_it_leaves_nothing(string mechanism)
    {
        string before = _host.Host.Nft("list ruleset");
        using (IPacketSwitch opened = _host.Open(mechanism))
        {
            opened.Set(new SwitchEntry(SwitchHost.Connection(ipv6: false), PacketTarget.Drop));
            _host.Uninstall(opened);
            _host.Arrive(new TestFrame(SwitchHost.Connection(ipv6: false)));
            Assert.Equal(1, _host.Arrived());
        }

        AssertNothingLeft(before, arrived: 1);
        _host.Open(mechanism).Dispose();
        _host.Host.Run(() => Uninstall(SwitchPlace.Forward));
        AssertNothingLeft(before, arrived: 1);
    }

    [Theory]
    [MemberData(nameof(SwitchHost.Mechanisms), MemberType = typeof(SwitchHost))]
    public void The_one_of_the_other_mechanism_goes_and_its_entries_stay(string mechanism)
    {
        SwitchChoice other = SwitchHost.Choose(mechanism) == SwitchChoice.Bpf ? SwitchChoice.Nftables : SwitchChoice.Bpf;
        SwitchHost.Choose(other.ToString());
        SwitchEntry[] entries = [.. Enumerable.Range(1, 600).Select(port => new SwitchEntry(SwitchHost.Connection(port % 2 == 0, port), PacketTarget.Drop))];
        using (IPacketSwitch first = _host.Open(other.ToString()))
            first.Set(entries);
        using IPacketSwitch next = _host.Open(mechanism);
        Assert.Equal(entries.ToHashSet(), next.List().Select(one => one.Entry).ToHashSet());
        Assert.Equal(mechanism, _host.Host.Run(() => PacketSwitch.Find(SwitchPlace.Forward))!.Value.Mechanism.ToString());
        _host.Uninstall(next);
        Assert.Null(_host.Host.Run(() => PacketSwitch.Find(SwitchPlace.Forward)));
        _host.Arrive(new TestFrame(SwitchHost.Connection(ipv6: false, 1)));
        Assert.Equal(1, _host.Arrived());
    }

    [Theory]
    [MemberData(nameof(SwitchHost.Mechanisms), MemberType = typeof(SwitchHost))]
    public void An_interface_that_was_made_anew_gets_it_again(string mechanism)
    {
        FourTuple connection = SwitchHost.Connection(ipv6: false);
        using (IPacketSwitch first = _host.Open(mechanism))
            first.Set(new SwitchEntry(connection, PacketTarget.Drop));
        _host.ReplaceArrival();
        using IPacketSwitch next = _host.Open(mechanism);
        _host.Arrive(new TestFrame(connection));
        Assert.Equal((0, 1), (_host.Arrived(), Assert.Single(next.List()).Packets));
    }

    [Theory]
    [MemberData(nameof(SwitchHost.Mechanisms), MemberType = typeof(SwitchHost))]
    public void An_interface_that_is_not_wanted_any_more_is_left(string mechanism)
    {
        FourTuple connection = SwitchHost.Connection(ipv6: false);
        using (IPacketSwitch first = _host.Open(mechanism))
            first.Set(new SwitchEntry(connection, PacketTarget.Drop));
        SwitchChoice choice = SwitchHost.Choose(mechanism);
        using IPacketSwitch next = _host.Host.Run(() => PacketSwitch.Open(SwitchPlace.Forward, ["lo"], out _, choice));
        _host.Arrive(new TestFrame(connection));
        Assert.Equal((1, 0), (_host.Arrived(), Assert.Single(next.List()).Packets));
    }

    [Fact]
    public void Its_table_can_be_listed_by_who_looks_at_the_rules()
    {
        using IPacketSwitch opened = _host.Open(nameof(SwitchMechanism.Nftables));
        foreach (bool ipv6 in (bool[])[false, true])
        {
            opened.Set(
            [
                new SwitchEntry(SwitchHost.Connection(ipv6, 1), PacketTarget.Drop), new SwitchEntry(SwitchHost.Connection(ipv6, 2), PacketTarget.Hold(2)),
                new SwitchEntry(SwitchHost.Connection(ipv6, 3), PacketTarget.Redirect(2, SwitchHost.NextHop(ipv6))),
            ]);
        }

        string listing = _host.Host.Nft("list ruleset");
        TestContext.Current.TestOutputHelper!.WriteLine(listing);
        Assert.Contains("table netdev tcpcp-forward", listing, StringComparison.Ordinal);
        Assert.Contains("192.0.2.1 . 80 . 192.0.2.9 . 1 counter packets 0 bytes 0 : drop", listing, StringComparison.Ordinal);
    }

    // Whichever was there first: what goes to another host is not held here.
    [Theory]
    [InlineData(nameof(SwitchMechanism.Bpf), true)]
    [InlineData(nameof(SwitchMechanism.Bpf), false)]
    [InlineData(nameof(SwitchMechanism.Nftables), true)]
    [InlineData(nameof(SwitchMechanism.Nftables), false)]
    public void Forwarding_comes_before_holding(string mechanism, bool forwardFirst)
    {
        FourTuple connection = SwitchHost.Connection(ipv6: false);
        using IPacketSwitch one = _host.Open(mechanism, forwardFirst ? SwitchPlace.Forward : SwitchPlace.Hold);
        using IPacketSwitch two = _host.Open(mechanism, forwardFirst ? SwitchPlace.Hold : SwitchPlace.Forward);
        (IPacketSwitch forward, IPacketSwitch hold) = forwardFirst ? (one, two) : (two, one);
        hold.Set(new SwitchEntry(connection, PacketTarget.Drop));
        forward.Set(new SwitchEntry(connection, PacketTarget.Redirect(_host.DepartureLink.Index, SwitchHost.NextHop(ipv6: false))));
        _host.Arrive(new TestFrame(connection));
        Assert.Equal((1, 0), (_host.Departed().Count, Assert.Single(hold.List()).Packets));
        forward.Remove(connection);
        _host.Arrive(new TestFrame(connection));
        Assert.Equal((0, 1, 0), (_host.Departed().Count, Assert.Single(hold.List()).Packets, _host.Arrived()));
    }

    [Theory]
    [MemberData(nameof(SwitchHost.Mechanisms), MemberType = typeof(SwitchHost))]
    public void Programs_and_rules_of_others_are_not_touched(string mechanism)
    {
        SwitchHost.Choose(nameof(SwitchMechanism.Bpf));
        FourTuple seen = SwitchHost.Connection(ipv6: false, 1), dropped = SwitchHost.Connection(ipv6: false, 2);
        _host.Host.Nft(ForeignTable);
        string before = _host.Host.Nft("list table netdev foreign");
        using BpfHashMap<BpfConnection, BpfTarget> map = BpfHashMap<BpfConnection, BpfTarget>.Create("foreign", 16);
        foreach (FourTuple connection in (FourTuple[])[seen, dropped])
            map.Set(BpfConnection.Of(connection), BpfTarget.Of(PacketTarget.Pass));
        using BpfProgram program = BpfProgram.Load(BpfProgramKind.TcxIngress, "foreign", BpfPacketSwitch.Program.Link(_ => (int)map.Handle.DangerousGetHandle()));
        using TcxLink foreign = _host.Host.Run(() => TcxLink.Attach(program, _host.Arrival.Index, before: null));

        using (IPacketSwitch opened = _host.Open(mechanism))
        {
            opened.Set([new SwitchEntry(seen, PacketTarget.Pass), new SwitchEntry(dropped, PacketTarget.Drop)]);
            foreach (FourTuple connection in (FourTuple[])[seen, dropped])
                _host.Arrive(new TestFrame(connection));
            Assert.Equal(1, PacketsOf(seen)); // it goes on behind ours
            _host.Uninstall(opened);
        }

        Assert.Equal(_host.Arrival.Index, foreign.Interface);
        _host.Arrive(new TestFrame(dropped));
        Assert.Equal(mechanism == nameof(SwitchMechanism.Bpf) ? 1 : 2, PacketsOf(dropped)); // BPF comes before nftables
        Assert.Equal(before.Split("packets")[0], _host.Host.Nft("list table netdev foreign").Split("packets")[0]);
        Assert.Contains($"packets {(mechanism == nameof(SwitchMechanism.Bpf) ? 2 : 3)} ", _host.Host.Nft("list table netdev foreign"), StringComparison.Ordinal);

        long PacketsOf(FourTuple connection) => map.List().Single(element => element.Key.ToFourTuple() == connection).Value.Packets;
    }

    [Fact]
    public void Where_BPF_is_not_to_be_had_nftables_takes_its_place_and_the_reason_is_told()
    {
        string? obstacle = null;
        // Like in a container: no BPF file system is mounted.
        _host.Host.Run(() =>
        {
            Tcpcp.Linux.Namespaces.MountSystemCalls.Detach("/sys/fs/bpf");
            return true;
        });
        using IPacketSwitch opened = _host.Host.Run(() => PacketSwitch.Open(SwitchPlace.Forward, [SwitchHost.ArrivalName], out obstacle));
        Assert.Equal(SwitchMechanism.Nftables, opened.Mechanism);
        Assert.Contains("mount -t bpf bpf /sys/fs/bpf", obstacle, StringComparison.Ordinal);
        Assert.Throws<IOException>(() => _host.Host.Run(() => PacketSwitch.Open(SwitchPlace.Hold, [SwitchHost.ArrivalName], out _, SwitchChoice.Bpf)));
    }

    private static bool Uninstall(SwitchPlace place)
    {
        PacketSwitch.Uninstall(place);
        return true;
    }

    private void AssertNothingLeft(string ruleset, long arrived)
    {
        Assert.Empty(_host.Pins());
        Assert.Null(_host.Host.Run(() => PacketSwitch.Find(SwitchPlace.Forward)));
        Assert.Equal(ruleset.Replace("packets 0 bytes 0", "", StringComparison.Ordinal),
            _host.Host.Nft("list ruleset").Replace($"packets {arrived} bytes 60", "", StringComparison.Ordinal));
    }
}
