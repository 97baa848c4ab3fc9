using System.Net;
using System.Text.Json;
using Tcpcp.Agent.Gateways;
using Tcpcp.Agent.Link;
using Tcpcp.Agent.Redirection;
using Tcpcp.Core;
using Tcpcp.Linux.Switching;

namespace Tcpcp.EndToEnd.Tests.Agents;

/// <summary>Connections whose packets a gateway sends to their hosts, which answer the peer directly.</summary>
public sealed class GatewayTests(LabCertificates certificates)
{
    public static TheoryData<bool> Families => [false, true];

    [Theory, MemberData(nameof(Families))]
    public async Task A_connection_goes_there_and_back(bool ipv6)
    {
        await using RedirectedLab lab = await RedirectedLab.StartWithGatewayAsync(certificates, ipv6);
        EchoConversation conversation = await lab.ConverseAsync();
        LabAgent first = lab.OwnerOf(conversation);
        LabAgent second = lab.OtherThan(first);
        await RedirectedLab.PassAsync(conversation, first, second);
        await conversation.ProgressAsync(500_000);
        await RedirectedLab.PassAsync(conversation, second, lab.OtherThan(first, second));
        await conversation.ProgressAsync(500_000);
        await RedirectedLab.PassAsync(conversation, lab.OwnerOf(conversation), first);
        await lab.FinishAsync();
        await Eventually.True(() => Entries(lab).Count == 0);
    }

    [Theory, MemberData(nameof(Families))]
    public async Task What_the_destination_refuses_after_the_divert_goes_on_at_the_origin(bool ipv6)
    {
        await using RedirectedLab lab = await RedirectedLab.StartWithGatewayAsync(certificates, ipv6);
        EchoConversation conversation = await lab.ConverseAsync();
        LabAgent first = lab.OwnerOf(conversation);
        LabAgent second = lab.OtherThan(first);
        lab.EchoOf(second).Objection = "not now";
        JsonElement report = Assert.Single(await first.JsonAsync(1, "pass", $"{conversation.Connection}", "--to", second.Name));
        Assert.Equal("RefusedByApplication", report.GetProperty("failure").GetString());
        GatewayEntry entry = Assert.Single(Entries(lab));
        Assert.Equal(3UL, entry.Number); // the undo of the first pass
        await conversation.ProgressAsync(500_000);

        lab.EchoOf(second).Objection = null;
        await RedirectedLab.PassAsync(conversation, first, second);
        await lab.FinishAsync();
    }

    [Theory, MemberData(nameof(Families))]
    public async Task Without_the_gateways_agent_nothing_is_passed_and_nothing_changes(bool ipv6)
    {
        await using RedirectedLab lab = await RedirectedLab.StartWithGatewayAsync(certificates, ipv6, one =>
        {
            foreach (LabAgent agent in one.Agents)
                agent.Configuration["bounds"]!["answer"] = "1s";
        });
        EchoConversation conversation = await lab.ConverseAsync();
        LabAgent first = lab.OwnerOf(conversation);
        await lab.Redirector!.KillAsync();
        JsonElement report = Assert.Single(await first.JsonAsync(1, "pass", $"{conversation.Connection}", "--to", lab.OtherThan(first).Name));
        Assert.Equal("RedirectionFailed", report.GetProperty("failure").GetString());
        Assert.Contains(LabAgent.NameGateway, report.GetProperty("detail").GetString(), StringComparison.Ordinal);
        Assert.DoesNotContain("Offered", first.Log, StringComparison.Ordinal);
        await conversation.ProgressAsync(200_000);
        await lab.FinishAsync();
    }

    [Fact]
    public async Task The_origins_gate_stays_closed_until_the_gateway_has_acknowledged_the_end_of_the_pass()
    {
        await using RedirectedLab lab = await RedirectedLab.StartWithGatewayAsync(certificates, ipv6: false, one =>
        {
            foreach (LabAgent agent in one.Agents)
                agent.Configuration["bounds"]!["answer"] = "2s";
        });
        EchoConversation conversation = await lab.ConverseAsync();
        LabAgent first = lab.OwnerOf(conversation);
        LabAgent second = lab.OtherThan(first);
        lab.EchoOf(second).Examining = () => lab.Redirector!.KillAsync(); // it has diverted
        await RedirectedLab.PassAsync(conversation, first, second);
        await conversation.ProgressAsync(200_000);
        Assert.Equal(1, first.ClosedGates);
        lab.EchoOf(second).Examining = null;
        await lab.Redirector!.StartAsync();
        await Eventually.True(() => first.ClosedGates == 0);
        await RedirectedLab.PassAsync(conversation, second, first);
        await lab.FinishAsync();
    }

    [Theory, MemberData(nameof(Families))]
    public async Task When_an_owner_has_booted_it_tells_the_peers_that_their_connections_are_no_more(bool ipv6)
    {
        await using RedirectedLab lab = await RedirectedLab.StartWithGatewayAsync(certificates, ipv6);
        EchoConversation placed = await lab.ConverseAsync();
        LabAgent owner = lab.OwnerOf(placed);
        EchoConversation passed;
        LabAgent first;
        do
        {
            passed = await lab.ConverseAsync();
            first = lab.OwnerOf(passed);
        }
        while (first == owner);
        await RedirectedLab.PassAsync(passed, first, owner);
        await lab.RebootAsync(owner);
        await owner.StartAsync();
        await placed.EndedAsync();
        await passed.EndedAsync();
    }

    [Fact]
    public async Task An_undo_is_repeated_until_the_gateway_acknowledges_it()
    {
        await using RedirectedLab lab = await RedirectedLab.StartWithGatewayAsync(certificates, ipv6: false);
        EchoConversation conversation = await lab.ConverseAsync();
        LabAgent first = lab.OwnerOf(conversation);
        LabAgent second = lab.OtherThan(first);
        TaskCompletionSource killed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        lab.EchoOf(second).Examining = async () =>
        {
            await lab.Redirector!.KillAsync();
            killed.SetResult();
        };
        lab.EchoOf(second).Objection = "not now";
        Task<IReadOnlyList<JsonElement>> pass = first.JsonAsync(1, "pass", $"{conversation.Connection}", "--to", second.Name);
        await killed.Task.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        await lab.Redirector!.StartAsync();
        Assert.Equal("RefusedByApplication", Assert.Single(await pass).GetProperty("failure").GetString());
        Assert.Equal(3UL, Assert.Single(Entries(lab)).Number);
        await lab.FinishAsync();
    }

    [Theory, MemberData(nameof(Families))]
    public async Task A_gateway_that_is_killed_goes_on_and_the_next_agent_knows_all(bool ipv6)
    {
        await using RedirectedLab lab = await RedirectedLab.StartWithGatewayAsync(certificates, ipv6);
        EchoConversation passed = await lab.ConverseAsync();
        EchoConversation other = await lab.ConverseAsync();
        LabAgent first = lab.OwnerOf(passed);
        await RedirectedLab.PassAsync(passed, first, lab.OtherThan(first));
        Guid incarnation = Incarnation(lab);
        await lab.Redirector!.KillAsync();
        await passed.ProgressAsync(200_000);
        await other.ProgressAsync(200_000);
        EchoConversation meanwhile = await lab.ConverseAsync();

        await lab.Redirector.StartAsync();
        Assert.Equal(incarnation, Incarnation(lab));
        Assert.Equal(2UL, Assert.Single(Entries(lab)).Number);
        await RedirectedLab.PassAsync(passed, lab.OwnerOf(passed), first);
        await meanwhile.ProgressAsync(100_000);
        await lab.FinishAsync();
    }

    [Theory, MemberData(nameof(Families))]
    public async Task A_gateway_whose_program_is_taken_away_is_silent_until_the_next_agent_has_learnt_all(bool ipv6)
    {
        await using RedirectedLab lab = await RedirectedLab.StartWithGatewayAsync(certificates, ipv6);
        EchoConversation passed = await lab.ConverseAsync();
        EchoConversation other = await lab.ConverseAsync();
        LabAgent first = lab.OwnerOf(passed);
        await RedirectedLab.PassAsync(passed, first, lab.OtherThan(first));
        Guid incarnation = Incarnation(lab);
        await lab.Redirector!.KillAsync();
        lab.Third.Run(GatewaySwitch.Uninstall); // its address is there still
        long sent = passed.Sent;
        await Eventually.True(() => passed.Sent > sent || passed.Sent - passed.Received > 100_000); // what comes meets no program
        await lab.Redirector.StartAsync();
        Assert.NotEqual(incarnation, Incarnation(lab));
        await passed.ProgressAsync(200_000);
        await other.ProgressAsync(200_000);
        await RedirectedLab.PassAsync(passed, lab.OwnerOf(passed), first);
        await lab.FinishAsync();
    }

    [Theory, MemberData(nameof(Families))]
    public async Task A_gateway_that_has_lost_everything_learns_it_from_the_hosts(bool ipv6)
    {
        await using RedirectedLab lab = await RedirectedLab.StartWithGatewayAsync(certificates, ipv6);
        EchoConversation passed = await lab.ConverseAsync();
        EchoConversation other = await lab.ConverseAsync();
        LabAgent first = lab.OwnerOf(passed);
        await RedirectedLab.PassAsync(passed, first, lab.OtherThan(first));
        await lab.RebootThirdAsync();
        await passed.ProgressAsync(200_000);
        await other.ProgressAsync(200_000);
        await lab.UntilSettledAsync();
        Assert.Equal(2UL, Entries(lab).Single(entry => entry.Connection == passed.Connection).Number);
        await passed.ProgressAsync(200_000);
        await RedirectedLab.PassAsync(passed, lab.OwnerOf(passed), first);
        await lab.FinishAsync();
    }

    [Fact]
    public async Task As_long_as_a_host_is_silent_what_nobody_has_named_is_dropped_and_what_opens_is_placed()
    {
        await using RedirectedLab lab = await RedirectedLab.StartWithGatewayAsync(certificates, ipv6: false);
        List<EchoConversation> conversations = [];
        LabAgent? silent = null;
        while (silent is null)
        {
            conversations.Add(await lab.ConverseAsync(100_000));
            silent = lab.Agents.FirstOrDefault(agent => conversations.Any(one => agent.Owns(one.Connection)) && conversations.Any(one => !agent.Owns(one.Connection)));
        }

        EchoConversation dropped = conversations.First(one => silent.Owns(one.Connection));
        EchoConversation named = conversations.First(one => !silent.Owns(one.Connection));
        await silent.KillAsync();
        await lab.RebootThirdAsync();
        await named.ProgressAsync(50_000);
        EchoConversation opened = await lab.ConverseAsync(100_000);
        await opened.ProgressAsync(20_000);
        Assert.DoesNotContain("All backends have named", lab.Redirector!.Log, StringComparison.Ordinal);
        Assert.DoesNotContain(Entries(lab), entry => entry.Connection == dropped.Connection);

        await silent.StartAsync(); // its echo server has lived on
        await dropped.ProgressAsync(20_000);
        await lab.UntilSettledAsync();
        await Task.WhenAll(conversations.Append(opened).Select(one => one.ProgressAsync(20_000)));
    }

    [Theory, MemberData(nameof(Families))]
    public async Task What_opens_goes_by_a_table_that_every_gateway_makes_alike_and_what_is_open_stays_when_it_changes(bool ipv6)
    {
        const int Count = 24;
        await using RedirectedLab lab = await RedirectedLab.StartWithGatewayAsync(certificates, ipv6);
        int[] table = PlacementTable.Make([.. lab.Agents.Select(agent => agent.Name)], GatewaySwitch.Slots);
        EchoConversation[] before = await Task.WhenAll(Enumerable.Range(0, Count).Select(_ => lab.ConverseAsync(50_000)));
        Assert.All(before, one => Assert.True(lab.Agents[table[GatewaySwitch.SlotOf(one.Connection)]].Owns(one.Connection)));
        Assert.All(lab.Agents, agent => Assert.Contains(before, one => agent.Owns(one.Connection)));

        LabAgent leaving = lab.Agents[2];
        await lab.Redirector!.StopAsync();
        int said = lab.Redirector.Log.Length;
        lab.Redirector.Configuration["gateway"]!["backends"]![leaving.Name]!["draining"] = true;
        await lab.Redirector.StartAsync();
        EchoConversation[] after = await Task.WhenAll(Enumerable.Range(0, Count).Select(_ => lab.ConverseAsync(50_000)));
        await Eventually.True(() => lab.Redirector.Log[said..].Contains("All backends have named", StringComparison.Ordinal));
        await Task.WhenAll(before.Concat(after).Select(one => one.ProgressAsync(20_000)));
        Assert.DoesNotContain(after, one => leaving.Owns(one.Connection));
        int left = before.Count(one => leaving.Owns(one.Connection));

        IReadOnlyList<JsonElement> reports = await leaving.JsonAsync(0, "drain", "--to", lab.Agents[0].Name);
        Assert.Equal(left, reports.Count);
        await lab.FinishAsync();
    }

    [Fact]
    public async Task Late_and_foreign_orders_change_nothing()
    {
        await using RedirectedLab lab = await RedirectedLab.StartWithGatewayAsync(certificates, ipv6: false);
        await LabCertificates.MakeAsync("host", "host-x", "--authority", certificates.AuthorityDirectory, "--out", Path.Combine(lab.DirectoryPath, "host-x"));
        EchoConversation conversation = await lab.ConverseAsync();
        LabAgent first = lab.OwnerOf(conversation);
        LabAgent second = lab.OtherThan(first);
        LabAgent third = lab.OtherThan(first, second);
        await RedirectedLab.PassAsync(conversation, first, second);

        using HostRelay relay = HostRelay.Start(first.Host, new IPEndPoint(lab.Third.IPv4, 7300));
        using DestinationChannel origin = ChannelBy(relay, certificates.FileOf(first.Name), certificates.KeyOf(first.Name));
        using DestinationChannel bystander = ChannelBy(relay, certificates.FileOf(third.Name), certificates.KeyOf(third.Name));
        using DestinationChannel stranger = ChannelBy(
            relay, Path.Combine(lab.DirectoryPath, "host-x", "host-x.pem"), Path.Combine(lab.DirectoryPath, "host-x", "host-x.key"));
        GatewayEntry entry = Assert.Single(Entries(lab));
        Assert.Equal(2UL, await origin.RedirectAsync(Order(conversation, first, 1), TestContext.Current.CancellationToken)); // stale
        Assert.Equal(2UL, await origin.RedirectAsync(Order(conversation, first, 2), TestContext.Current.CancellationToken)); // its own, to elsewhere
        Assert.Contains("PermissionDenied", await FaultAsync(origin, Order(conversation, first, 4)), StringComparison.Ordinal); // it does not own it any more
        Assert.Contains("PermissionDenied", await FaultAsync(bystander, Order(conversation, third, 4)), StringComparison.Ordinal);
        Assert.Contains("PermissionDenied", await FaultAsync(stranger, Order(conversation, first, 1)), StringComparison.Ordinal);
        Assert.Equal([entry], Entries(lab));
        await conversation.ProgressAsync(200_000);

        Assert.NotNull((await bystander.ExamineAsync([conversation.Connection], new OtherHost(first.Name, []), TestContext.Current.CancellationToken)).Obstacle);
        await RedirectedLab.PassAsync(conversation, second, third);
        await lab.FinishAsync();
    }

    [Fact]
    public async Task Doctor_shows_the_entries_and_what_a_host_behind_a_gateway_lacks()
    {
        await using RedirectedLab lab = await RedirectedLab.StartWithGatewayAsync(certificates, ipv6: false);
        EchoConversation conversation = await lab.ConverseAsync();
        LabAgent first = lab.OwnerOf(conversation);
        LabAgent second = lab.OtherThan(first);
        await RedirectedLab.PassAsync(conversation, first, second);
        (_, string output, _) = await InspectedHost.RunAsync(lab.Third, Command.Path, "doctor", "--json");
        JsonElement shown = Assert.Single(JsonDocument.Parse(output).RootElement.GetProperty("rules").GetProperty("switches").EnumerateArray());
        JsonElement entry = Assert.Single(shown.GetProperty("entries").EnumerateArray());
        Assert.Equal(("gateway", $"{conversation.Connection}", $"{second.Host.IPv4}"),
            (shown.GetProperty("name").GetString(), entry.GetProperty("connection").GetString(), entry.GetProperty("next_hop").GetString()));

        Assert.Equal("", await CheckAsync(second));
        second.Host.Run(() => File.WriteAllText("/proc/sys/net/ipv4/conf/all/arp_ignore", "0"));
        Assert.Contains("sysctl -w net.ipv4.conf.all.arp_ignore=1", await CheckAsync(second), StringComparison.Ordinal);
        (_, output, _) = await InspectedHost.RunAsync(second.Host, Command.Path, "doctor", "--json");
        Assert.Contains(JsonDocument.Parse(output).RootElement.GetProperty("features").EnumerateArray(), feature =>
            feature.GetProperty("name").GetString() == "quiet service addresses" && feature.GetProperty("status").GetString() == "missing");
        second.Host.Network.Addresses.Remove(second.Host.Network.Links.Get("lo").Index, Linux.Netlink.InterfaceAddress.Single(lab.Service));
        Assert.Contains("ip address add", await CheckAsync(second), StringComparison.Ordinal);
    }

    private static async Task<string> CheckAsync(LabAgent agent)
    {
        (int exitCode, _, string error) = await InspectedHost.RunAsync(agent.Host, Command.Path, "agent", "--check", "--config", agent.ConfigurationFile);
        Assert.Equal(0, exitCode);
        return error;
    }

    private static RedirectOrder Order(EchoConversation conversation, LabAgent to, ulong number) =>
        new([conversation.Connection], new OtherHost("", []), new OtherHost(to.Name, []), number);

    private static async Task<string> FaultAsync(DestinationChannel channel, RedirectOrder order) =>
        (await Assert.ThrowsAsync<LinkException>(() => channel.RedirectAsync(order, TestContext.Current.CancellationToken))).Message;

    private static IReadOnlyList<GatewayEntry> Entries(RedirectedLab lab) =>
        lab.Third.Run(() => (IReadOnlyList<GatewayEntry>)[.. (GatewaySwitch.Read() ?? []).Select(one => one.Entry)]);

    private static Guid Incarnation(RedirectedLab lab) => lab.Third.Run(() =>
    {
        using GatewaySwitch opened = GatewaySwitch.Open();
        Assert.False(opened.IsNew);
        return opened.Incarnation;
    });

    private DestinationChannel ChannelBy(HostRelay relay, string certificate, string key) => new(
        new DestinationAddress(LabAgent.NameGateway, relay.EndPoint), null, AgentCredentials.Open(new CertificateFiles(certificate, key, certificates.Authority), _ => { }), _ => { });
}
