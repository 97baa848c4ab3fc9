using System.Net.NetworkInformation;
using Tcpcp.Agent.Passing;
using Tcpcp.Agent.Tests.Conversations;
using Tcpcp.Check;
using Tcpcp.Linux.Netlink;
using static Tcpcp.Agent.Tests.Conversations.ConversationLab;

namespace Tcpcp.Agent.Tests;

/// <summary>A pass of several connections has one verdict: all of them or none. Data flows both ways on each.</summary>
public sealed class SeveralConnectionsTests
{
    private const int Connections = 3;
    private const int Progress = 300_000;

    [Fact]
    public async Task All_go_there_and_back()
    {
        await using ConversationLab lab = await ConversationLab.CreateAsync();
        await lab.StartAsync(A);
        await lab.StartAsync(B);
        Conversation[] conversations = await BeginAsync(lab);
        await lab.OrderPassAsync(A, B);
        Assert.Equal("None Destination", await lab.OutcomeAsync(A));
        await Task.WhenAll(conversations.Select(conversation => conversation.ProgressAsync(Progress)));
        await lab.OrderPassAsync(B, A);
        Assert.Equal("None Destination", await lab.OutcomeAsync(B));
        await lab.FinishAsync(owner: A);
        await lab.AssertCleanAsync();
    }

    [Fact]
    public async Task Refused_after_the_divert_all_go_on_at_the_origin_with_the_packets_that_were_held()
    {
        await using ConversationLab lab = await ConversationLab.CreateAsync();
        await lab.StartAsync(A);
        await lab.StartAsync(B, "refuse");
        Conversation[] conversations = await BeginAsync(lab);
        for (int attempt = 0; attempt < 3; attempt++)
        {
            await lab.OrderPassAsync(A, B);
            Assert.Equal("RefusedByApplication Origin", await lab.OutcomeAsync(A, attempt));
            await Task.WhenAll(conversations.Select(conversation => conversation.ProgressAsync(Progress)));
        }

        Assert.True(lab.HasStep(B, $"Destination:{nameof(PassAction.Undone)}"), lab.Log(B));
        await lab.FinishAsync(owner: A);
        await lab.AssertCleanAsync();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_way_to_the_peer_is_known_at_the_destination_before_a_connection_lives_there(bool ipv6)
    {
        await using ConversationLab lab = await ConversationLab.CreateAsync(ipv6);
        await lab.StartAsync(A);
        await lab.StartAsync(B, "refuse");
        await BeginAsync(lab);
        await lab.OrderPassAsync(A, B);
        Assert.Equal("RefusedByApplication Origin", await lab.OutcomeAsync(A));
        Neighbour entry = Assert.Single(lab.HostB.Network.Neighbours.List(), entry => entry.Address.Equals(ipv6 ? lab.Peer.IPv6 : lab.Peer.IPv4));
        Assert.NotEqual(PhysicalAddress.None, entry.HardwareAddress);
        await lab.FinishAsync(owner: A);
        await lab.AssertCleanAsync();
    }

    [Fact]
    public async Task One_that_cannot_be_woken_after_the_verdict_is_reset_and_the_others_live()
    {
        await using ConversationLab lab = await ConversationLab.CreateAsync();
        await lab.StartAsync(A);
        await lab.StartAsync(B, "close=1");
        Conversation[] conversations = await BeginAsync(lab);
        await lab.OrderPassAsync(A, B);
        Assert.Equal("None Destination", await lab.OutcomeAsync(A));
        Assert.True(lab.HasStep(B, $"Destination:{nameof(PassAction.Broken)}"), lab.Log(B));
        await lab.OneIsResetAsync();
        await lab.FinishAsync(owner: B);
        IReadOnlyList<ConnectionReport> judged = await lab.JudgeAsync();
        Assert.Equal(Connections, judged.Count);
        Assert.Single(judged, connection => connection.ServiceResets > 0);
        foreach (ConnectionReport connection in judged)
            Assert.Equal([], connection.Findings.Where(finding => finding.Kind != ContradictionKind.Reset).Select(finding => finding.Message));
    }

    private static async Task<Conversation[]> BeginAsync(ConversationLab lab)
    {
        Conversation[] conversations = [.. Enumerable.Range(0, Connections).Select(_ => lab.Converse())];
        await Task.WhenAll(conversations.Select(conversation => conversation.ProgressAsync(Progress)));
        return conversations;
    }
}
