using Tcpcp.Linux.Processes;

namespace Tcpcp.EndToEnd.Tests.Agents;

/// <summary>What the commands say to users who may not: by the group that they run in.</summary>
public sealed class RightsTests(LabCertificates certificates)
{
    private const string User = "54321";
    private const string OperatorsGroup = "54323";
    private const string OtherGroup = "54399";

    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task Commands_do_for_a_group_what_it_may_do_and_say_of_the_rest_who_may()
    {
        await using AgentLab lab = await AgentLab.StartWithEchoAsync(certificates, configure: one => one.A.Configuration["local"]!["operators-group"] = OperatorsGroup);
        EchoConversation conversation = await lab.ConverseAsync();
        string name = $"{conversation.Connection}";
        string[][] operations = [["status"], ["resolve"], ["drain", "--to", LabAgent.NameB], ["pass", name, "--to", LabAgent.NameB]];

        foreach (string[] operation in operations)
        {
            await AssertRefusedAsync(lab.A, LabAgent.ApplicationsGroup, operation, "This is for operators: run the command as root or in the operators' group.");
            await AssertRefusedAsync(lab.A, OtherGroup, operation, $"User {User} may not use this agent");
        }

        Assert.True(lab.A.Owns(conversation.Connection));
        string[] receive = ["receive", "another", "--", "/bin/cat"];
        await AssertRefusedAsync(lab.A, OperatorsGroup, receive, "Only members of the applications' group may do this.");
        Assert.Equal(0, (await RunAsync(lab.A, OperatorsGroup, "status")).ExitCode);
        (int exitCode, string output, string error) = await RunAsync(lab.A, OperatorsGroup, "drain", "--to", LabAgent.NameB);
        Assert.True(exitCode == 0, output + error);
        Assert.True(lab.B.Owns(conversation.Connection));
        await lab.FinishAsync();
    }

    private static async Task AssertRefusedAsync(LabAgent agent, string group, string[] arguments, string reason)
    {
        (int exitCode, string output, string error) = await RunAsync(agent, group, arguments);
        Assert.True(exitCode != 0 && error.Contains(reason, StringComparison.Ordinal), $"{string.Join(' ', arguments)}: {exitCode}: {output}{error}");
    }

    // Another user who can read all files, wherever the command and the agent's directory are.
    private static async Task<(int ExitCode, string Output, string Error)> RunAsync(LabAgent agent, string group, params string[] arguments)
    {
        string[] command =
        [
            "--reuid", User, "--regid", group, "--clear-groups", "--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search",
            Command.Path, arguments[0], "--agent", agent.SocketPath, .. arguments[1..],
        ];
        await using ChildProcess process = agent.Host.Start("setpriv", command);
        int exitCode = await process.Exit.WaitAsync(s_limit);
        return (exitCode, await process.Output!.Completed.WaitAsync(s_limit), await process.ErrorOutput!.Completed.WaitAsync(s_limit));
    }
}
