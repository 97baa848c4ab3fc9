using System.Text.Json;
using Tcpcp.Linux.Processes;

namespace Tcpcp.EndToEnd.Tests.Agents;

/// <summary>Passes in doubt: the destination's agent is killed when it has the snapshot, while its application looks at it.</summary>
public sealed class ResolveCommandTests(LabCertificates certificates)
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task A_destination_that_comes_back_settles_it_and_the_connection_goes_on()
    {
        await using AgentLab lab = await AgentLab.StartWithEchoAsync(certificates);
        EchoConversation conversation = await lab.ConverseAsync();
        await using ChildProcess pass = await PassIntoDoubtAsync(lab, conversation);
        Assert.Equal(3, (await lab.A.RunAsync("status")).ExitCode);
        await lab.B.StartAsync();
        Assert.Equal(1, await pass.Exit.WaitAsync(s_limit));
        JsonElement report = Assert.Single(LabAgent.Parse(await pass.Output!.Completed));
        Assert.Equal("Origin", report.GetProperty("owner").GetString());
        Assert.True(lab.A.Owns(conversation.Connection));
        Assert.Contains("No pass is in doubt.", (await lab.A.RunAsync("resolve")).Output, StringComparison.Ordinal);
        Assert.Equal(0, (await lab.A.RunAsync("status")).ExitCode);
        await lab.FinishAsync();
    }

    [Fact]
    public async Task A_destination_that_is_gone_is_listed_and_the_operators_word_lets_the_connection_go_on()
    {
        await using AgentLab lab = await AgentLab.StartWithEchoAsync(certificates);
        EchoConversation conversation = await lab.ConverseAsync();
        await using ChildProcess pass = await PassIntoDoubtAsync(lab, conversation);

        JsonElement open = Assert.Single(await lab.A.JsonAsync(0, "resolve"));
        string id = open.GetProperty("pass").GetString()!;
        Assert.Equal(("InDoubt", "Origin", "echo", LabAgent.NameB), (open.GetProperty("state").GetString(), open.GetProperty("side").GetString(),
            open.GetProperty("application").GetString(), open.GetProperty("other_host").GetString()));
        Assert.Equal([$"{conversation.Connection}"], open.GetProperty("connections").EnumerateArray().Select(one => one.GetString()));
        Assert.InRange(open.GetProperty("kernel_time_left_seconds").GetDouble(), 3300, 3600);
        string table = (await lab.A.RunAsync("resolve")).Output;
        Assert.Contains(id, table, StringComparison.Ordinal);
        Assert.Contains("00:59:", table, StringComparison.Ordinal);

        Assert.Equal(2, (await lab.A.RunAsync("resolve", "--destination-is-dead")).ExitCode);
        Assert.Equal(2, (await lab.A.RunAsync("resolve", id)).ExitCode);
        (int exitCode, _, string error) = await lab.A.RunAsync("resolve", "ffffffffffff", "--abandon");
        Assert.Equal(1, exitCode);
        Assert.Contains("ffffffffffff", error, StringComparison.Ordinal);

        JsonElement settled = Assert.Single(await lab.A.JsonAsync(0, "resolve", id[..8], "--destination-is-dead"));
        Assert.Equal((id, "Origin"), (settled.GetProperty("pass").GetString(), settled.GetProperty("owner").GetString()));
        Assert.Equal(1, await pass.Exit.WaitAsync(s_limit));
        await conversation.ProgressAsync(100_000);
        Assert.True(lab.A.Owns(conversation.Connection));

        // The word is in the journal: another agent does not take the connection back, and tells the destination when it comes.
        await lab.A.KillAsync();
        await lab.A.StartAsync();
        await conversation.ProgressAsync(100_000);
        await lab.B.StartAsync();
        await lab.FinishAsync();
    }

    [Fact]
    public async Task The_policy_gives_up_after_its_limit()
    {
        await using AgentLab lab = await AgentLab.StartWithEchoAsync(certificates,
            configure: one => one.A.Configuration["in-doubt"] = new System.Text.Json.Nodes.JsonObject { ["abandon-after"] = "1s" });
        EchoConversation conversation = await lab.ConverseAsync();
        await using ChildProcess pass = await PassIntoDoubtAsync(lab, conversation);
        Assert.Equal(1, await pass.Exit.WaitAsync(s_limit));
        JsonElement report = Assert.Single(LabAgent.Parse(await pass.Output!.Completed));
        Assert.Equal(("Abandoned", "Nobody"), (report.GetProperty("failure").GetString(), report.GetProperty("owner").GetString()));
        await lab.B.StartAsync();
        await lab.AssertNothingIsLeftAsync();
        Assert.False(lab.A.Owns(conversation.Connection) || lab.B.Owns(conversation.Connection));
        await Eventually.True(() => lab.EchoA!.Count == 0);
    }

    // Returns the command that waits for the outcome.
    private static async Task<ChildProcess> PassIntoDoubtAsync(AgentLab lab, EchoConversation conversation)
    {
        lab.EchoB!.Examining = lab.B.KillAsync;
        ChildProcess pass = lab.A.StartCommand("pass", $"{conversation.Connection}", "--to", LabAgent.NameB, "--json");
        await Eventually.True(async () => (await lab.A.OpenPassesAsync(inDoubtOnly: true)).Count == 1);
        lab.EchoB.Examining = null;
        Assert.False(pass.Exit.IsCompleted);
        return pass;
    }
}
