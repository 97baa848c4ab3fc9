using System.Text.Json;
using Tcpcp.Linux.Nftables;
using Tcpcp.Linux.Processes;

namespace Tcpcp.EndToEnd.Tests.Agents;

/// <summary>A connection goes from its home A to B, and on to C: the home sends its packets there, whoever dies meanwhile.</summary>
public sealed class ForwardedChainTests(LabCertificates certificates)
{
    private const int Progress = 200_000;
    private const int SIGSTOP = 19; // signal.h
    private const int SIGCONT = 18;

    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(60);

    [Theory]
    [InlineData(ServiceFamily.IPv4, "bpf")]
    [InlineData(ServiceFamily.IPv6, "bpf")]
    [InlineData(ServiceFamily.IPv4, "nftables")]
    public async Task It_goes_on_to_a_third_host_and_home_and_once_more_round_the_other_way(ServiceFamily family, string packetSwitch)
    {
        await using AgentLab lab = await StartAsync(family, packetSwitch);
        EchoConversation conversation = await lab.ConverseAsync();
        foreach ((LabAgent from, LabAgent to) in ((LabAgent, LabAgent)[])[(lab.A, lab.B), (lab.B, lab.C), (lab.C, lab.A), (lab.A, lab.C), (lab.C, lab.B), (lab.B, lab.A)])
        {
            await PassAsync(from, to, conversation);
            Assert.Equal(to == lab.A ? [] : [conversation.Connection], lab.A.Forwarded);
            Assert.Empty(lab.B.Forwarded);
            Assert.Empty(lab.C.Forwarded);
        }

        await lab.FinishAsync();
    }

    [Fact]
    public async Task It_goes_back_and_forth_between_two_hosts_and_its_entry_goes_with_it()
    {
        await using AgentLab lab = await StartAsync();
        EchoConversation conversation = await lab.ConverseAsync();
        await PassAsync(lab.A, lab.B, conversation);
        for (int i = 0; i < 3; i++)
        {
            await PassAsync(lab.B, lab.C, conversation);
            await PassAsync(lab.C, lab.B, conversation);
        }

        await PassAsync(lab.B, lab.C, conversation);
        await lab.FinishAsync();
        await Eventually.True(() => lab.A.Forwarded.Count == 0);
    }

    [Fact]
    public async Task The_entry_goes_although_the_third_host_never_spoke_with_the_home_before_the_connection_ended()
    {
        await using AgentLab lab = await StartAsync();
        EchoConversation conversation = await lab.ConverseAsync();
        await PassAsync(lab.A, lab.B, conversation);
        lab.C.Host.Run(() => LibNftables.Run($$"""
            add table inet test-cut
            add chain inet test-cut out { type filter hook output priority 0; }
            add rule inet test-cut out ip daddr {{lab.A.Host.IPv4}} tcp dport 7300 drop
            """));
        await PassAsync(lab.B, lab.C, conversation);
        await conversation.FinishAsync();
        await lab.C.KillAsync();
        lab.C.Host.Run(() => LibNftables.Run("delete table inet test-cut"));
        Assert.Equal([conversation.Connection], lab.A.Forwarded);
        await lab.C.StartAsync();
        await Eventually.True(() => lab.A.Forwarded.Count == 0);
    }

    [Fact]
    public async Task What_the_third_host_refuses_after_the_divert_goes_on_at_the_second_and_can_be_passed_again()
    {
        await using AgentLab lab = await StartAsync();
        EchoConversation conversation = await lab.ConverseAsync();
        await PassAsync(lab.A, lab.B, conversation);
        lab.EchoC!.Objection = "There is no room.";
        await RefusedAsync(lab, conversation, "RefusedByApplication", "There is no room.");
        lab.EchoC.Objection = null;
        await lab.B.StopAsync(); // the next one does not know how often it was tried
        await lab.B.StartAsync();
        await Eventually.True(async () => (await lab.B.RunAsync("pass", $"{conversation.Connection}", "--to", LabAgent.NameC)).ExitCode == 0);
        await conversation.ProgressAsync(Progress);
        Assert.True(lab.C.Owns(conversation.Connection));
        await PassAsync(lab.C, lab.A, conversation);
        await lab.FinishAsync();
    }

    [Fact]
    public async Task Without_the_home_among_its_destinations_the_third_host_refuses()
    {
        await using AgentLab lab = await StartAsync(configure: one => one.C.Configuration["destinations"]!.AsObject().Remove(LabAgent.NameA));
        EchoConversation conversation = await lab.ConverseAsync();
        await PassAsync(lab.A, lab.B, conversation);
        await RefusedAsync(lab, conversation, "RedirectionFailed", $"{LabAgent.NameA} forwards the packets of {conversation.Connection}, and is not among the destinations");
        await lab.FinishAsync();
    }

    [Fact]
    public async Task A_home_that_does_not_know_the_third_host_or_does_not_answer_is_named_and_nothing_has_changed()
    {
        await using AgentLab lab = await StartAsync(configure: one => one.A.Configuration["destinations"]!.AsObject().Remove(LabAgent.NameC));
        EchoConversation conversation = await lab.ConverseAsync();
        await PassAsync(lab.A, lab.B, conversation);
        bool wasAsked = false;
        lab.EchoB!.Quiescing = () => Task.FromResult(wasAsked = true);
        await RefusedAsync(lab, conversation, "RedirectionFailed", $"It has no agent {LabAgent.NameC} among its destinations");
        await lab.A.KillAsync();
        await RefusedAsync(lab, conversation, "RedirectionFailed", LabAgent.NameA);
        Assert.False(wasAsked);
        await lab.A.StartAsync();
        await lab.FinishAsync();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_agent_of_the_home_dies_after_the_divert(bool isAccepted)
    {
        await using AgentLab lab = await StartAsync();
        EchoConversation conversation = await lab.ConverseAsync();
        await PassAsync(lab.A, lab.B, conversation);
        lab.EchoC!.Examining = lab.A.KillAsync;
        lab.EchoC.Objection = isAccepted ? null : "There is no room.";
        Task<(int ExitCode, string, string)> pass = lab.B.RunAsync("pass", $"{conversation.Connection}", "--to", LabAgent.NameC);
        if (isAccepted)
        {
            Assert.Equal(0, (await pass).ExitCode);
            await conversation.ProgressAsync(Progress);
        }

        await Eventually.True(() => lab.A.Log.Length > 0 && !lab.A.IsRunning);
        await lab.A.StartAsync();
        await SettledAsync(lab, conversation, isAccepted ? lab.C : lab.B);
        await pass;
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_agent_of_the_second_host_dies_while_it_waits_for_the_verdict(bool isAccepted)
    {
        await using AgentLab lab = await StartAsync();
        EchoConversation conversation = await lab.ConverseAsync();
        await PassAsync(lab.A, lab.B, conversation);
        lab.EchoC!.Examining = lab.B.KillAsync;
        lab.EchoC.Objection = isAccepted ? null : "There is no room.";
        await lab.B.RunAsync("pass", $"{conversation.Connection}", "--to", LabAgent.NameC);
        await lab.B.StartAsync();
        await SettledAsync(lab, conversation, isAccepted ? lab.C : lab.B);
    }

    [Fact]
    public async Task The_entry_goes_although_the_second_host_has_booted_before_it_heard_the_verdict()
    {
        await using AgentLab lab = await StartAsync();
        EchoConversation conversation = await lab.ConverseAsync();
        await PassAsync(lab.A, lab.B, conversation);
        lab.EchoC!.Examining = () => lab.RebootAsync(lab.B);
        await lab.B.RunAsync("pass", $"{conversation.Connection}", "--to", LabAgent.NameC);
        await conversation.ProgressAsync(Progress);
        await conversation.FinishAsync();
        Assert.Equal([conversation.Connection], lab.A.Forwarded);
        await lab.B.StartAsync();
        await Eventually.True(() => lab.A.Forwarded.Count == 0);
    }

    [Fact]
    public async Task The_agent_of_the_second_host_dies_when_it_has_asked_for_the_divert()
    {
        await using AgentLab lab = await StartAsync();
        EchoConversation conversation = await lab.ConverseAsync();
        await PassAsync(lab.A, lab.B, conversation);
        lab.EchoB!.Quiescing = () =>
        {
            lab.A.Process.Signal(SIGSTOP);
            return Task.CompletedTask;
        };
        Task<(int ExitCode, string, string)> pass = lab.B.RunAsync("pass", $"{conversation.Connection}", "--to", LabAgent.NameC);
        await Eventually.True(() => lab.B.Log.Contains("Quiesced", StringComparison.Ordinal));
        await Task.Delay(TimeSpan.FromMilliseconds(200), TestContext.Current.CancellationToken); // the order is on its way
        await lab.B.KillAsync();
        lab.A.Process.Signal(SIGCONT);
        await pass;
        lab.EchoB.Quiescing = null;
        await lab.B.StartAsync();
        await SettledAsync(lab, conversation, lab.B);
    }

    [Fact]
    public async Task The_agent_of_the_third_host_dies_before_its_verdict()
    {
        await using AgentLab lab = await StartAsync();
        EchoConversation conversation = await lab.ConverseAsync();
        await PassAsync(lab.A, lab.B, conversation);
        TaskCompletionSource killed = new();
        lab.EchoC!.Examining = async () =>
        {
            lab.EchoC.Examining = null;
            await lab.C.KillAsync();
            killed.SetResult();
        };
        Task<(int ExitCode, string, string)> pass = lab.B.RunAsync("pass", $"{conversation.Connection}", "--to", LabAgent.NameC);
        await killed.Task.WaitAsync(s_limit, TestContext.Current.CancellationToken);
        await lab.C.StartAsync();
        await SettledAsync(lab, conversation, lab.B);
        Assert.Equal(1, (await pass).ExitCode);
    }

    private Task<AgentLab> StartAsync(ServiceFamily family = ServiceFamily.IPv4, string packetSwitch = "auto", Action<AgentLab>? configure = null) =>
        AgentLab.StartWithEchoAsync(certificates, family: family, count: 3, configure: lab =>
        {
            foreach (LabAgent agent in lab.Agents)
            {
                if (packetSwitch != "auto")
                    agent.Configuration["packet-switch"] = packetSwitch;
                agent.Configuration["bounds"]!["answer"] = "5s";
            }

            configure?.Invoke(lab);
        });

    private static async Task PassAsync(LabAgent from, LabAgent to, EchoConversation conversation)
    {
        await from.PassAsync(conversation.Connection, to);
        await conversation.ProgressAsync(Progress);
    }

    // From B to C.
    private static async Task RefusedAsync(AgentLab lab, EchoConversation conversation, string failure, string detail)
    {
        JsonElement report = Assert.Single(await lab.B.JsonAsync(1, "pass", $"{conversation.Connection}", "--to", LabAgent.NameC));
        Assert.Equal((failure, "Origin"), (report.GetProperty("failure").GetString(), report.GetProperty("owner").GetString()));
        Assert.Contains(detail, report.GetProperty("detail").GetString(), StringComparison.Ordinal);
        await conversation.ProgressAsync(Progress);
        Assert.True(lab.B.Owns(conversation.Connection));
        Assert.Equal([conversation.Connection], lab.A.Forwarded);
    }

    // One host has it, the packets go there, and it can go home from there.
    private static async Task SettledAsync(AgentLab lab, EchoConversation conversation, LabAgent owner)
    {
        await conversation.ProgressAsync(Progress);
        await Eventually.True(() => lab.Agents.All(agent => agent.Owns(conversation.Connection) == (agent == owner))); // a frozen copy is closed a moment later
        await lab.AssertNothingIsLeftAsync();
        await Eventually.True(async () => (await owner.RunAsync("pass", $"{conversation.Connection}", "--to", LabAgent.NameA)).ExitCode == 0);
        await conversation.ProgressAsync(Progress);
        Assert.Empty(lab.A.Forwarded);
        await lab.FinishAsync();
    }
}
