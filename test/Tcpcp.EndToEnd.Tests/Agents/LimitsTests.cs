using System.Globalization;
using System.Text.Json;
using Tcpcp.Lab;
using Tcpcp.Linux.Processes;
using Tcpcp.Traffic;

namespace Tcpcp.EndToEnd.Tests.Agents;

/// <summary>
/// Thousands of connections and of passes: nothing is left of them, and what is slow or full at one host harms nothing. <c>./test.sh --limits</c> takes 9,000
/// connections there and back 20 times, and makes 10,000 passes one after another.
/// </summary>
[Collection(HeavyTests.Name)]
public sealed class LimitsTests(LabCertificates certificates, ITestOutputHelper output)
{
    private const int Frozen = 32; // limits:frozen
    private const long JournalBytes = 5 << 18; // it is written anew from 1 MiB on
    private const int MoreThreads = 8; // the pool takes its time to let them go
    private const double MoreMegabytes = 16; // a heap is as large as its last collection left it

    private static readonly bool s_areWhole = Environment.GetEnvironmentVariable("TCPCP_LIMITS") is { Length: > 0 };

    [Theory, InlineData(EchoService.Name), InlineData(EchoService.GroupedName)]
    public async Task Many_connections_go_there_and_back_and_all_is_as_before(string application)
    {
        (int count, int laps) = s_areWhole ? (9000, 20) : (500, 3);
        await using CrowdLab lab = await CrowdLab.StartAsync(Command.Path);
        lab.Peer.Connect(count);
        await lab.Peer.EchoAsync();
        ResourceUse[] before = Measure(lab), warm = before;
        for (int lap = 0; lap < laps; lap++)
        {
            await lab.Home.DrainAsync(lab.Other.Name, application, count);
            await lab.Peer.EchoAsync();
            await lab.Other.DrainAsync(lab.Home.Name, application, count);
            await lab.Peer.EchoAsync();
            if (lap == 0)
                warm = Measure(lab);
        }

        await AssertAsBeforeAsync(lab, before, warm);
    }

    [Fact]
    public async Task Thousands_of_passes_of_one_connection_leave_nothing()
    {
        int passes = s_areWhole ? 10_000 : 100;
        await using CrowdLab lab = await CrowdLab.StartAsync(Command.Path);
        lab.Peer.Connect(1);
        await lab.Peer.EchoAsync();
        ResourceUse[] before = Measure(lab), warm = before;
        for (int pass = 0; pass < passes; pass++)
        {
            if (pass == passes / 10)
                warm = Measure(lab);
            (AgentProcess from, AgentProcess to) = pass % 2 == 0 ? (lab.Home, lab.Other) : (lab.Other, lab.Home);
            await from.PassAsync(to.Name, EchoService.Name);
            await lab.Peer.EchoAsync();
        }

        await AssertAsBeforeAsync(lab, before, warm);
    }

    [Fact]
    public async Task A_slow_destination_slows_the_drain_and_only_those_that_are_under_way()
    {
        const int Many = 100;
        await using AgentLab lab = await AgentLab.StartWithEchoAsync(certificates);
        lab.EchoB!.Examining = () => Task.Delay(100);
        IReadOnlyList<EchoConversation> conversations = await lab.ConverseManyAsync(Many, bytesPerSecond: 20_000);
        await using ChildProcess drain = lab.A.StartCommand("drain", "--to", LabAgent.NameB, "--json");
        int most = 0;
        while (!drain.Exit.IsCompleted)
        {
            most = Math.Max(most, lab.A.ClosedGates);
            await Task.Delay(1); // it looks all the time
        }

        Assert.Equal(0, await drain.Exit);
        Assert.InRange(most, 1, Frozen);
        Assert.All(LabAgent.Parse(await drain.Output!.Completed), report => Assert.Equal("None", report.GetProperty("failure").GetString()));
        Assert.All(conversations, conversation => Assert.True(lab.B.Owns(conversation.Connection)));
        await lab.FinishAsync();
    }

    [Fact]
    public async Task A_destination_whose_journal_has_no_room_refuses_and_takes_them_when_it_has()
    {
        const int Many = 20;
        JournalSpace? space = null;
        await using AgentLab lab = await AgentLab.StartWithEchoAsync(certificates, configure: lab => space = JournalSpace.Mount(lab.B));
        IReadOnlyList<EchoConversation> conversations = await lab.ConverseManyAsync(Many, bytesPerSecond: 20_000);
        space!.Fill();
        IReadOnlyList<JsonElement> reports = await lab.A.JsonAsync(1, "drain", "--to", LabAgent.NameB);
        Assert.Equal(Many, reports.Count);
        Assert.All(reports, report =>
        {
            Assert.Equal("Origin", report.GetProperty("owner").GetString());
            Assert.Contains("journal", report.GetProperty("detail").GetString(), StringComparison.OrdinalIgnoreCase);
        });
        Assert.All(conversations, conversation => Assert.True(lab.A.Owns(conversation.Connection)));

        space.Free();
        await lab.A.JsonAsync(0, "drain", "--to", LabAgent.NameB);
        Assert.All(conversations, conversation => Assert.True(lab.B.Owns(conversation.Connection)));
        await lab.FinishAsync();
    }

    private static ResourceUse[] Measure(CrowdLab lab) => [.. lab.Agents.Select(ResourceUse.Of)];

    // Memory is compared with what it was before, or what the first passes have made of it: the one or the other may have been looked at just after a collection.
    private async Task AssertAsBeforeAsync(CrowdLab lab, ResourceUse[] before, ResourceUse[] warm)
    {
        ResourceUse[] after = before;
        await Eventually.True(() =>
        {
            after = Measure(lab);
            return before.Zip(after).All(use => use.Second.AgentThreads <= use.First.AgentThreads + MoreThreads && use.Second.AgentDescriptors <= use.First.AgentDescriptors);
        }, "threads and descriptors go");
        string said = string.Join('\n', before.Zip(warm, after));
        output.WriteLine(said);
        foreach ((ResourceUse was, ResourceUse then, ResourceUse now) in before.Zip(warm, after))
        {
            Assert.True(now.AgentMegabytes <= Math.Max(was.AgentMegabytes, then.AgentMegabytes) + MoreMegabytes, said);
            Assert.True((now.ApplicationDescriptors, now.Rules) == (was.ApplicationDescriptors, was.Rules), said);
            Assert.True(now.JournalBytes <= JournalBytes, said);
        }

        foreach (AgentProcess agent in lab.Agents)
            Assert.Empty(await agent.Operator.ListPassesAsync());
    }
}
