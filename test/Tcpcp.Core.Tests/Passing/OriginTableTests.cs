using Tcpcp.Core.Passing;
using static Tcpcp.Core.Passing.OriginInput;
using static Tcpcp.Core.Passing.OriginState;
using static Tcpcp.Core.Tests.Passing.TableSamples;

namespace Tcpcp.Core.Tests.Passing;

public class OriginTableTests
{
    private static readonly Expectations s_expected = new(
        """
        Offering   + ReadyHeard                      -> Beginning: Record(Begun), TellApplication, Quiesce
        Offering   + OfferRefused, StepFailed        -> Done(RefusedByApplication, Origin)
        Offering   + LinkLost, TimeIsUp              -> Done(DestinationUnreachable, Origin)
        Offering   + ApplicationDied                 -> Done(NotPassable, Origin)
        Beginning  + Quiesced                        -> Diverting: Redirect(there)
        Beginning  + VerdictHeard(Refused)           -> Settled(RefusedByApplication, Origin): HandBack, Record(Settled), SendForget
        Beginning  + VerdictHeard(Unknown)           -> Settled(RefusedByApplication, Origin): HandBack, Record(Settled), SendForget
        Beginning  + StepFailed                      -> Settled(RefusedByApplication, Origin): HandBack, Record(Settled), SendForget
        Beginning  + LinkLost, TimeIsUp              -> Settled(DestinationUnreachable, Origin): HandBack, Record(Settled), SendForget
        Beginning  + ApplicationDied                 -> Settled(NotPassable, Origin): HandBack, Record(Settled), SendForget
        Diverting  + RedirectionAcknowledged(divert) -> Freezing: CloseGate, EnterRepair, Capture
        Diverting  + RedirectionAcknowledged(undo)   -> Undoing(RedirectionFailed): Record(Undoing), Redirect(back)
        Diverting  + VerdictHeard(Refused)           -> Undoing(RefusedByApplication): Record(Undoing), Redirect(back)
        Diverting  + VerdictHeard(Unknown)           -> Undoing(RefusedByApplication): Record(Undoing), Redirect(back)
        Diverting  + StepFailed                      -> Undoing(RefusedByApplication): Record(Undoing), Redirect(back)
        Diverting  + LinkLost, TimeIsUp              -> Undoing(DestinationUnreachable): Record(Undoing), Redirect(back)
        Diverting  + ApplicationDied                 -> Undoing(NotPassable): Record(Undoing), Redirect(back)
        Freezing   + Captured                        -> Sending: Record(Sending), SendTransfer
        Freezing   + VerdictHeard(Refused)           -> Undoing(RefusedByApplication): Record(Undoing), Redirect(back)
        Freezing   + VerdictHeard(Unknown)           -> Undoing(RefusedByApplication): Record(Undoing), Redirect(back)
        Freezing   + StepFailed                      -> Undoing(RefusedByApplication): Record(Undoing), Redirect(back)
        Freezing   + LinkLost, TimeIsUp              -> Undoing(DestinationUnreachable): Record(Undoing), Redirect(back)
        Freezing   + ApplicationDied                 -> Undoing(NotPassable): Record(Undoing), Redirect(back)
        Sending    + SendingNotRecorded              -> Undoing(JournalFull): Record(Undoing), Redirect(back)
        Sending    + VerdictHeard(Accepted)          -> Releasing: Record(Releasing), CloseSilently, AwaitRoutingLeft
        Sending    + VerdictHeard(Refused)           -> Undoing(RefusedByApplication): Record(Undoing), Redirect(back)
        Sending    + VerdictHeard(Unknown)           -> Abandoning(DestinationForgot): Record(Releasing), CloseSilently, AwaitRoutingLeft
        Sending    + LinkLost, TimeIsUp, StepFailed  -> InDoubt: SendResolve
        InDoubt    + TimeIsUp                        -> InDoubt: SendResolve
        InDoubt    + VerdictHeard(Accepted)          -> Releasing: Record(Releasing), CloseSilently, AwaitRoutingLeft
        InDoubt    + VerdictHeard(Refused)           -> Undoing(RefusedByApplication): Record(Undoing), Redirect(back)
        InDoubt    + VerdictHeard(Unknown)           -> Abandoning(DestinationForgot): Record(Releasing), CloseSilently, AwaitRoutingLeft
        InDoubt    + OperatorAbandons                -> Abandoning(Abandoned): Record(Releasing), CloseSilently, AwaitRoutingLeft
        InDoubt    + OperatorSaysDestinationIsDead   -> Undoing(DestinationUnreachable): Record(Undoing), Redirect(back)
        Undoing    + RedirectionAcknowledged(undo)   -> Settled(RefusedByApplication, Origin): Thaw, OpenGate, HandBack, Record(Settled), SendForget
        Undoing    + TimeIsUp                        -> Thawed(RefusedByApplication): Thaw, OpenGate, HandBack, Redirect(back)
        Thawed     + RedirectionAcknowledged(undo)   -> Settled(RefusedByApplication, Origin): Record(Settled), SendForget
        Thawed     + TimeIsUp                        -> Thawed(RefusedByApplication): Redirect(back)
        Releasing  + RoutingLeft                     -> Settled(None, Destination): OpenGate, Record(Settled), SendForget
        Releasing  + TimeIsUp                        -> Releasing: AwaitRoutingLeft
        Abandoning + RoutingLeft                     -> Settled(RefusedByApplication, Nobody): OpenGate, Record(Settled), SendForget
        Abandoning + TimeIsUp                        -> Abandoning(RefusedByApplication): AwaitRoutingLeft
        Settled    + ForgetAcknowledged              -> Done(RefusedByApplication, Origin): Record(Done)
        Settled    + TimeIsUp                        -> Settled(RefusedByApplication, Origin): SendForget
        Done       + VerdictHeard(Accepted)          -> Done(RefusedByApplication, Origin): SendForget[PassTerms { Ticket = 7@11111111, Epoch = 0, DivertNumber = 0, UndoNumber = 1 }]
        Done       + VerdictHeard(Refused)           -> Done(RefusedByApplication, Origin): SendForget[PassTerms { Ticket = 7@11111111, Epoch = 0, DivertNumber = 0, UndoNumber = 1 }]
        """,
        """
        until it may have sent          | Offering  | Beginning | Diverting | Freezing
        ReadyHeard                      | Beginning | =         | =         | =
        OfferRefused                    | Done      | =         | =         | =
        Quiesced                        | -         | Diverting | -         | -
        RedirectionAcknowledged(divert) | =         | =         | Freezing  | =
        RedirectionAcknowledged(undo)   | =         | =         | Undoing   | =
        Captured                        | -         | -         | -         | Sending
        VerdictHeard(Accepted)          | =         | =         | =         | =
        VerdictHeard(Refused)           | =         | Settled   | Undoing   | Undoing
        VerdictHeard(Unknown)           | =         | Settled   | Undoing   | Undoing
        RoutingLeft                     | -         | -         | -         | -
        ForgetAcknowledged              | =         | =         | =         | =
        StepFailed                      | Done      | Settled   | Undoing   | Undoing
        SendingNotRecorded              | -         | -         | -         | -
        LinkLost                        | Done      | Settled   | Undoing   | Undoing
        TimeIsUp                        | Done      | Settled   | Undoing   | Undoing
        ApplicationDied                 | Done      | Settled   | Undoing   | Undoing
        OperatorAbandons                | =         | =         | =         | =
        OperatorSaysDestinationIsDead   | =         | =         | =         | =
        """,
        """
        afterwards                      | Sending    | InDoubt    | Undoing | Thawed | Releasing | Abandoning | Settled | Done
        ReadyHeard                      | =          | =          | =       | =      | =         | =          | =       | =
        OfferRefused                    | =          | =          | =       | =      | =         | =          | =       | =
        Quiesced                        | -          | -          | -       | -      | -         | -          | -       | -
        RedirectionAcknowledged(divert) | =          | =          | =       | =      | =         | =          | =       | =
        RedirectionAcknowledged(undo)   | =          | =          | Settled| Settled| =         | =          | =       | =
        Captured                        | -          | -          | -       | -      | -         | -          | -       | -
        VerdictHeard(Accepted)          | Releasing  | Releasing  | =       | =      | =         | =          | =       | Done
        VerdictHeard(Refused)           | Undoing    | Undoing    | =       | =      | =         | =          | =       | Done
        VerdictHeard(Unknown)           | Abandoning | Abandoning | =       | =      | =         | =          | =       | =
        RoutingLeft                     | -          | -          | -       | -      | Settled  | Settled   | =       | =
        ForgetAcknowledged              | =          | =          | =       | =      | =         | =          | Done    | =
        StepFailed                      | InDoubt    | =          | =       | =      | =         | =          | =       | =
        SendingNotRecorded              | Undoing    | -          | -       | -      | -         | -          | -       | -
        LinkLost                        | InDoubt    | =          | =       | =      | =         | =          | =       | =
        TimeIsUp                        | InDoubt    | InDoubt    | Thawed  | Thawed | Releasing | Abandoning | Settled | =
        ApplicationDied                 | =          | =          | =       | =      | =         | =          | =       | =
        OperatorAbandons                | =          | Abandoning | =       | =      | =         | =          | =       | =
        OperatorSaysDestinationIsDead   | =          | Undoing    | =       | =      | =         | =          | =       | =
        """);

    public static IEnumerable<TheoryDataRow<string, string>> Pairs =>
        from state in OriginStates.Keys
        from input in OriginInputs.Keys
        select new TheoryDataRow<string, string>(state, input);

    public static IEnumerable<TheoryDataRow<string>> States => OriginStates.Keys.Select(state => new TheoryDataRow<string>(state));

    [Theory]
    [MemberData(nameof(Pairs))]
    public void Each_input_in_each_state_leads_where_the_protocol_says(string stateName, string inputName)
    {
        (OriginState state, OriginInput input) = (OriginStates[stateName], OriginInputs[inputName]);
        string expected = s_expected.Of(stateName, inputName);
        if (expected == Expectations.Illegal)
        {
            InvalidOperationException illegal = Assert.Throws<InvalidOperationException>(() => OriginTable.Next(state, input));
            Assert.Equal($"{input.GetType().Name} is not legal in {stateName}.", illegal.Message);
            return;
        }

        OriginStep step = OriginTable.Next(state, input);
        if (expected == Expectations.Same)
        {
            AssertSame(state, step);
            return;
        }

        Assert.Equal(expected, step.State.GetType().Name);
        Assert.Equal(s_expected.StepOf(stateName, inputName), StepText.Of(step));
    }

    [Fact]
    public void The_expectations_are_about_states_and_inputs_that_exist()
    {
        Assert.Equal(OriginStates.Keys, s_expected.States);
        Assert.Equal(OriginInputs.Keys, s_expected.Inputs);
        Assert.Equal(s_expected.Changes.Order(), s_expected.Steps.Order());
    }

    [Fact]
    public void Every_state_and_input_has_a_sample()
    {
        Assert.Equal(KindsOf<OriginState>(), OriginStates.Values.Select(state => state.GetType()).ToHashSet());
        Assert.Equal(KindsOf<OriginInput>(), OriginInputs.Values.Select(input => input.GetType()).ToHashSet());
    }

    [Fact]
    public void A_pass_begins_with_an_offer_of_its_epoch() =>
        Assert.Equal("Offering[9]: SendOffer[9]", StepText.Of(OriginTable.Begin(epoch: 9)));

    [Fact]
    public void The_terms_are_the_ticket_of_Ready_and_the_epoch_of_the_offer()
    {
        OriginStep step = OriginTable.Next(new Offering(Epoch: 9), new ReadyHeard(TicketOfAnotherNumber));
        PassTerms terms = new(TicketOfAnotherNumber, 9);
        Assert.Equal(new Beginning(terms), step.State);
        OriginEffect.Record begun = new(OriginRecord.Begun, terms);
        Assert.Equal([begun, new OriginEffect.TellApplication(terms), new OriginEffect.Quiesce()], step.Effects);
    }

    [Theory]
    [MemberData(nameof(States))]
    public void A_verdict_about_another_ticket_changes_nothing(string stateName)
    {
        OriginState state = OriginStates[stateName];
        foreach (PassTicket ticket in new[] { TicketOfAnotherNumber, TicketOfAnotherIncarnation })
        {
            AssertSame(state, OriginTable.Next(state, new VerdictHeard(ticket, PassVerdict.Unknown, Failure)));
            foreach (PassVerdict verdict in new[] { PassVerdict.Accepted, PassVerdict.Refused })
            {
                OriginStep step = OriginTable.Next(state, new VerdictHeard(ticket, verdict, Failure));
                Assert.Equal(state, step.State);
                // A destination that waits for the Forget of a pass that nobody here knows any more gets it.
                Assert.Equal(state is Done ? [new OriginEffect.SendForget(new PassTerms(ticket, Epoch: 0))] : [], step.Effects);
            }
        }
    }

    // The divert of this pass is 6, its undo 7, the divert of the next pass 8.
    [Theory]
    [InlineData("Diverting", 0, "Diverting")]
    [InlineData("Diverting", 5, "Diverting")]
    [InlineData("Diverting", 6, "Freezing: CloseGate, EnterRepair, Capture")]
    [InlineData("Diverting", 7, "Undoing(RedirectionFailed): Record(Undoing), Redirect(back)")]
    [InlineData("Diverting", 8, "Undoing(RedirectionFailed): Record(Undoing), Redirect(back)")]
    [InlineData("Undoing", 5, "Undoing(RefusedByApplication)")]
    [InlineData("Undoing", 6, "Undoing(RefusedByApplication)")]
    [InlineData("Undoing", 7, "Settled(RefusedByApplication, Origin): Thaw, OpenGate, HandBack, Record(Settled), SendForget")]
    [InlineData("Undoing", 8, "Settled(RefusedByApplication, Origin): Thaw, OpenGate, HandBack, Record(Settled), SendForget")]
    [InlineData("Thawed", 5, "Thawed(RefusedByApplication)")]
    [InlineData("Thawed", 6, "Thawed(RefusedByApplication)")]
    [InlineData("Thawed", 7, "Settled(RefusedByApplication, Origin): Record(Settled), SendForget")]
    [InlineData("Thawed", 8, "Settled(RefusedByApplication, Origin): Record(Settled), SendForget")]
    public void An_acknowledgement_counts_from_the_number_that_is_waited_for(string state, ulong number, string expected) =>
        Assert.Equal(expected, StepText.Of(OriginTable.Next(OriginStates[state], new RedirectionAcknowledged(number))));

    [Fact]
    public void An_undo_is_numbered_between_its_divert_and_the_next()
    {
        PassTerms next = Terms with { Epoch = Terms.Epoch + 1 };
        Assert.InRange(Terms.UndoNumber, Terms.DivertNumber + 1, next.DivertNumber - 1);
    }

    [Theory]
    [InlineData("Begun", "Undoing(Interrupted): Record(Undoing), Redirect(back)")]
    [InlineData("Sending", "InDoubt: SendResolve")]
    [InlineData("Undoing(failure)", "Undoing(RefusedByApplication): Record(Undoing), Redirect(back)")]
    [InlineData("Releasing(Destination)", "Releasing: Record(Releasing), CloseSilently, AwaitRoutingLeft")]
    [InlineData("Releasing(failure, Nobody)", "Abandoning(RefusedByApplication): Record(Releasing), CloseSilently, AwaitRoutingLeft")]
    [InlineData("Settled(failure, Origin)", "Settled(RefusedByApplication, Origin): SendForget")]
    [InlineData("Settled(Destination)", "Settled(None, Destination): SendForget")]
    [InlineData("Done(failure, Nobody)", "Done(RefusedByApplication, Nobody)")]
    public void A_new_agent_goes_on_from_the_last_record(string record, string expected)
    {
        (OriginRecord kind, PassOutcome? outcome) = OriginRecords[record];
        Assert.Equal(expected, StepText.Of(OriginTable.Recover(kind, Terms, outcome)));
    }

    [Fact]
    public void The_records_of_what_is_decided_name_the_outcome_and_those_before_do_not()
    {
        foreach (OriginState state in OriginStates.Values)
        {
            foreach (OriginInput input in OriginInputs.Values)
            {
                if (s_expected.Of(NameOf(OriginStates, state), NameOf(OriginInputs, input)) == Expectations.Illegal)
                    continue;
                OriginStep step = OriginTable.Next(state, input);
                PassOutcome? expected = step.State switch
                {
                    Undoing undoing => new PassOutcome(undoing.Failure, ConnectionOwner.Origin),
                    Releasing => new PassOutcome(PassFailure.None, ConnectionOwner.Destination),
                    Abandoning abandoning => new PassOutcome(abandoning.Failure, ConnectionOwner.Nobody),
                    Settled settled => new PassOutcome(settled.Failure, settled.Owner),
                    Done done => new PassOutcome(done.Failure, done.Owner),
                    _ => null,
                };
                Assert.All(step.Effects.OfType<OriginEffect.Record>(), record => Assert.Equal(expected, record.Outcome));
            }
        }
    }

    [Theory]
    [InlineData("Undoing")]
    [InlineData("Releasing")]
    [InlineData("Settled")]
    [InlineData("Done")]
    public void A_record_of_what_is_decided_without_an_outcome_is_an_error(string record)
    {
        InvalidOperationException error = Assert.Throws<InvalidOperationException>(
            () => OriginTable.Recover(Enum.Parse<OriginRecord>(record), Terms, outcome: null));
        Assert.Contains($"A record {record} without an outcome", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void There_are_six_records() =>
        Assert.Equal(["Begun", "Sending", "Undoing", "Releasing", "Settled", "Done"], Enum.GetNames<OriginRecord>());

    [Theory]
    [InlineData(true, "InDoubt: Record(Sending), SendResolve")]
    [InlineData(false, "Undoing(Interrupted): Record(Undoing), Redirect(back)")]
    public void Without_a_journal_a_frozen_connection_is_in_doubt_and_a_live_one_is_owned(bool isFrozen, string expected) =>
        Assert.Equal(expected, StepText.Of(OriginTable.RecoverFromApplication(Terms, isFrozen)));

    [Theory]
    [MemberData(nameof(States))]
    public void A_pass_is_open_until_it_is_settled(string state) => Assert.Equal(state is not ("Settled" or "Done"), OriginTable.IsOpen(OriginStates[state]));

    private static void AssertSame(OriginState state, OriginStep step)
    {
        Assert.Equal(state, step.State);
        Assert.Empty(step.Effects);
    }

    private static string NameOf<T>(OrderedDictionary<string, T> samples, T sample) => samples.First(pair => ReferenceEquals(pair.Value, sample)).Key;

    private static HashSet<Type> KindsOf<T>() => [.. typeof(T).GetNestedTypes().Where(type => type.IsSubclassOf(typeof(T)))];
}
