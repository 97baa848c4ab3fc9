using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using Tcpcp.Agent.Link;
using Tcpcp.Agent.PeerRoutes;
using Tcpcp.Agent.Redirection;

namespace Tcpcp.EndToEnd.Tests.Agents;

/// <summary>Connections whose service address the peer routes from host to host, by an agent of its own.</summary>
public sealed class PeerRouteTests(LabCertificates certificates)
{
    public static TheoryData<bool> Families => [false, true];

    [Theory, MemberData(nameof(Families))]
    public async Task A_connection_goes_there_and_back_and_the_next_one_too(bool ipv6)
    {
        await using RedirectedLab lab = await StartAsync(ipv6);
        (LabAgent a, LabAgent b) = (lab.Agents[0], lab.Agents[1]);
        EchoConversation conversation = await lab.ConverseAsync();
        Assert.Same(a, lab.OwnerOf(conversation));
        await RedirectedLab.PassAsync(conversation, a, b);
        Assert.Equal([lab.AddressOf(b.Host)], NextHops(lab));
        await conversation.ProgressAsync(500_000);
        await RedirectedLab.PassAsync(conversation, b, lab.Agents[2]);
        await conversation.ProgressAsync(500_000);
        await RedirectedLab.PassAsync(conversation, lab.Agents[2], a);
        await conversation.ProgressAsync(500_000);
        await conversation.FinishAsync();

        // The address has been moved more often than this one was passed.
        EchoConversation next = await lab.ConverseAsync();
        await RedirectedLab.PassAsync(next, a, b);
        await next.ProgressAsync(200_000);
        await RedirectedLab.PassAsync(next, b, a);
        await lab.FinishAsync(next);
    }

    [Theory, MemberData(nameof(Families))]
    public async Task What_the_destination_refuses_after_the_divert_goes_on_at_the_origin(bool ipv6)
    {
        await using RedirectedLab lab = await StartAsync(ipv6);
        (LabAgent a, LabAgent b) = (lab.Agents[0], lab.Agents[1]);
        EchoConversation conversation = await lab.ConverseAsync();
        lab.EchoOf(b).Objection = "not now";
        JsonElement report = Assert.Single(await a.JsonAsync(1, "pass", $"{conversation.Connection}", "--to", b.Name));
        Assert.Equal("RefusedByApplication", report.GetProperty("failure").GetString());
        Assert.Equal([lab.AddressOf(a.Host)], NextHops(lab));
        await conversation.ProgressAsync(500_000);
        lab.EchoOf(b).Objection = null;
        await RedirectedLab.PassAsync(conversation, a, b);
        await lab.FinishAsync();
    }

    [Theory, MemberData(nameof(Families))]
    public async Task Others_with_the_address_and_an_agent_that_is_not_there_are_obstacles(bool ipv6)
    {
        await using RedirectedLab lab = await StartAsync(ipv6, one => one.Agents[0].Configuration["bounds"]!["answer"] = "1s");
        (LabAgent a, LabAgent b) = (lab.Agents[0], lab.Agents[1]);
        EchoConversation conversation = await lab.ConverseAsync();
        EchoConversation other = await lab.ConverseAsync();
        Assert.Contains("1 other connections have the address", await FailAsync(a, conversation, b), StringComparison.Ordinal);
        await other.FinishAsync();
        await lab.Redirector!.KillAsync();
        await Eventually.True(() => a.StateOf(other.Connection) is null);
        Assert.Contains(LabAgent.NameGateway, await FailAsync(a, conversation, b), StringComparison.Ordinal);
        Assert.DoesNotContain("Offered", a.Log, StringComparison.Ordinal);
        Assert.Empty(NextHops(lab));
        await lab.FinishAsync(conversation);
    }

    [Theory, MemberData(nameof(Families))]
    public async Task An_agent_that_is_killed_leaves_the_route_and_the_next_one_knows_its_number(bool ipv6)
    {
        await using RedirectedLab lab = await StartAsync(ipv6);
        (LabAgent a, LabAgent b) = (lab.Agents[0], lab.Agents[1]);
        EchoConversation conversation = await lab.ConverseAsync();
        await RedirectedLab.PassAsync(conversation, a, b);
        await lab.Redirector!.KillAsync();
        await conversation.ProgressAsync(200_000);
        await lab.Redirector.StartAsync();
        using HostRelay relay = HostRelay.Start(a.Host, new IPEndPoint(lab.Peer.IPv4, 7300));
        using DestinationChannel origin = ChannelBy(relay, certificates.FileOf(a.Name), certificates.KeyOf(a.Name));
        Assert.Equal(2UL, await origin.RedirectAsync(Order(conversation, a, 1), TestContext.Current.CancellationToken)); // stale
        Assert.Contains("PermissionDenied", await FaultAsync(origin, Order(conversation, a, 4)), StringComparison.Ordinal); // it does not own it any more
        Assert.Equal([lab.AddressOf(b.Host)], NextHops(lab));
        (_, string output, _) = await InspectedHost.RunAsync(lab.Peer, Command.Path, "doctor", "--json");
        JsonElement shown = Assert.Single(JsonDocument.Parse(output).RootElement.GetProperty("rules").GetProperty("routes").EnumerateArray());
        Assert.Equal(($"{lab.Service}", $"{lab.AddressOf(b.Host)}"), (shown.GetProperty("address").GetString(), shown.GetProperty("next_hop").GetString()));
        await RedirectedLab.PassAsync(conversation, b, a);
        await lab.FinishAsync();
    }

    [Fact]
    public async Task Who_may_not_move_the_address_moves_nothing()
    {
        await using RedirectedLab lab = await StartAsync(ipv6: false, one =>
            one.Redirector!.Configuration["peer-route"]!["hosts"]![LabAgent.NameC]!["addresses"] = new JsonArray("10.0.0.101"));
        await LabCertificates.MakeAsync("host", "host-x", "--authority", certificates.AuthorityDirectory, "--out", Path.Combine(lab.DirectoryPath, "host-x"));
        EchoConversation conversation = await lab.ConverseAsync();
        LabAgent c = lab.Agents[2];
        using HostRelay relay = HostRelay.Start(c.Host, new IPEndPoint(lab.Peer.IPv4, 7300));
        using DestinationChannel other = ChannelBy(relay, certificates.FileOf(c.Name), certificates.KeyOf(c.Name));
        using DestinationChannel stranger = ChannelBy(
            relay, Path.Combine(lab.DirectoryPath, "host-x", "host-x.pem"), Path.Combine(lab.DirectoryPath, "host-x", "host-x.key"));
        Assert.Contains("PermissionDenied", await FaultAsync(other, Order(conversation, lab.Agents[1], 2)), StringComparison.Ordinal);
        Assert.Contains("PermissionDenied", await FaultAsync(stranger, Order(conversation, lab.Agents[1], 2)), StringComparison.Ordinal);
        Assert.Contains("may not have", await FailAsync(lab.Agents[0], conversation, c), StringComparison.Ordinal);
        Assert.Empty(NextHops(lab));
        await lab.FinishAsync();
    }

    private Task<RedirectedLab> StartAsync(bool ipv6, Action<RedirectedLab>? configure = null) => RedirectedLab.StartRoutedAsync(certificates, ipv6, "peer-route", lab =>
    {
        lab.UseRedirector(LabAgent.CreateRedirector(lab.Peer, LabAgent.NameGateway, "peer-route", new JsonObject
        {
            ["hosts"] = new JsonObject(lab.Agents.Select(agent => KeyValuePair.Create<string, JsonNode?>(agent.Name, new JsonObject
            {
                ["next-hops"] = new JsonArray($"{agent.Host.IPv4}", $"{agent.Host.IPv6}"), ["addresses"] = new JsonArray($"{lab.Service}"),
            }))),
        }, lab.DirectoryPath, certificates));
        lab.Redirector!.Configuration["journal"] = lab.Redirector.JournalDirectory;
        configure?.Invoke(lab);
    });

    private static async Task<string?> FailAsync(LabAgent from, EchoConversation conversation, LabAgent to)
    {
        JsonElement report = Assert.Single(await from.JsonAsync(1, "pass", $"{conversation.Connection}", "--to", to.Name));
        Assert.Equal(("RedirectionFailed", "Origin"), (report.GetProperty("failure").GetString(), report.GetProperty("owner").GetString()));
        return report.GetProperty("detail").GetString();
    }

    private static RedirectOrder Order(EchoConversation conversation, LabAgent to, ulong number) =>
        new([conversation.Connection], new OtherHost("", []), new OtherHost(to.Name, []), number);

    private static async Task<string> FaultAsync(DestinationChannel channel, RedirectOrder order) =>
        (await Assert.ThrowsAsync<LinkException>(() => channel.RedirectAsync(order, TestContext.Current.CancellationToken))).Message;

    private static IReadOnlyList<IPAddress?> NextHops(RedirectedLab lab) =>
        [.. lab.Peer.Network.Routes.List().Where(route => route.Protocol == RouteSwitchboard.Protocol).Select(route => route.Gateway)];

    private DestinationChannel ChannelBy(HostRelay relay, string certificate, string key) => new(
        new DestinationAddress(LabAgent.NameGateway, relay.EndPoint), null, AgentCredentials.Open(new CertificateFiles(certificate, key, certificates.Authority), _ => { }), _ => { });
}
