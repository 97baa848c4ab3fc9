using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;
using Tcpcp.Linux.Processes;

namespace Tcpcp.EndToEnd.Tests.Agents;

/// <summary><c>tcpcp drain</c>: all connections of a host, under traffic.</summary>
public sealed class DrainCommandTests(LabCertificates certificates)
{
    private const int Many = 40;
    private const int SIGINT = 2; // signal.h
    private const int BytesPerSecond = 100_000;

    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task All_connections_go_there_and_back()
    {
        await using AgentLab lab = await AgentLab.StartWithEchoAsync(certificates);
        IReadOnlyList<EchoConversation> conversations = await lab.ConverseManyAsync(Many, BytesPerSecond);

        IReadOnlyList<JsonElement> reports = await lab.A.JsonAsync(0, "drain", "--to", LabAgent.NameB);
        Assert.Equal(Names(conversations), reports.Select(report => report.GetProperty("connection").GetString()).Order(StringComparer.Ordinal));
        Assert.All(reports, report => Assert.Equal(("None", "Destination"), Outcome(report)));
        Assert.Equal(Enumerable.Range(1, Many), reports.Select(report => report.GetProperty("done").GetInt32()));
        Assert.Equal(Many, reports[^1].GetProperty("total").GetInt32());
        Assert.All(conversations, conversation => Assert.True(lab.B.Owns(conversation.Connection)));

        (int exitCode, string output, string error) = await lab.B.RunAsync("drain", "--to", LabAgent.NameA);
        Assert.True(exitCode == 0, output + error);
        Assert.Contains($"{Many} passed", output, StringComparison.Ordinal);
        Assert.Contains("0 not passed, 0 in doubt.", output, StringComparison.Ordinal);
        Assert.All(conversations, conversation => Assert.True(lab.A.Owns(conversation.Connection)));
        await lab.FinishAsync();
    }

    [Fact]
    public async Task What_the_destination_does_not_allow_is_named_and_stays()
    {
        const int OtherPort = 8081;
        await using AgentLab lab = await AgentLab.StartWithEchoAsync(certificates, configure: one => one.B.Configuration["policy"]![0]!["ports"] = new JsonArray($"{AgentLab.Port}"));
        await using EchoApplication a = await EchoApplication.StartAsync(lab.A, "other", OtherPort);
        await using EchoApplication b = await EchoApplication.StartAsync(lab.B, "other");
        IReadOnlyList<EchoConversation> go = await lab.ConverseManyAsync(5, BytesPerSecond);
        IReadOnlyList<EchoConversation> stay = await lab.ConverseManyAsync(2, BytesPerSecond, OtherPort);

        IReadOnlyList<JsonElement> reports = await lab.A.JsonAsync(1, "drain", "--to", LabAgent.NameB);
        Assert.Equal(Names(go), Names(reports, "None"));
        Assert.Equal(Names(stay), Names(reports, "RefusedByPolicy"));
        Assert.All(reports.Where(report => Outcome(report).Failure != "None"), report =>
        {
            Assert.Equal("Origin", Outcome(report).Owner);
            Assert.Contains("policy:0:ports", report.GetProperty("detail").GetString(), StringComparison.Ordinal);
        });
        Assert.All(stay, conversation => Assert.True(lab.A.Owns(conversation.Connection)));

        (int exitCode, string output, _) = await lab.A.RunAsync("drain", "--to", LabAgent.NameB);
        Assert.Equal(1, exitCode);
        Assert.All(stay, conversation => Assert.Contains($"{conversation.Connection}: RefusedByPolicy", output, StringComparison.Ordinal));
        await lab.FinishAsync();
    }

    [Fact]
    public async Task Only_connections_of_the_named_application_go()
    {
        const int OtherPort = 8081;
        await using AgentLab lab = await AgentLab.StartWithEchoAsync(certificates);
        await using EchoApplication a = await EchoApplication.StartAsync(lab.A, "other", OtherPort);
        await using EchoApplication b = await EchoApplication.StartAsync(lab.B, "other");
        IReadOnlyList<EchoConversation> stay = await lab.ConverseManyAsync(3, BytesPerSecond);
        IReadOnlyList<EchoConversation> go = await lab.ConverseManyAsync(3, BytesPerSecond, OtherPort);
        Assert.Equal(Names(go), Names(await lab.A.JsonAsync(0, "drain", "--to", LabAgent.NameB, "--app", "other"), "None"));
        Assert.All(stay, conversation => Assert.True(lab.A.Owns(conversation.Connection)));

        (int exitCode, _, string error) = await lab.A.RunAsync("drain", "--to", LabAgent.NameB, "--app", "third");
        Assert.Equal(1, exitCode);
        Assert.Contains("'third'", error, StringComparison.Ordinal);
        await lab.FinishAsync();
    }

    [Fact]
    public async Task A_rate_is_kept_and_an_interrupt_ends_what_is_under_way_and_begins_nothing_new()
    {
        const int Rate = 8;
        const int Enough = 13;
        await using AgentLab lab = await AgentLab.StartWithEchoAsync(certificates);
        IReadOnlyList<EchoConversation> conversations = await lab.ConverseManyAsync(Many, BytesPerSecond);
        long started = Stopwatch.GetTimestamp();
        await using ChildProcess drain = lab.A.StartCommand("drain", "--to", LabAgent.NameB, "--rate", $"{Rate}", "--json");
        await drain.Output!.WaitForAsync($"\"done\":{Enough},", s_limit);
        Assert.True(Stopwatch.GetElapsedTime(started) >= TimeSpan.FromSeconds((Enough - 1.0) / Rate));
        drain.Signal(SIGINT);

        Assert.Equal(1, await drain.Exit.WaitAsync(s_limit));
        IReadOnlyList<JsonElement> reports = LabAgent.Parse(await drain.Output.Completed);
        Assert.Equal(Names(conversations), reports.Select(report => report.GetProperty("connection").GetString()).Order(StringComparer.Ordinal));
        string[] passed = Names(reports, "None");
        Assert.InRange(passed.Length, Enough, Many - 1);
        Assert.Equal(Many - passed.Length, Names(reports, "Cancelled").Length);
        foreach (EchoConversation conversation in conversations)
            Assert.True((passed.Contains($"{conversation.Connection}") ? lab.B : lab.A).Owns(conversation.Connection), $"{conversation}");
        await lab.FinishAsync();
    }

    [Fact]
    public async Task An_interrupted_drain_says_what_moved()
    {
        await using AgentLab lab = await AgentLab.StartWithEchoAsync(certificates);
        IReadOnlyList<EchoConversation> conversations = await lab.ConverseManyAsync(10, BytesPerSecond);
        await using ChildProcess drain = lab.A.StartCommand("drain", "--to", LabAgent.NameB, "--rate", "2");
        await Eventually.True(() => conversations.Any(conversation => lab.B.Owns(conversation.Connection)));
        drain.Signal(SIGINT);
        Assert.Equal(1, await drain.Exit.WaitAsync(s_limit));
        string output = await drain.Output!.Completed;
        int moved = conversations.Count(conversation => lab.B.Owns(conversation.Connection));
        Assert.Matches($@"Stopped: {moved} passed.*, {10 - moved} not passed, 0 in doubt", output);
        Assert.All(conversations.Where(conversation => lab.A.Owns(conversation.Connection)),
            conversation => Assert.Contains($"{conversation.Connection}: Cancelled", output, StringComparison.Ordinal));
        await lab.FinishAsync();
    }

    [Fact]
    public async Task What_an_application_does_not_let_go_or_does_not_take_is_named_and_stays()
    {
        await using AgentLab lab = await AgentLab.StartAsync(certificates);
        await using EchoApplication a = await EchoApplication.StartAsync(lab.A, EchoApplication.Name, AgentLab.Port);
        Assert.Contains("There was nothing to pass.", (await lab.A.RunAsync("drain", "--to", LabAgent.NameB)).Output, StringComparison.Ordinal);
        EchoConversation conversation = await lab.ConverseAsync();
        await AssertStaysAsync("NoApplication", "");

        await using EchoApplication b = await EchoApplication.StartAsync(lab.B, EchoApplication.Name);
        b.Objection = "There is no room.";
        await AssertStaysAsync("RefusedByApplication", b.Objection);
        b.Objection = null;
        a.Reluctance = "It is in the middle of something.";
        await AssertStaysAsync("NotPassable", a.Reluctance);
        a.Reluctance = null;
        Assert.Equal(("None", "Destination"), Outcome(Assert.Single(await lab.A.JsonAsync(0, "drain", "--to", LabAgent.NameB))));
        Assert.Equal((0, 1), (a.Count, b.Count));
        await lab.FinishAsync();

        async Task AssertStaysAsync(string failure, string detail)
        {
            JsonElement report = Assert.Single(await lab.A.JsonAsync(1, "drain", "--to", LabAgent.NameB));
            Assert.Equal((failure, "Origin"), Outcome(report));
            Assert.Equal($"{conversation.Connection}", report.GetProperty("connection").GetString());
            Assert.Contains(detail, report.GetProperty("detail").GetString(), StringComparison.Ordinal);
            await conversation.ProgressAsync(100_000);
            Assert.True(lab.A.Owns(conversation.Connection));
        }
    }

    [Fact]
    public async Task Of_connections_that_are_passed_together_only_the_one_that_cannot_go_stays()
    {
        await using AgentLab lab = await AgentLab.StartAsync(certificates);
        await using EchoApplication a = await EchoApplication.StartAsync(lab.A, EchoApplication.Name, AgentLab.Port);
        await using EchoApplication b = await EchoApplication.StartAsync(lab.B, EchoApplication.Name);
        IReadOnlyList<EchoConversation> conversations = await lab.ConverseManyAsync(12, BytesPerSecond);
        (a.GroupSize, a.Reluctant) = (4, conversations[5].Connection);

        IReadOnlyList<JsonElement> reports = await lab.A.JsonAsync(1, "drain", "--to", LabAgent.NameB);
        Assert.Equal(Names(conversations.Where(one => one != conversations[5])), Names(reports, "None"));
        JsonElement stays = Assert.Single(reports, report => Outcome(report).Failure != "None");
        Assert.Equal(("NotPassable", "Origin"), Outcome(stays));
        Assert.Contains($"{a.Reluctant} is reluctant.", stays.GetProperty("detail").GetString(), StringComparison.Ordinal);
        Assert.Equal(12, reports.Max(report => report.GetProperty("done").GetInt32()));
        Assert.Equal(12, reports[^1].GetProperty("total").GetInt32());
        Assert.True(lab.A.Owns(conversations[5].Connection));
        Assert.Equal((1, 11), (a.Count, b.Count));
        await lab.FinishAsync();
    }

    [Fact]
    public async Task Connections_that_belong_together_are_tried_once_and_all_stay_if_one_cannot_go()
    {
        await using AgentLab lab = await AgentLab.StartAsync(certificates);
        await using EchoApplication a = await EchoApplication.StartAsync(lab.A, EchoApplication.Name, AgentLab.Port);
        await using EchoApplication b = await EchoApplication.StartAsync(lab.B, EchoApplication.Name);
        IReadOnlyList<EchoConversation> conversations = await lab.ConverseManyAsync(2, BytesPerSecond);
        (a.GroupSize, a.IsInseparable) = (2, true);
        int asked = 0;
        b.Objection = "There is no room.";
        b.Examining = () =>
        {
            Interlocked.Increment(ref asked);
            return Task.CompletedTask;
        };

        IReadOnlyList<JsonElement> reports = await lab.A.JsonAsync(1, "drain", "--to", LabAgent.NameB);
        Assert.Equal(Names(conversations), Names(reports, "RefusedByApplication"));
        Assert.Equal((1, 2, 0), (asked, a.Count, b.Count));
        Assert.Equal((2, 2), (reports[^1].GetProperty("done").GetInt32(), reports[^1].GetProperty("total").GetInt32()));

        b.Objection = null;
        Assert.Equal(Names(conversations), Names(await lab.A.JsonAsync(0, "drain", "--to", LabAgent.NameB), "None"));
        Assert.Equal((0, 2), (a.Count, b.Count));
        await lab.FinishAsync();
    }

    private static IEnumerable<string> Names(IEnumerable<EchoConversation> conversations) =>
        conversations.Select(conversation => $"{conversation.Connection}").Order(StringComparer.Ordinal);

    private static string[] Names(IEnumerable<JsonElement> reports, string failure) =>
        [.. reports.Where(report => Outcome(report).Failure == failure).Select(report => report.GetProperty("connection").GetString()!).Order(StringComparer.Ordinal)];

    private static (string? Failure, string? Owner) Outcome(JsonElement report) =>
        (report.GetProperty("failure").GetString(), report.GetProperty("owner").GetString());
}
