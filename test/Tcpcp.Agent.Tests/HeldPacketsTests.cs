using Tcpcp.Agent.Hold;
using Tcpcp.Agent.Passing;
using Tcpcp.Agent.Tests.Conversations;
using Tcpcp.Lab;
using Tcpcp.Linux.Namespaces;
using static Tcpcp.Agent.Tests.Conversations.ConversationLab;

namespace Tcpcp.Agent.Tests;

/// <summary>What the destination has held goes back to the origin after a refusal, and arrives there before what the peer sends to the origin again.</summary>
public sealed class HeldPacketsTests
{
    private const string HoldDevice = PacketHold.DeviceName;
    private const int Progress = 500_000;

    [Theory]
    [InlineData("Bpf", "Tap")]
    [InlineData("Nftables", "Tap")]
    [InlineData("Bpf", "Veth")]
    [InlineData("Nftables", "Veth")]
    public async Task After_a_refusal_what_the_destination_held_arrives_at_the_origin_in_order_once_and_first(string packetSwitch, string device)
    {
        await using ConversationLab lab = await ConversationLab.CreateAsync();
        await lab.StartAsync(A, $"switch={packetSwitch}", $"hold={device}");
        await lab.StartAsync(B, "refuse", $"switch={packetSwitch}", $"hold={device}");
        Conversation conversation = lab.Converse();
        await conversation.ProgressAsync(Progress);
        using FrameLog atDestination = Log(lab, lab.HostB, Host.InterfaceName);
        using FrameLog atOrigin = Log(lab, lab.HostA, Host.InterfaceName);
        using FrameLog ofHold = Log(lab, lab.HostA, HoldDevice);
        await lab.OrderPassAsync(A, B);
        Assert.Equal("RefusedByApplication Origin", await lab.OutcomeAsync(A));
        await conversation.ProgressAsync(Progress);

        IReadOnlyList<LoggedPacket> heldThere = atDestination.Take();
        ILookup<bool, LoggedPacket> hold = ofHold.Take().ToLookup(packet => packet.IsOutgoing);
        LoggedPacket[] heldHere = [.. hold[true]];
        LoggedPacket[] replayed = [.. hold[false]];
        Assert.NotEmpty(heldThere);
        Assert.Equal(heldThere.Select(packet => packet.Content).Concat(heldHere.Select(packet => packet.Content)), replayed.Select(packet => packet.Content));

        // What the peer sent here again: first what was held here too, then what came directly.
        LoggedPacket[] afterwards = [.. atOrigin.Take().Where(packet => packet.Timestamp > heldThere[^1].Timestamp)];
        Assert.Equal(heldHere.Select(packet => packet.Content), afterwards.Take(heldHere.Length).Select(packet => packet.Content));
        Assert.True(afterwards[heldHere.Length].Timestamp > replayed[heldThere.Count - 1].Timestamp, "A new packet arrived before those that the destination had held.");
        Assert.Contains($"step Destination:{nameof(PassAction.Undone)} {heldThere.Count} held packets", lab.Log(B), StringComparison.Ordinal);

        await lab.FinishAsync(owner: A);
        await lab.AssertCleanAsync();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_connection_goes_there_and_back_without_a_TUN(bool ipv6)
    {
        await using ConversationLab lab = await ConversationLab.CreateAsync(ipv6);
        foreach (Host host in (Host[])[lab.HostA, lab.HostB])
            host.Run(() => MountSystemCalls.MountFresh("tmpfs", "/dev/net", "size=4k"));
        await lab.StartAsync(A);
        await lab.StartAsync(B);
        Conversation conversation = lab.Converse();
        await conversation.ProgressAsync(Progress);
        await lab.OrderPassAsync(A, B);
        Assert.Equal("None Destination", await lab.OutcomeAsync(A));
        await conversation.ProgressAsync(Progress);
        Assert.Equal("veth", lab.HostB.Network.Links.Get(HoldDevice).Kind);
        await lab.OrderPassAsync(B, A);
        Assert.Equal("None Destination", await lab.OutcomeAsync(B));
        await lab.FinishAsync(owner: A);
        await lab.AssertCleanAsync();
    }

    [Fact]
    public async Task A_veth_pair_that_a_killed_agent_has_left_is_replaced_by_the_next_one()
    {
        await using ConversationLab lab = await ConversationLab.CreateAsync();
        await lab.StartAsync(A, "hold=Veth");
        await lab.StartAsync(B, "hold=Veth", $"kill=Destination:{nameof(PassAction.Accepted)}");
        Conversation conversation = lab.Converse();
        await conversation.ProgressAsync(Progress);
        await lab.OrderPassAsync(A, B);
        await lab.DiesAsync(B);
        int left = lab.HostB.Network.Links.Get(HoldDevice).Index;
        Assert.True(lab.HostB.Run(() => PacketHold.IsLeft(lab.HostB.Network)));
        await lab.StartAsync(B, "hold=Veth");
        Assert.Equal("None Destination", await lab.OutcomeAsync(A));
        Assert.NotEqual(left, lab.HostB.Network.Links.Get(HoldDevice).Index);
        await lab.FinishAsync(owner: B);
        await lab.AssertCleanAsync();
    }

    private static FrameLog Log(ConversationLab lab, Host host, string interfaceName) =>
        FrameLog.Start(host, interfaceName, lab.Peer.IPv4, lab.ServiceAddress);
}
