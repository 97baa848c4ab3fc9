using Tcpcp.Agent.Passing;
using Tcpcp.Agent.Tests.Conversations;
using static Tcpcp.Agent.Tests.Conversations.ConversationLab;

namespace Tcpcp.Agent.Tests;

/// <summary>A journal has no room, at each step at which that can be: the connection goes on, or ends as that of any program.</summary>
public sealed class FullJournalTests
{
    private const int Progress = 500_000;
    private const int SmallKibibytes = 128;
    private const int LargeSendBuffer = 2 << 20; // more than a small journal takes

    [Fact]
    public async Task An_origin_whose_journal_has_no_room_for_the_snapshot_sends_nothing()
    {
        await using ConversationLab lab = await ConversationLab.CreateAsync();
        lab.LimitJournal(A, SmallKibibytes);
        await lab.StartAsync(A, $"sndbuf={LargeSendBuffer}");
        await lab.StartAsync(B);
        await AssertStaysAsync(lab, "JournalFull Origin");
        Assert.False(lab.HasStep(A, $"Origin:{nameof(PassAction.Sent)}"), lab.Log(A));
    }

    [Fact]
    public async Task A_destination_whose_journal_has_no_room_for_the_snapshot_refuses()
    {
        await using ConversationLab lab = await ConversationLab.CreateAsync();
        lab.LimitJournal(B, SmallKibibytes);
        await lab.StartAsync(A, $"sndbuf={LargeSendBuffer}");
        await lab.StartAsync(B);
        await AssertStaysAsync(lab, "Expired Origin");
    }

    [Theory]
    [InlineData("Undoing")]
    [InlineData("Settled")]
    public async Task A_refused_pass_is_undone_whether_its_records_are_taken_or_not(string step)
    {
        await using ConversationLab lab = await ConversationLab.CreateAsync();
        await lab.StartAsync(A, $"full={step}");
        await lab.StartAsync(B, "refuse");
        await AssertStaysAsync(lab, "RefusedByApplication Origin");
        Assert.Contains($"full {step}", lab.Log(A), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Releasing")]
    [InlineData("Settled")]
    public async Task An_accepted_pass_is_released_whether_its_records_are_taken_or_not(string step)
    {
        await using ConversationLab lab = await ConversationLab.CreateAsync();
        await lab.StartAsync(A, $"full={step}");
        await lab.StartAsync(B);
        await lab.Converse().ProgressAsync(Progress);
        await lab.OrderPassAsync(A, B);
        Assert.Equal("None Destination", await lab.OutcomeAsync(A));
        await lab.FinishAsync(owner: B);
        await lab.AssertCleanAsync();
        Assert.Contains($"full {step}", lab.Log(A), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_origin_that_dies_after_a_thaw_that_is_not_on_record_asks_again_and_ends_the_connection_as_any_program_would()
    {
        await using ConversationLab lab = await ConversationLab.CreateAsync();
        await lab.StartAsync(A, "full=Undoing", $"kill=Origin:{nameof(PassAction.Thawed)}");
        await lab.StartAsync(B, "refuse");
        await lab.Converse().ProgressAsync(Progress);
        await lab.OrderPassAsync(A, B);
        await lab.DiesAsync(A);
        await lab.StartAsync(A);
        await lab.AssertEndedAsync();
        Assert.Contains("step Origin:Recovered Sending", lab.Log(A), StringComparison.Ordinal);
    }

    private static async Task AssertStaysAsync(ConversationLab lab, string outcome)
    {
        await lab.Converse().ProgressAsync(Progress);
        await lab.OrderPassAsync(A, B);
        Assert.Equal(outcome, await lab.OutcomeAsync(A));
        await lab.FinishAsync(owner: A);
        await lab.AssertCleanAsync();
    }
}
