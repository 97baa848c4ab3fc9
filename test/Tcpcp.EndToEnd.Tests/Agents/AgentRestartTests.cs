using System.Net.Sockets;
using Tcpcp.Core;
using Tcpcp.Linux.Processes;

namespace Tcpcp.EndToEnd.Tests.Agents;

/// <summary>Applications whose agent dies, and the next one.</summary>
public sealed class AgentRestartTests(LabCertificates certificates)
{
    [Theory, InlineData(1), InlineData(2)]
    public async Task What_an_application_closes_in_the_middle_of_a_pass_does_not_keep_it_from_the_next_agent(int groupSize)
    {
        await using AgentLab lab = await AgentLab.StartWithEchoAsync(certificates, AgentLab.Forward);
        using Socket closing = lab.Connect();
        FourTuple name = AgentLab.NameOf(closing);
        await Eventually.True(() => lab.EchoA!.Count == 1);
        Socket closed = lab.EchoA!.Sockets[0];
        IReadOnlyList<EchoConversation> others = await lab.ConverseManyAsync(groupSize - 1, bytesPerSecond: 100_000);
        lab.EchoA.GroupSize = groupSize;
        TaskCompletionSource quiescing = new(TaskCreationOptions.RunContinuationsAsynchronously), killed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        lab.EchoA.Quiescing = () =>
        {
            quiescing.TrySetResult();
            return killed.Task;
        };
        await using ChildProcess drain = lab.A.StartCommand("drain", "--to", LabAgent.NameB);
        await quiescing.Task.WaitAsync(TimeSpan.FromSeconds(30));
        closed.Dispose();
        await lab.A.KillAsync();
        killed.SetResult();
        lab.EchoA.Quiescing = null;
        await lab.A.StartAsync();

        await lab.UntilMetAsync();
        EchoConversation conversation = await lab.ConverseAsync();
        await Eventually.True(async () => (await lab.A.OpenPassesAsync()).Count == 0);
        foreach (EchoConversation other in others.Append(conversation))
        {
            await other.ProgressAsync(20_000);
            await lab.A.PassAsync(other.Connection, lab.B);
            Assert.True(lab.B.Owns(other.Connection));
        }

        await lab.AssertNothingIsLeftAsync();
        // A socket that is closed while it is read from resets.
        AgentLab.AssertClean([.. (await lab.JudgeAsync()).Where(report => report.Connection != name)]);
    }
}
