using Tcpcp.Core.Passing;
using static Tcpcp.Core.Passing.DestinationInput;
using static Tcpcp.Core.Passing.DestinationState;
using static Tcpcp.Core.Tests.Passing.TableSamples;

namespace Tcpcp.Core.Tests.Passing;

/// <summary>What holds in every run of the destination, whatever it hears in whatever order, and wherever its agent dies.</summary>
public class DestinationRunTests
{
    private static readonly DestinationInput[] s_inputs =
    [
        .. DestinationInputs.Values,
        new TransferHeard(TicketOfAnotherNumber),
        new ResolveHeard(TicketOfAnotherNumber, LivesHere: false),
        new ResolveHeard(TicketOfAnotherIncarnation, LivesHere: true),
        new UndoHeard(TicketOfAnotherNumber),
        new ForgetHeard(TicketOfAnotherIncarnation),
    ];

    [Fact]
    public void Accepted_and_refused_never_follow_each_other_on_record() => Run(onEffect: (past, effect) =>
    {
        if (effect is DestinationEffect.Record { Kind: DestinationRecord.Accepted })
            Assert.False(past.HasRefused || past.HasAccepted, $"It accepts after {past}.");
        if (effect is DestinationEffect.Record { Kind: DestinationRecord.Refused })
            Assert.False(past.HasAccepted, $"It refuses after {past}.");
    });

    [Fact]
    public void Records_come_in_the_order_of_a_pass_and_nothing_follows_forgotten() => Run(onEffect: (past, effect) =>
    {
        if (effect is DestinationEffect.Record record)
        {
            Assert.True(
                (past.Journal, record.Kind) switch
                {
                    (null, DestinationRecord.Offered) => true,
                    (DestinationRecord.Offered, DestinationRecord.Accepted or DestinationRecord.Refused) => true,
                    (DestinationRecord.Accepted, DestinationRecord.Activating) => true,
                    (DestinationRecord.Activating, DestinationRecord.Activating or DestinationRecord.Active) => true,
                    (DestinationRecord.Refused, DestinationRecord.Refused) => true,
                    (not (null or DestinationRecord.Accepted or DestinationRecord.Forgotten), DestinationRecord.Forgotten) => true,
                    _ => false,
                },
                $"{record.Kind} is recorded after {past.Journal}.");
        }
    });

    [Fact]
    public void A_verdict_about_the_ticket_of_the_pass_is_the_one_on_record_until_all_is_forgotten() => Run(onEffect: (past, effect) =>
    {
        if (effect is not DestinationEffect.SendVerdict verdict || verdict.Ticket != Ticket)
            return;
        bool isAccepted = past.Journal is DestinationRecord.Activating or DestinationRecord.Active;
        Assert.Equal(isAccepted ? PassVerdict.Accepted : PassVerdict.Refused, verdict.Verdict);
        Assert.NotEqual(DestinationRecord.Offered, past.Journal);
    });

    [Fact]
    public void Ready_is_said_when_the_offer_is_on_record_the_gate_closed_and_the_hold_armed() => Run(onEffect: (past, effect) =>
    {
        if (effect is DestinationEffect.SendReady)
            Assert.True(past is { Journal: DestinationRecord.Offered, IsGateClosed: true, IsHolding: true }, $"It is ready after {past}.");
    });

    [Fact]
    public void Nothing_lives_before_its_activation_is_on_record() => Run(onEffect: (past, effect) =>
    {
        if (effect is DestinationEffect.LeaveRepair or DestinationEffect.Go or DestinationEffect.SendActive)
            Assert.True(past is { HasAccepted: true, Journal: DestinationRecord.Activating or DestinationRecord.Active }, $"{past}");
    });

    [Fact]
    public void Sockets_are_restored_behind_the_closed_gate_and_never_discarded_once_accepted() => Run(onEffect: (past, effect) =>
    {
        if (effect is DestinationEffect.RestoreDormant)
            Assert.True(past.IsGateClosed);
        if (effect is DestinationEffect.Discard)
            Assert.True(past is { IsLive: false, HasAccepted: false }, $"It discards after {past}.");
    });

    [Fact]
    public void The_gate_opens_only_for_live_sockets_or_when_none_is_left() => Run(onEffect: (past, effect) =>
    {
        if (effect is DestinationEffect.OpenGate)
            Assert.False(past.IsDormant, $"The gate opens after {past}.");
    });

    [Fact]
    public void After_a_refusal_the_gate_stays_closed_until_the_origin_forgets() => Run(onStep: (before, input, after) =>
    {
        if (before is Refused)
            Assert.True(after is Refused || (after is Forgotten && input is ForgetHeard), $"{input} leads from {before} to {after}.");
    });

    [Fact]
    public void What_is_accepted_stays_so_until_it_is_active_and_the_origin_forgets_it() => Run(onStep: (before, input, after) =>
    {
        if (before is Accepted accepted)
        {
            Assert.True(
                after is Accepted || (input is Activated && (accepted.IsReleased ? after is Forgotten : after is Active)),
                $"{input} leads from {before} to {after}.");
            Assert.False(accepted.IsReleased && after is Accepted { IsReleased: false }, $"{input} takes the release back.");
        }

        if (before is Active)
            Assert.True(after is Active || (after is Forgotten && input is ForgetHeard), $"{input} leads from {before} to {after}.");
    });

    [Fact]
    public void A_forgotten_pass_stays_forgotten() => Run(onStep: (before, _, after) =>
    {
        if (before is Forgotten)
            Assert.Equal(before, after);
    });

    [Fact]
    public void Every_state_is_reached_and_from_every_one_with_an_offer_the_pass_can_be_forgotten_with_its_gate_open()
    {
        IReadOnlySet<(DestinationState State, DestinationPast Past)> reached = Run();
        Assert.Equal(
            DestinationStates.Values.Select(state => Kind(StepText.Of(state))).ToHashSet(StringComparer.Ordinal),
            reached.Select(pair => Kind(StepText.Of(pair.State))).ToHashSet(StringComparer.Ordinal));
        Assert.All(reached, pair => Assert.Contains(
            NewWalk().From(pair.State, [], pair.Past), end => end is { State: Forgotten, History.IsGateClosed: false }));

        // Refused as all refusals are one; Accepted(released) beside Accepted.
        static string Kind(string state) => state.StartsWith("Refused", StringComparison.Ordinal) ? "Refused" : state;
    }

    [Fact]
    public void Whatever_is_forgotten_has_an_open_gate_and_no_dormant_copy() => Assert.All(
        Run().Where(pair => pair.State is Forgotten),
        pair => Assert.False(pair.Past.IsGateClosed || pair.Past.IsDormant, $"{pair.Past} is forgotten."));

    /// <summary>A pass from its offer on, with agents that die.</summary>
    private static IReadOnlySet<(DestinationState State, DestinationPast Past)> Run(
        Action<DestinationState, DestinationInput, DestinationState>? onStep = null,
        Action<DestinationPast, DestinationEffect>? onEffect = null) =>
        NewWalk(onStep, onEffect).From(new Unknown(Ticket.Incarnation), [], new DestinationPast());

    private static Walk<DestinationState, DestinationInput, DestinationEffect, DestinationPast> NewWalk(
        Action<DestinationState, DestinationInput, DestinationState>? onStep = null,
        Action<DestinationPast, DestinationEffect>? onEffect = null) => new()
        {
            Inputs = s_inputs,
            CanHappen = (_, state, input) => !(state is Accepted && input is AcceptNotRecorded), // see Next
            Next = (state, input) =>
            {
                // The journal refuses the record: then the effects of the step to Accepted are not performed, and the input is taken at once.
                if (state is Restoring && input is AcceptNotRecorded)
                    state = DestinationTable.Next(state, new ApplicationTook()).State;
                DestinationStep step = DestinationTable.Next(state, input);
                return (step.State, step.Effects);
            },
            OnStep = (past, before, input, after) =>
            {
                onStep?.Invoke(before, input, after);
                return past;
            },
            OnEffect = (past, effect) =>
            {
                onEffect?.Invoke(past, effect);
                return past.After(effect);
            },
            Recover = past =>
            {
                if (past.Journal is not { } record)
                    return null;
                DestinationStep step = DestinationTable.Recover(record, Terms);
                return (step.State, step.Effects, past);
            },
        };
}
