using Tcpcp.Agent.Passing;
using Tcpcp.Agent.Tests.Conversations;
using static Tcpcp.Agent.Tests.Conversations.ConversationLab;

namespace Tcpcp.Agent.Tests;

/// <summary>An application and the agent in it are killed (SIGKILL) at each step of a pass and started again, with data flowing both ways.</summary>
public sealed class KilledAgentTests
{
    private const int Progress = 500_000;

    [Theory]
    [InlineData(nameof(PassAction.Ready))]
    [InlineData(nameof(PassAction.Diverted))]
    [InlineData(nameof(PassAction.Received))]
    [InlineData(nameof(PassAction.Restored))]
    public async Task A_destination_killed_before_its_verdict_leaves_the_connection_at_the_origin(string step)
    {
        await using ConversationLab lab = await KillDestinationAsync(step);
        await lab.StartAsync(B);
        Assert.EndsWith(" Origin", await lab.OutcomeAsync(A), StringComparison.Ordinal);
        await lab.FinishAsync(owner: A);
        await lab.AssertCleanAsync();
    }

    [Theory]
    [InlineData(nameof(PassAction.Accepted))]
    [InlineData(nameof(PassAction.Activating))]
    public async Task A_destination_killed_after_its_verdict_makes_the_connection_again_from_its_journal(string step)
    {
        await using ConversationLab lab = await KillDestinationAsync(step);
        await lab.StartAsync(B);
        Assert.Equal("None Destination", await lab.OutcomeAsync(A));
        await lab.FinishAsync(owner: B);
        await lab.AssertCleanAsync();
    }

    [Theory]
    [InlineData(nameof(PassAction.Woken))]
    [InlineData(nameof(PassAction.Replayed))]
    [InlineData(nameof(PassAction.Activated))]
    public async Task A_destination_killed_when_the_connection_lives_ends_it_as_any_program_would(string step)
    {
        await using ConversationLab lab = await KillDestinationAsync(step);
        await lab.StartAsync(B);
        Assert.Equal("None Destination", await lab.OutcomeAsync(A));
        await lab.AssertEndedAsync();
    }

    [Theory]
    [InlineData(nameof(PassAction.Offered))]
    [InlineData(nameof(PassAction.Begun))]
    [InlineData(nameof(PassAction.Quiesced))]
    [InlineData(nameof(PassAction.Frozen))]
    [InlineData(nameof(PassAction.Captured))]
    public async Task An_origin_killed_before_the_snapshot_leaves_ends_the_connection_as_any_program_would(string step)
    {
        await using ConversationLab lab = await KillOriginAsync(step);
        await lab.StartAsync(A);
        await lab.AssertEndedAsync();
    }

    [Fact]
    public async Task An_origin_killed_when_the_sending_is_recorded_makes_the_connection_again_from_its_journal()
    {
        await using ConversationLab lab = await KillOriginAsync(nameof(PassAction.SendingRecorded));
        await lab.StartAsync(A);
        await lab.FinishAsync(owner: A);
        await lab.AssertCleanAsync();
    }

    [Theory]
    [InlineData(nameof(PassAction.Sent))]
    [InlineData(nameof(PassAction.Released))]
    public async Task An_origin_killed_when_the_snapshot_has_left_loses_nothing(string step)
    {
        await using ConversationLab lab = await KillOriginAsync(step);
        await lab.StartAsync(A);
        await lab.FinishAsync(owner: B);
        await lab.AssertCleanAsync();
    }

    private static Task<ConversationLab> KillDestinationAsync(string step) => KillAsync(B, $"Destination:{step}");

    private static Task<ConversationLab> KillOriginAsync(string step) => KillAsync(A, $"Origin:{step}");

    private static async Task<ConversationLab> KillAsync(string victim, string step)
    {
        ConversationLab lab = await ConversationLab.CreateAsync();
        try
        {
            await lab.StartAsync(A, victim == A ? [$"kill={step}"] : []);
            await lab.StartAsync(B, victim == B ? [$"kill={step}"] : []);
            await lab.Converse().ProgressAsync(Progress);
            await lab.OrderPassAsync(A, B);
            await lab.DiesAsync(victim);
            return lab;
        }
        catch
        {
            await lab.DisposeAsync();
            throw;
        }
    }
}
