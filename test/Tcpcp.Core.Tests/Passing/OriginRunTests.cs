using Tcpcp.Core.Passing;
using static Tcpcp.Core.Passing.OriginInput;
using static Tcpcp.Core.Passing.OriginState;
using static Tcpcp.Core.Tests.Passing.TableSamples;

namespace Tcpcp.Core.Tests.Passing;

/// <summary>What holds in every run of the origin, whatever it hears in whatever order, and wherever its agent dies.</summary>
public class OriginRunTests
{
    private static readonly OriginInput[] s_inputs =
    [
        .. OriginInputs.Values,
        new VerdictHeard(TicketOfAnotherNumber, PassVerdict.Accepted, PassFailure.None),
        new VerdictHeard(TicketOfAnotherNumber, PassVerdict.Refused, Failure),
        new VerdictHeard(TicketOfAnotherIncarnation, PassVerdict.Unknown, Failure),
        new RedirectionAcknowledged(Terms.DivertNumber - 1),
        new RedirectionAcknowledged(Terms.UndoNumber + 1),
    ];

    [Fact]
    public void Begun_is_on_record_before_anything_changes() => Run(onEffect: (past, effect) =>
    {
        if (effect is not (OriginEffect.SendOffer or OriginEffect.SendForget or OriginEffect.Record))
            Assert.True(past.Journal is not null, $"{effect} comes before there is a record.");
        if (effect is OriginEffect.Record record)
            Assert.True(past.Journal is not null || record.Kind == OriginRecord.Begun, $"{record} is the first record.");
    });

    [Fact]
    public void Sending_is_on_record_before_the_transfer_leaves() => Run(onEffect: (past, effect) =>
    {
        if (effect is OriginEffect.SendTransfer)
            Assert.Equal(OriginRecord.Sending, past.Journal);
    });

    [Fact]
    public void The_gate_is_closed_before_the_freeze_and_the_socket_frozen_before_the_capture() => Run(onEffect: (past, effect) =>
    {
        if (effect is OriginEffect.EnterRepair)
            Assert.True(past.IsGateClosed);
        if (effect is OriginEffect.Capture or OriginEffect.SendTransfer)
            Assert.True(past is { IsGateClosed: true, IsFrozen: true });
    });

    [Fact]
    public void The_gate_opens_only_after_a_thaw_or_when_routing_has_left() => Run(onEffect: (past, effect) =>
    {
        if (effect is OriginEffect.OpenGate)
            Assert.True(past is { IsFrozen: false } and ({ HasThawed: true } or { RoutingHasLeft: true }), $"The gate opens after {past}.");
    });

    [Fact]
    public void The_application_goes_on_only_with_a_live_socket() => Run(onEffect: (past, effect) =>
    {
        if (effect is OriginEffect.HandBack)
            Assert.True(past is { IsFrozen: false, IsGateClosed: false, HasClosed: false }, $"It is handed back after {past}.");
    });

    [Fact]
    public void Forget_is_sent_only_when_the_copies_are_closed_or_thawed_and_all_is_on_record() => Run(onEffect: (past, effect) =>
    {
        if (effect is OriginEffect.SendForget)
            Assert.True(past is { IsFrozen: false, IsGateClosed: false, Journal: null or OriginRecord.Settled or OriginRecord.Done }, $"Forget is sent after {past}.");
    });

    [Fact]
    public void What_was_thawed_is_not_closed_and_what_was_closed_is_not_thawed() => Run(onEffect: (past, effect) =>
    {
        if (effect is OriginEffect.Thaw)
            Assert.True(past is { Journal: OriginRecord.Undoing, HasClosed: false }, $"It thaws after {past}.");
        if (effect is OriginEffect.CloseSilently)
            Assert.True(past is { Journal: OriginRecord.Releasing, HasThawed: false }, $"It closes after {past}.");
    });

    [Fact]
    public void Once_the_snapshots_may_have_left_a_thaw_needs_a_refusal_or_the_operator_and_a_close_a_verdict_or_the_operator() =>
        Run(onEffect: (past, effect) =>
        {
            if (effect is OriginEffect.Thaw && past.MayHaveSent)
                Assert.True(IsForOrigin(past.Decision), $"It thaws after {past}.");
            if (effect is OriginEffect.CloseSilently)
                Assert.True(past.Decision is not null && !IsForOrigin(past.Decision), $"It closes after {past}.");
        });

    [Fact]
    public void Undoing_and_releasing_never_follow_each_other_on_record_and_nothing_follows_done() => Run(onEffect: (past, effect) =>
    {
        if (effect is OriginEffect.Record record)
        {
            Assert.True(
                (past.Journal, record.Kind) switch
                {
                    (null, OriginRecord.Begun) => true,
                    (OriginRecord.Begun, OriginRecord.Sending or OriginRecord.Undoing or OriginRecord.Settled) => true,
                    (OriginRecord.Sending, OriginRecord.Undoing or OriginRecord.Releasing) => true,
                    (OriginRecord.Undoing, OriginRecord.Undoing or OriginRecord.Settled) => true,
                    (OriginRecord.Releasing, OriginRecord.Releasing or OriginRecord.Settled) => true,
                    (OriginRecord.Settled, OriginRecord.Done) => true,
                    _ => false,
                },
                $"{record.Kind} is recorded after {past.Journal}.");
        }
    });

    [Fact]
    public void Only_a_verdict_or_the_operator_leads_out_of_sending_and_doubt() => Run(onStep: (_, before, input, after) =>
    {
        if (before is Sending or InDoubt && after is not (Sending or InDoubt))
        {
            Assert.True(
                input is OperatorAbandons or OperatorSaysDestinationIsDead || (input is VerdictHeard verdict && verdict.Ticket == Ticket),
                $"{input} leads from {before} to {after}.");
        }
    });

    [Fact]
    public void Nothing_leads_back_into_sending_or_doubt() => Run(onStep: (past, before, _, after) =>
    {
        if (after is Sending or InDoubt)
            Assert.True(before is Freezing or Sending or InDoubt && past.Decision is null, $"{before} comes to {after} after {past}.");
    });

    [Fact]
    public void The_first_verdict_decides_who_owns_the_connections()
    {
        IReadOnlySet<(OriginState State, OriginPast Past)> reached = Run();
        foreach ((OriginInput decision, ConnectionOwner owner) in new (OriginInput, ConnectionOwner)[]
        {
            (OriginInputs["VerdictHeard(Accepted)"], ConnectionOwner.Destination),
            (OriginInputs["VerdictHeard(Refused)"], ConnectionOwner.Origin),
            (OriginInputs["VerdictHeard(Unknown)"], ConnectionOwner.Nobody),
            (new OperatorAbandons(), ConnectionOwner.Nobody),
            (new OperatorSaysDestinationIsDead(), ConnectionOwner.Origin),
        })
        {
            foreach (bool hasDied in (bool[])[false, true])
            {
                Done[] ends =
                [
                    .. reached.Where(end => end.Past.Decision == decision && end.Past.HasDied == hasDied).Select(end => end.State).OfType<Done>(),
                ];
                Assert.NotEmpty(ends);
                Assert.All(ends, done => Assert.Equal(owner, done.Owner));
            }
        }
    }

    [Fact]
    public void A_new_agent_comes_to_the_outcome_that_was_on_record()
    {
        foreach ((OriginState state, OriginPast past) in Run())
        {
            if (past.Outcome is not { } outcome)
                continue;
            OriginStep recovered = OriginTable.Recover(past.Journal!.Value, Terms, outcome);
            Assert.Contains(
                NewWalk().From(recovered.State, recovered.Effects, past.AfterDeath()), end => end.State == new Done(outcome.Failure, outcome.Owner));
            Assert.DoesNotContain(
                NewWalk().From(recovered.State, recovered.Effects, past.AfterDeath()),
                end => end.State is Done done && done != new Done(outcome.Failure, outcome.Owner));
            if (state is Done reached && past.Journal == OriginRecord.Done)
                Assert.Equal(new Done(outcome.Failure, outcome.Owner), reached);
        }
    }

    [Fact]
    public void Done_stays_done() => Run(onStep: (_, before, _, after) =>
    {
        if (before is Done)
            Assert.Equal(before, after);
    });

    [Fact]
    public void Every_state_is_reached_and_from_every_one_the_pass_can_be_done()
    {
        IReadOnlySet<(OriginState State, OriginPast Past)> reached = Run();
        Assert.Equal(
            OriginStates.Values.Select(state => state.GetType().Name).ToHashSet(StringComparer.Ordinal),
            reached.Select(pair => pair.State.GetType().Name).ToHashSet(StringComparer.Ordinal));
        Assert.All(reached, pair => Assert.Contains(NewWalk().From(pair.State, [], pair.Past), end => end.State is Done));
    }

    /// <summary>A pass from its first step on, with agents that die.</summary>
    private static IReadOnlySet<(OriginState State, OriginPast Past)> Run(
        Action<OriginPast, OriginState, OriginInput, OriginState>? onStep = null,
        Action<OriginPast, OriginEffect>? onEffect = null)
    {
        OriginStep first = OriginTable.Begin(Terms.Epoch);
        return NewWalk(onStep, onEffect).From(first.State, first.Effects, new OriginPast());
    }

    private static Walk<OriginState, OriginInput, OriginEffect, OriginPast> NewWalk(
        Action<OriginPast, OriginState, OriginInput, OriginState>? onStep = null,
        Action<OriginPast, OriginEffect>? onEffect = null) => new()
        {
            Inputs = s_inputs,
            Next = Next,
            CanHappen = (_, state, input) => !(state is Sending && input is SendingNotRecorded), // see Next
            OnStep = (past, before, input, after) =>
            {
                onStep?.Invoke(past, before, input, after);
                return past.After(before, input);
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
                OriginStep step = OriginTable.Recover(record, Terms, past.Outcome);
                return (step.State, step.Effects, past.AfterDeath());
            },
        };

    private static bool IsForOrigin(OriginInput? decision) =>
        decision is VerdictHeard { Verdict: PassVerdict.Refused } or OperatorSaysDestinationIsDead;

    // The journal refuses the record: then the effects of the step to Sending are not performed, and the input is taken at once.
    private static (OriginState State, OriginEffect[] Effects) Next(OriginState state, OriginInput input)
    {
        if (state is Freezing && input is SendingNotRecorded)
            state = OriginTable.Next(state, new Captured()).State;
        OriginStep step = OriginTable.Next(state, input);
        return (step.State, step.Effects);
    }
}
