using Tcpcp.Agent.Passing;
using Tcpcp.Agent.Tests.Conversations;
using static Tcpcp.Agent.Tests.Conversations.ConversationLab;

namespace Tcpcp.Agent.Tests.Link;

/// <summary>Passes of live connections over the link that agents have: gRPC over TLS.</summary>
public sealed class SecuredPassTests
{
    private const int Progress = 300_000;

    [Fact]
    public async Task Connections_go_there_and_back()
    {
        await using SecuredConversations secured = await SecuredConversations.StartAsync();
        ConversationLab lab = secured.Lab;
        Conversation[] conversations = [lab.Converse(), lab.Converse()];
        await Task.WhenAll(conversations.Select(conversation => conversation.ProgressAsync(Progress)));
        await lab.OrderPassAsync(A, B);
        Assert.Equal("None Destination", await lab.OutcomeAsync(A));
        await Task.WhenAll(conversations.Select(conversation => conversation.ProgressAsync(Progress)));
        await lab.OrderPassAsync(B, A);
        Assert.Equal("None Destination", await lab.OutcomeAsync(B));
        await lab.FinishAsync(owner: A);
        await lab.AssertCleanAsync();
    }

    [Theory]
    [InlineData(nameof(PassAction.Ready), "DestinationUnreachable Origin", A)]
    [InlineData(nameof(PassAction.Accepted), "None Destination", B)]
    [InlineData(nameof(PassAction.Activated), "None Destination", B)]
    public async Task A_link_cut_at_a_step_of_the_destination_and_healed_later_loses_nothing(string step, string outcome, string owner)
    {
        await using SecuredConversations secured = await SecuredConversations.StartAsync($"stall=Destination:{step}");
        ConversationLab lab = secured.Lab;
        ByteRelay relay = secured.Relay();
        await lab.Converse().ProgressAsync(Progress);
        await lab.OrderPassAsync(A, Between);
        await lab.StepAsync(B, $"Destination:{step}");
        relay.Cut();
        await lab.LineAsync(A, "link Broken");
        await lab.OrderAsync(B, "go");
        relay.Heal();
        Assert.Equal(outcome, await lab.OutcomeAsync(A));
        await lab.FinishAsync(owner);
        await lab.AssertCleanAsync();
    }
}
