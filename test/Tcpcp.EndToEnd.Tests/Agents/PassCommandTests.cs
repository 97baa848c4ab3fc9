using System.Globalization;
using System.Text;
using System.Text.Json;
using Tcpcp.Linux.Processes;
using Tcpcp.Linux.Switching;

namespace Tcpcp.EndToEnd.Tests.Agents;

/// <summary><c>tcpcp pass</c>: single connections of registered applications, under traffic.</summary>
public sealed class PassCommandTests(LabCertificates certificates)
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(60);

    [Theory]
    [InlineData(AgentLab.Takeover, "bpf")]
    [InlineData(AgentLab.Takeover, "nftables")]
    [InlineData(AgentLab.Forward, "bpf")]
    [InlineData(AgentLab.Forward, "nftables")]
    public async Task A_connection_of_the_smallest_sample_goes_there_and_back(string redirection, string packetSwitch)
    {
        await using AgentLab lab = await AgentLab.StartAsync(certificates, redirection, one => Configure(one, packetSwitch));
        await Task.WhenAll(StartSampleAsync(lab.A), StartSampleAsync(lab.B));
        EchoConversation conversation = await lab.ConverseAsync();
        await PassAsync(lab.A, lab.B, conversation);
        await PassAsync(lab.B, lab.A, conversation);
        await lab.FinishAsync();
    }

    [Theory]
    [InlineData("bpf")]
    [InlineData("nftables")]
    public async Task Packets_are_forwarded_on_while_the_agent_of_their_home_is_dead_and_the_next_one_takes_that_over(string packetSwitch)
    {
        await using AgentLab lab = await AgentLab.StartWithEchoAsync(certificates, configure: one => Configure(one, packetSwitch));
        EchoConversation conversation = await lab.ConverseAsync();
        await PassAsync(lab.A, lab.B, conversation);
        await lab.A.KillAsync();
        await conversation.ProgressAsync(200_000);
        await lab.A.StartAsync();
        await conversation.ProgressAsync(200_000);
        await Eventually.True(async () => (await lab.A.StatusAsync()).Applications.Count == 1); // it has come back by itself
        await PassAsync(lab.B, lab.A, conversation);
        Assert.Empty(lab.A.Host.Run(() => PacketSwitch.Find(SwitchPlace.Forward))!.Value.Entries);
        await lab.FinishAsync();
    }

    [Fact]
    public async Task One_connection_of_several_goes_and_the_others_stay()
    {
        await using AgentLab lab = await AgentLab.StartWithEchoAsync(certificates);
        IReadOnlyList<EchoConversation> conversations = await lab.ConverseManyAsync(3, bytesPerSecond: 500_000);
        await PassAsync(lab.A, lab.B, conversations[1]);
        Assert.True(lab.A.Owns(conversations[0].Connection) && lab.A.Owns(conversations[2].Connection));
        await lab.FinishAsync();
    }

    [Theory]
    [InlineData(AgentLab.Takeover)]
    [InlineData(AgentLab.Forward)]
    public async Task A_connection_of_the_Python_sample_goes_there_and_back(string redirection)
    {
        await using AgentLab lab = await AgentLab.StartAsync(certificates, redirection);
        ChildProcess a = await StartPythonAsync(lab, lab.A);
        ChildProcess b = await StartPythonAsync(lab, lab.B);
        EchoConversation conversation = await lab.ConverseAsync();
        await OrderAsync(a, LabAgent.NameB);
        await conversation.ProgressAsync(200_000);
        Assert.True(lab.B.Owns(conversation.Connection));
        await OrderAsync(b, LabAgent.NameA);
        await conversation.ProgressAsync(200_000);
        Assert.True(lab.A.Owns(conversation.Connection));
        await lab.FinishAsync();
    }

    [Theory]
    [InlineData("PassingEcho.cs", 40)]
    [InlineData("tcpcp_client.py", 100)]
    public void The_samples_are_short(string file, int lines) =>
        Assert.InRange(File.ReadAllLines(Path.Combine(AppContext.BaseDirectory, "samples", file)).Length, 1, lines);

    [Fact]
    public async Task What_cannot_be_passed_is_named_and_stays()
    {
        await using AgentLab lab = await AgentLab.StartWithEchoAsync(certificates);
        EchoConversation conversation = await lab.ConverseAsync();
        string name = $"{conversation.Connection}";

        (int exitCode, _, string error) = await lab.A.RunAsync("pass", name, "--to", "host-c");
        Assert.Equal(1, exitCode);
        Assert.Contains("host-c", error, StringComparison.Ordinal);
        Assert.Contains(LabAgent.NameB, error, StringComparison.Ordinal);

        JsonElement report = Assert.Single(await lab.A.JsonAsync(1, "pass", "10.0.0.100:8080-10.0.0.1:9", "--to", LabAgent.NameB));
        Assert.Equal(("10.0.0.100:8080-10.0.0.1:9", "NotPassable", "Origin"), Outcome(report));

        (exitCode, _, error) = await lab.A.RunAsync("pass", "nonsense", "--to", LabAgent.NameB);
        Assert.Equal(2, exitCode);
        Assert.Contains("nonsense", error, StringComparison.Ordinal);

        Assert.True(lab.A.Owns(conversation.Connection));
        await lab.FinishAsync();
    }

    [Fact]
    public async Task With_takeover_a_connection_that_shares_its_address_stays_until_it_is_alone()
    {
        await using AgentLab lab = await AgentLab.StartWithEchoAsync(certificates, AgentLab.Takeover);
        EchoConversation conversation = await lab.ConverseAsync();
        EchoConversation other = await lab.ConverseAsync();
        JsonElement report = Assert.Single(await lab.A.JsonAsync(1, "pass", $"{conversation.Connection}", "--to", LabAgent.NameB));
        Assert.Equal(($"{conversation.Connection}", "RedirectionFailed", "Origin"), Outcome(report));
        await other.FinishAsync();
        await Eventually.True(() => !lab.A.Owns(other.Connection));
        await PassAsync(lab.A, lab.B, conversation);
        await conversation.FinishAsync();
        await lab.AssertNothingIsLeftAsync();
        AgentLab.AssertClean(await lab.JudgeAsync());
    }

    private static void Configure(AgentLab lab, string packetSwitch)
    {
        foreach (LabAgent agent in (LabAgent[])[lab.A, lab.B])
            agent.Configuration["packet-switch"] = packetSwitch;
    }

    private static async Task PassAsync(LabAgent from, LabAgent to, EchoConversation conversation)
    {
        JsonElement report = Assert.Single(await from.JsonAsync(0, "pass", $"{conversation.Connection}", "--to", to.Name));
        Assert.Equal(($"{conversation.Connection}", "None", "Destination"), Outcome(report));
        Assert.Equal((to.Name, "echo"), (report.GetProperty("destination").GetString(), report.GetProperty("application").GetString()));
        await conversation.ProgressAsync(200_000);
        Assert.True(to.Owns(conversation.Connection) && !from.Owns(conversation.Connection));
    }

    private static (string? Connection, string? Failure, string? Owner) Outcome(JsonElement report) =>
        (report.GetProperty("connection").GetString(), report.GetProperty("failure").GetString(), report.GetProperty("owner").GetString());

    private static Task StartSampleAsync(LabAgent agent) => agent.UntilListeningAsync(
        agent.Start(Path.Combine(AppContext.BaseDirectory, "passing-echo"), [$"0.0.0.0:{AgentLab.Port}", agent.SocketPath]));

    // As a user without any capability, in the applications' group.
    private static async Task<ChildProcess> StartPythonAsync(AgentLab lab, LabAgent agent)
    {
        foreach (string file in (string[])["tcpcp_client.py", "echo.py"])
            File.Copy(Path.Combine(AppContext.BaseDirectory, "samples", file), Path.Combine(lab.DirectoryPath, file), overwrite: true);
        ChildProcess echo = agent.Start("setpriv",
        [
            "--reuid", "54321", "--regid", LabAgent.ApplicationsGroup, "--clear-groups", "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs",
            "/usr/bin/python3", "-B", Path.Combine(lab.DirectoryPath, "echo.py"), agent.SocketPath, "0.0.0.0", AgentLab.Port.ToString(CultureInfo.InvariantCulture),
        ], new ChildOptions { Input = ChildInput.Pipe });
        await echo.Output!.WaitForAsync("ready\n", s_limit);
        return echo;
    }

    private static async Task OrderAsync(ChildProcess echo, string to)
    {
        await echo.Input!.WriteAsync(Encoding.ASCII.GetBytes($"pass {to}\n"));
        await echo.Input.FlushAsync();
        string said = await echo.Output!.WaitForAsync("passed ", s_limit);
        await Eventually.True(() => echo.Output.Text.Contains("passed None Destination", StringComparison.Ordinal), said);
    }
}
