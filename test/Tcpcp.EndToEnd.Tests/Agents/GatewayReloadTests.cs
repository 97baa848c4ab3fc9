using System.Text.Json;
using System.Text.Json.Nodes;
using Tcpcp.Linux.Switching;

namespace Tcpcp.EndToEnd.Tests.Agents;

/// <summary>The backends of a gateway change while it runs (SIGHUP), and hosts that it has lost for good.</summary>
public sealed class GatewayReloadTests(LabCertificates certificates)
{
    private const int Count = 18;
    private const string Settled = "All backends have named their connections";

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_opens_follows_the_new_backends_and_what_is_open_stays_where_it_is(bool ipv6)
    {
        await using RedirectedLab lab = await StartWatchfulAsync(ipv6);
        EchoConversation[] before = await ConverseAsync(lab);
        LabAgent leaving = lab.OwnerOf(before[0]), other = lab.OtherThan(leaving);
        EchoConversation[] staying = [.. before.Where(one => leaving.Owns(one.Connection))];
        JsonNode description = Backends(lab)[leaving.Name]!.DeepClone();
        Backends(lab).Remove(leaving.Name);
        await ReloadAsync(lab);
        EchoConversation[] after = await ConverseAsync(lab);
        Assert.DoesNotContain(after, one => leaving.Owns(one.Connection));
        await Task.WhenAll(before.Concat(after).Select(one => one.ProgressAsync(20_000)));
        Assert.All(staying, one => Assert.True(leaving.Owns(one.Connection)));
        Assert.Equal(staying.Select(one => $"{one.Connection}").Order(StringComparer.Ordinal), Entries(lab).Select(one => $"{one.Connection}").Order(StringComparer.Ordinal));

        // It can be drained still, and takes nothing.
        await RedirectedLab.PassAsync(staying[0], leaving, other);
        JsonElement refused = Assert.Single(await other.JsonAsync(1, "pass", $"{staying[0].Connection}", "--to", leaving.Name));
        Assert.Contains("was taken out of gateway:backends", refused.GetProperty("detail").GetString(), StringComparison.Ordinal);

        Backends(lab)[leaving.Name] = description;
        await ReloadAsync(lab);
        EchoConversation[] again = await ConverseAsync(lab);
        Assert.Contains(again, one => leaving.Owns(one.Connection));
        await lab.FinishAsync();
        await Eventually.True(() => Entries(lab).Count == 0);
    }

    [Fact]
    public async Task A_backend_that_is_down_and_taken_out_keeps_nobody_waiting()
    {
        await using RedirectedLab lab = await RedirectedLab.StartWithGatewayAsync(certificates, ipv6: false, one => one.Redirector!.Configuration["bounds"]!["answer"] = "500ms");
        EchoConversation conversation = await lab.ConverseAsync();
        LabAgent owner = lab.OwnerOf(conversation), dead = lab.OtherThan(owner);
        await dead.KillAsync();
        Backends(lab).Remove(dead.Name);
        await ReloadAsync(lab);
        await Eventually.True(() => lab.Redirector!.Log.Contains($"{dead.Name} was taken out of the backends and does not say which connections it has", StringComparison.Ordinal));
        await RedirectedLab.PassAsync(conversation, owner, lab.OtherThan(owner, dead));
        await conversation.ProgressAsync(20_000);
        EchoConversation[] after = await ConverseAsync(lab);
        Assert.DoesNotContain(after, one => dead.Owns(one.Connection));
        await dead.StartAsync();
        await lab.FinishAsync();
    }

    [Fact]
    public async Task What_cannot_change_while_it_runs_is_named_and_a_faulty_file_changes_nothing()
    {
        await using RedirectedLab lab = await RedirectedLab.StartWithGatewayAsync(certificates, ipv6: false);
        LabAgent gateway = lab.Redirector!;
        EchoConversation conversation = await lab.ConverseAsync();
        await File.WriteAllTextAsync(gateway.ConfigurationFile, "{ \"name\": ", TestContext.Current.CancellationToken);
        await HangUpAsync(gateway, "cannot be used; nothing has changed");
        gateway.Configuration["log-level"] = "information";
        gateway.Configuration["gateway"]!["connections"] = 5000;
        await WriteAsync(gateway);
        await HangUpAsync(gateway, "need a restart of the agent: gateway:connections, log-level.");

        LabAgent host = lab.OwnerOf(conversation);
        host.Configuration["limits"] = new JsonObject { ["frozen"] = 7 };
        await WriteAsync(host);
        await HangUpAsync(host, "need a restart of the agent: limits:frozen.");
        await RedirectedLab.PassAsync(conversation, host, lab.OtherThan(host));
        await lab.FinishAsync();
    }

    [Fact]
    public async Task The_entry_of_a_connection_whose_origin_died_for_good_during_its_pass_goes_with_the_connection()
    {
        await using RedirectedLab lab = await StartWatchfulAsync();
        EchoConversation conversation = await lab.ConverseAsync();
        LabAgent origin = lab.OwnerOf(conversation), destination = lab.OtherThan(origin);
        await DieDuringPassAsync(lab, conversation, origin, destination);
        await conversation.ProgressAsync(100_000);
        await Eventually.True(() => lab.Redirector!.Log.Contains("1 passes are over whose origin has not said so", StringComparison.Ordinal));
        GatewayEntry entry = Assert.Single(Entries(lab));
        Assert.Equal((entry.Backend, 2UL), (entry.Orderer, entry.Number));
        await conversation.ProgressAsync(100_000);
        await conversation.FinishAsync();
        await Eventually.True(() => Entries(lab).Count == 0);
    }

    [Fact]
    public async Task The_entry_of_a_refused_connection_whose_origin_is_dead_is_named_and_goes_when_the_origin_is_taken_out()
    {
        await using RedirectedLab lab = await StartWatchfulAsync();
        EchoConversation conversation = await lab.ConverseAsync();
        LabAgent origin = lab.OwnerOf(conversation), destination = lab.OtherThan(origin);
        lab.EchoOf(destination).Objection = "not now";
        await DieDuringPassAsync(lab, conversation, origin, destination);
        await Eventually.True(() => lab.Redirector!.Log.Contains($"{conversation.Connection}: {origin.Name} has begun a pass to {destination.Name} and does not end it.", StringComparison.Ordinal));
        Assert.Single(Entries(lab));
        Backends(lab).Remove(origin.Name);
        await ReloadAsync(lab);
        await Eventually.True(() => Entries(lab).Count == 0);
    }

    [Fact]
    public async Task Status_shows_the_redirectors_and_the_orders_that_they_have_not_acknowledged()
    {
        await using RedirectedLab lab = await RedirectedLab.StartWithGatewayAsync(certificates, ipv6: false, one =>
        {
            foreach (LabAgent agent in one.Agents)
                agent.Configuration["bounds"]!["answer"] = "1s";
        });
        EchoConversation conversation = await lab.ConverseAsync();
        LabAgent origin = lab.OwnerOf(conversation), destination = lab.OtherThan(origin);
        await Eventually.True(async () => (await RedirectorAsync(origin)).GetProperty("is_connected").GetBoolean());
        JsonElement connected = await RedirectorAsync(origin);
        Assert.Equal((LabAgent.NameGateway, $"{lab.Third.IPv4}:7300", true, 0),
            (connected.GetProperty("name").GetString(), connected.GetProperty("address").GetString(), connected.GetProperty("is_connected").GetBoolean(), connected.GetProperty("outstanding_orders").GetInt32()));
        lab.EchoOf(destination).Examining = () => lab.Redirector!.KillAsync(); // it has diverted
        await RedirectedLab.PassAsync(conversation, origin, destination);
        await Eventually.True(async () => await RedirectorAsync(origin) is { } lost
            && !lost.GetProperty("is_connected").GetBoolean() && lost.GetProperty("outstanding_orders").GetInt32() == 1 && lost.GetProperty("fault").GetString() != "");
        (_, string text, _) = await origin.RunAsync("status");
        Assert.Contains($"{LabAgent.NameGateway}: at {lab.Third.IPv4}:7300, not reached; 1 orders outstanding, the oldest for ", Flat(text), StringComparison.Ordinal);
        lab.EchoOf(destination).Examining = null;
        await lab.Redirector!.StartAsync();
        await Eventually.True(async () => (await RedirectorAsync(origin)).GetProperty("outstanding_orders").GetInt32() == 0);
        await lab.FinishAsync();
    }

    private static string Flat(string text) => string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));

    private static async Task<JsonElement> RedirectorAsync(LabAgent agent) =>
        Assert.Single(Assert.Single(await agent.JsonAsync(0, "status")).GetProperty("redirectors").EnumerateArray());

    private Task<RedirectedLab> StartWatchfulAsync(bool ipv6 = false) =>
        RedirectedLab.StartWithGatewayAsync(certificates, ipv6, lab =>
        {
            lab.Redirector!.Configuration["bounds"]!["compare-forwarded"] = "500ms";
            lab.Redirector.Configuration["bounds"]!["answer"] = "500ms";
            foreach (LabAgent agent in lab.Agents)
                agent.Configuration["bounds"]!["compare-forwarded"] = "500ms";
        });

    // After the divert, and before it has heard of the verdict.
    private static async Task DieDuringPassAsync(RedirectedLab lab, EchoConversation conversation, LabAgent origin, LabAgent destination)
    {
        TaskCompletionSource killed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        lab.EchoOf(destination).Examining = async () =>
        {
            await origin.KillAsync();
            killed.SetResult();
        };
        await using (origin.StartCommand("pass", $"{conversation.Connection}", "--to", destination.Name))
            await killed.Task.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
    }

    private static Task<EchoConversation[]> ConverseAsync(RedirectedLab lab) => Task.WhenAll(Enumerable.Range(0, Count).Select(_ => lab.ConverseAsync(50_000)));

    private static JsonObject Backends(RedirectedLab lab) => lab.Redirector!.Configuration["gateway"]!["backends"]!.AsObject();

    private static Task WriteAsync(LabAgent agent) => File.WriteAllTextAsync(agent.ConfigurationFile, agent.Configuration.ToJsonString());

    private static async Task ReloadAsync(RedirectedLab lab)
    {
        await WriteAsync(lab.Redirector!);
        await HangUpAsync(lab.Redirector!, Settled);
    }

    private static async Task HangUpAsync(LabAgent agent, string outcome)
    {
        const int SIGHUP = 1; // signal.h
        int said = agent.Log.Length;
        agent.Process.Signal(SIGHUP);
        await Eventually.True(() => agent.Log[said..].Contains(outcome, StringComparison.Ordinal));
    }

    private static IReadOnlyList<GatewayEntry> Entries(RedirectedLab lab) =>
        lab.Third.Run(() => (IReadOnlyList<GatewayEntry>)[.. (GatewaySwitch.Read() ?? []).Select(one => one.Entry)]);
}
