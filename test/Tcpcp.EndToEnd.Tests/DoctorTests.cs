using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Tcpcp.Agent.Hold;
using Tcpcp.Agent.Redirection;
using Tcpcp.Core;
using Tcpcp.Lab;
using Tcpcp.Linux.Devices;
using Tcpcp.Linux.Namespaces;
using Tcpcp.Linux.Netlink;
using Tcpcp.Linux.Nftables;
using Tcpcp.Linux.Switching;

namespace Tcpcp.EndToEnd.Tests;

public sealed class DoctorTests : IAsyncLifetime
{
    private readonly InspectedHost _host = new();

    public ValueTask InitializeAsync() => _host.InitializeAsync();

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    [Fact]
    public async Task This_machine_has_all_that_is_needed()
    {
        JsonElement report = await _host.JsonAsync("doctor");
        Assert.True(report.GetProperty("ready").GetBoolean());
        Assert.False(report.GetProperty("rules").GetProperty("gate").GetBoolean());
        (int exitCode, string output, _) = await _host.RunAsync("doctor");
        Assert.Equal(0, exitCode);
        Assert.Contains("This host can pass connections.", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Settings_that_forwarding_suffers_from_are_named_with_what_mends_them()
    {
        _host.Host.Run(() =>
        {
            Sysctl.Write("net/ipv4/ip_forward", "1");
            Sysctl.Write("net/ipv4/conf/all/rp_filter", "0");
            Sysctl.Write("net/ipv4/conf/eth0/rp_filter", "1");
        });
        Assert.Equal(["net.ipv4.ip_forward", "net.ipv4.conf.eth0.rp_filter"], await FaultsAsync());
        (_, string output, _) = await _host.RunAsync("doctor");
        string text = string.Join(' ', output.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)); // lines are broken
        Assert.Contains("sysctl -w net.ipv4.ip_forward=0", text, StringComparison.Ordinal);
        Assert.Contains("sysctl -w net.ipv4.conf.eth0.rp_filter=2", text, StringComparison.Ordinal);
        _host.Host.Run(() =>
        {
            Sysctl.Write("net/ipv4/ip_forward", "0");
            Sysctl.Write("net/ipv4/conf/eth0/rp_filter", "2");
        });
        Assert.Empty(await FaultsAsync());

        async Task<string?[]> FaultsAsync() => [.. (await _host.JsonAsync("doctor")).GetProperty("forwarding").EnumerateArray()
            .Where(setting => !setting.GetProperty("fits").GetBoolean()).Select(setting => setting.GetProperty("name").GetString())];
    }

    [Fact]
    public async Task A_stop_of_new_connections_that_a_dead_agent_has_left_is_named_and_cleaned()
    {
        _host.Host.Run(() => NewConnectionStop.Begin(IPAddress.Parse("10.0.0.100")));
        Assert.True((await _host.JsonAsync("doctor")).GetProperty("rules").GetProperty("stop_leaked").GetBoolean());
        JsonElement cleaned = await _host.JsonAsync("doctor", "--clean");
        Assert.False(cleaned.GetProperty("rules").GetProperty("stop_leaked").GetBoolean());
        Assert.False(_host.Host.Run(NewConnectionStop.IsThere));
    }

    [Fact]
    public async Task Without_CAP_NET_ADMIN_it_fails_and_says_so()
    {
        string setpriv = "/usr/bin/setpriv";
        Assert.SkipUnless(File.Exists(setpriv), "setpriv is not installed: apt-get install util-linux");
        (int exitCode, string output, string error) = await InspectedHost.RunAsync(
            _host.Host, setpriv, "--bounding-set=-net_admin", "--inh-caps=-net_admin", Command.Path, "doctor", "--clean", "--json");
        Assert.Equal(1, exitCode);
        JsonElement report = JsonDocument.Parse(output).RootElement;
        Assert.False(report.GetProperty("ready").GetBoolean());
        Assert.Contains("nothing was cleaned", error, StringComparison.Ordinal);
        JsonElement repair = report.GetProperty("features").EnumerateArray().Single(feature => feature.GetProperty("name").GetString() == "TCP_REPAIR");
        Assert.Equal("not_permitted", repair.GetProperty("status").GetString());
        Assert.NotEqual("", repair.GetProperty("advice").GetString());
    }

    [Fact]
    public async Task A_leaked_entry_is_cleaned_and_that_of_a_frozen_connection_stays()
    {
        (Socket leakedClient, Socket leaked) = _host.Connect();
        (Socket client, Socket server) = _host.Connect();
        string leakedName = InspectedHost.EndsOf(leaked).ToString();
        string frozenName = InspectedHost.EndsOf(server).ToString();
        using (leakedClient)
        using (client)
        using (server)
        {
            _host.Host.Run(() => FrozenConnection.Freeze(leaked).Release()); // the entry outlives the socket: the guard against an RST
            using FrozenConnection frozen = _host.Host.Run(() => FrozenConnection.Freeze(server));
            Assert.Equal(new() { [leakedName] = "leaked", [frozenName] = "gated" }, Closed(await _host.JsonAsync("doctor")));

            JsonElement cleaned = await _host.JsonAsync("doctor", "--clean");
            Assert.Equal(new() { [frozenName] = "gated" }, Closed(cleaned));
            Assert.Contains(leakedName, Assert.Single(cleaned.GetProperty("removed").EnumerateArray()).GetString(), StringComparison.Ordinal);

            _host.Host.Run(frozen.Thaw);
            client.Send([1]);
            Assert.Equal(1, server.Receive(new byte[1]));
            cleaned = await _host.JsonAsync("doctor", "--clean");
            Assert.False(cleaned.GetProperty("rules").GetProperty("gate").GetBoolean());

            // This process believes that the gate is there still.
            using FrozenConnection again = _host.Host.Run(() => FrozenConnection.Freeze(server));
            Assert.Equal(new() { [frozenName] = "gated" }, Closed(await _host.JsonAsync("doctor", "--clean")));
        }
    }

    [Fact]
    public async Task Nothing_is_cleaned_of_the_gate_while_an_agent_runs()
    {
        (Socket client, Socket server) = _host.Connect();
        string name = InspectedHost.EndsOf(server).ToString();
        using (client)
        {
            _host.Host.Run(() => FrozenConnection.Freeze(server).Release());
            using (_host.Host.Run(() => TapDevice.Create("tcpcphold"))) // an agent's hold
                Assert.Equal(new() { [name] = "agent" }, Closed(await _host.JsonAsync("doctor", "--clean")));
            Assert.Empty(Closed(await _host.JsonAsync("doctor", "--clean")));
        }
    }

    [Fact]
    public async Task A_veth_pair_that_a_dead_agent_has_left_is_no_agent_and_is_cleaned()
    {
        using (_host.Host.Run(() => PacketHold.Prepare([Tcpcp.Lab.Host.InterfaceName], 1 << 20, device: HoldChoice.Veth)))
        {
            JsonElement running = await _host.JsonAsync("doctor", "--clean");
            Assert.Equal(("tap", "veth", true), (running.GetProperty("hold").GetString(), running.GetProperty("rules").GetProperty("hold").GetString(),
                running.GetProperty("rules").GetProperty("agent_runs").GetBoolean()));
            (_, string output, _) = await _host.RunAsync("doctor");
            Assert.Contains("Hold: the agent that runs here holds packets by a veth pair with a packet socket.", output, StringComparison.Ordinal);
        }

        _host.Host.Network.Links.CreateVeth(new VethEnd(PacketHold.DeviceName), new VethEnd("other")); // as one that was killed leaves it
        JsonElement left = (await _host.JsonAsync("doctor")).GetProperty("rules");
        Assert.Equal((false, true), (left.GetProperty("agent_runs").GetBoolean(), left.GetProperty("hold_leaked").GetBoolean()));
        Assert.False((await _host.JsonAsync("doctor", "--clean")).GetProperty("rules").GetProperty("hold_leaked").GetBoolean());
        Assert.False(_host.Host.Network.Links.TryGet(PacketHold.DeviceName, out _));
    }

    [Fact]
    public async Task Without_a_TUN_it_says_what_takes_its_place()
    {
        _host.Host.Run(() => MountSystemCalls.MountFresh("tmpfs", "/dev/net", "size=4k"));
        JsonElement report = await _host.JsonAsync("doctor");
        Assert.Equal(("veth", true), (report.GetProperty("hold").GetString(), report.GetProperty("ready").GetBoolean()));
        (_, string output, _) = await _host.RunAsync("doctor");
        Assert.Contains("held during a pass by a veth pair", string.Join(' ', output.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("bpf")]
    [InlineData("nftables")]
    public async Task The_packet_switch_of_a_hold_whose_process_is_gone_is_cleaned(string mechanism)
    {
        FourTuple held = FourTuple.Parse("192.0.2.1:80-192.0.2.9:51514"), forwarded = FourTuple.Parse("[2001:db8::1]:80-[2001:db8::9]:51514");
        _host.Host.Run(() =>
        {
            SwitchChoice choice = Enum.Parse<SwitchChoice>(mechanism, ignoreCase: true);
            using IPacketSwitch hold = PacketSwitch.Open(SwitchPlace.Hold, [Tcpcp.Lab.Host.InterfaceName], out _, choice);
            hold.Set(new SwitchEntry(held, PacketTarget.Hold(7)));
            using IPacketSwitch forward = PacketSwitch.Open(SwitchPlace.Forward, [Tcpcp.Lab.Host.InterfaceName], out _, choice);
            forward.Set(new SwitchEntry(forwarded, PacketTarget.Redirect(2, IPAddress.Parse("2001:db8::7"))));
        });
        JsonElement report = await _host.JsonAsync("doctor");
        Assert.Equal("bpf", report.GetProperty("packet_switch").GetString());
        Assert.True(report.GetProperty("rules").GetProperty("hold_leaked").GetBoolean());
        Assert.Equal([$"forward {mechanism} {forwarded} redirect 2001:db8::7", $"hold {mechanism} {held} hold "], report.GetProperty("rules").GetProperty("switches")
            .EnumerateArray().SelectMany(one => one.GetProperty("entries").EnumerateArray().Select(entry =>
                $"{one.GetProperty("name")} {one.GetProperty("mechanism")} {entry.GetProperty("connection")} {entry.GetProperty("verdict")} {entry.GetProperty("next_hop")}")));
        (_, string output, _) = await _host.RunAsync("doctor");
        Assert.Contains("Packets of single connections are switched by BPF,", output, StringComparison.Ordinal);
        Assert.Contains($"Packet switch 'forward' ({mechanism}): 1 connections, which other hosts own;", output, StringComparison.Ordinal);
        Assert.False((await _host.JsonAsync("doctor", "--clean")).GetProperty("rules").GetProperty("hold_leaked").GetBoolean());
        report = await _host.JsonAsync("doctor");
        Assert.Equal(["forward"], report.GetProperty("rules").GetProperty("switches").EnumerateArray().Select(one => one.GetProperty("name").GetString()));
        _host.Host.Run(() => PacketSwitch.Uninstall(SwitchPlace.Forward));
        Assert.Equal("", _host.Host.Run(() => LibNftables.Run("list ruleset")));
    }

    private static Dictionary<string, string> Closed(JsonElement report) => report.GetProperty("rules").GetProperty("closed").EnumerateArray()
        .ToDictionary(entry => entry.GetProperty("connection").GetString()!, entry => entry.GetProperty("use").GetString()!, StringComparer.Ordinal);
}
