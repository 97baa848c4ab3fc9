using Tcpcp.Core.Passing;
using static Tcpcp.Core.Passing.DestinationInput;
using static Tcpcp.Core.Passing.DestinationState;
using static Tcpcp.Core.Tests.Passing.TableSamples;

namespace Tcpcp.Core.Tests.Passing;

public class DestinationTableTests
{
    private static readonly Expectations s_expected = new(
        """
        Unknown + OfferHeard -> Offered: Record(Offered), CloseGate, ArmHold, SendReady
        Unknown + OfferHeard(obstacle) -> Forgotten: SendOfferRefused(RefusedByApplication)
        Unknown + TransferHeard, ResolveHeard -> Unknown: SendVerdict(Refused, Expired)
        Unknown + UndoHeard -> Unknown: SendHeld
        Unknown + ForgetHeard -> Unknown: SendForgotten
        Offered + TransferHeard -> Restoring: RestoreDormant, HandToApplication
        Offered + ResolveHeard, TimeIsUp -> Refused(Expired): Record(Refused), Discard, SendVerdict(Refused, Expired)
        Offered + UndoHeard -> Refused(Cancelled): Record(Refused), Discard, SendVerdict(Refused, Cancelled), SendHeld
        Offered + ForgetHeard -> Forgotten: Discard, OpenGate, Record(Forgotten), SendForgotten
        Offered + Declined -> Refused(RefusedByApplication): Record(Refused), Discard, SendVerdict(Refused, RefusedByApplication)
        Offered + LinkLost -> Refused(DestinationUnreachable): Record(Refused), Discard, SendVerdict(Refused, DestinationUnreachable)
        Offered + ApplicationDied -> Refused(NoApplication): Record(Refused), Discard, SendVerdict(Refused, NoApplication)
        Restoring + ApplicationTook -> Accepted: Record(Accepted), Record(Activating), LeaveRepair, OpenGate, Go, SendVerdict(Accepted)
        Restoring + ResolveHeard, TimeIsUp -> Refused(Expired): Record(Refused), Discard, SendVerdict(Refused, Expired)
        Restoring + UndoHeard -> Refused(Cancelled): Record(Refused), Discard, SendVerdict(Refused, Cancelled), SendHeld
        Restoring + ForgetHeard -> Forgotten: Discard, OpenGate, Record(Forgotten), SendForgotten
        Restoring + Declined -> Refused(RefusedByApplication): Record(Refused), Discard, SendVerdict(Refused, RefusedByApplication)
        Restoring + ApplicationDied -> Refused(NoApplication): Record(Refused), Discard, SendVerdict(Refused, NoApplication)
        Accepted + TransferHeard, ResolveHeard -> Accepted: SendVerdict(Accepted)
        Accepted + UndoHeard -> Accepted: SendVerdict(Accepted)
        Accepted + ForgetHeard -> Accepted(released)
        Accepted + AcceptNotRecorded -> Refused(JournalFull): Record(Refused), Discard, SendVerdict(Refused, JournalFull)
        Accepted(released) + AcceptNotRecorded -> Refused(JournalFull): Record(Refused), Discard, SendVerdict(Refused, JournalFull)
        Accepted + Activated -> Active: Record(Active), SendActive
        Accepted(released) + TransferHeard -> Accepted(released): SendVerdict(Accepted)
        Accepted(released) + ResolveHeard -> Accepted(released): SendVerdict(Accepted)
        Accepted(released) + UndoHeard -> Accepted(released): SendVerdict(Accepted)
        Accepted(released) + Activated -> Forgotten: Record(Forgotten), SendForgotten
        Active + TransferHeard, ResolveHeard -> Active: SendVerdict(Accepted)
        Active + UndoHeard -> Active: SendVerdict(Accepted)
        Active + TimeIsUp -> Active: SendVerdict(Accepted)
        Active + ForgetHeard -> Forgotten: Record(Forgotten), SendForgotten
        Refused + TransferHeard, ResolveHeard -> Refused(RefusedByApplication): SendVerdict(Refused, RefusedByApplication)
        Refused + TimeIsUp -> Refused(RefusedByApplication): SendVerdict(Refused, RefusedByApplication)
        Refused + UndoHeard -> Refused(RefusedByApplication): SendHeld
        Refused + ForgetHeard -> Forgotten: OpenGate, Record(Forgotten), SendForgotten
        Forgotten + TransferHeard, ResolveHeard -> Forgotten: SendVerdict(Refused, Expired)
        Forgotten + UndoHeard -> Forgotten: SendHeld
        Forgotten + ForgetHeard -> Forgotten: SendForgotten
        """,
        """
        until the verdict    | Unknown   | Offered   | Restoring
        OfferHeard           | Offered   | =         | =
        OfferHeard(obstacle) | Forgotten | =         | =
        TransferHeard        | Unknown   | Restoring | =
        ResolveHeard         | Unknown   | Refused   | Refused
        UndoHeard            | Unknown   | Refused   | Refused
        ForgetHeard          | Unknown   | Forgotten | Forgotten
        ApplicationTook      | -         | -         | Accepted
        AcceptNotRecorded    | -         | -         | -
        Declined             | -         | Refused   | Refused
        Activated            | -         | -         | -
        TimeIsUp             | =         | Refused   | Refused
        LinkLost             | =         | Refused   | =
        ApplicationDied      | =         | Refused   | Refused
        """,
        """
        afterwards           | Accepted           | Accepted(released) | Active    | Refused   | Forgotten
        OfferHeard           | =                  | =                  | =         | =         | =
        OfferHeard(obstacle) | =                  | =                  | =         | =         | =
        TransferHeard        | Accepted           | Accepted(released) | Active    | Refused   | Forgotten
        ResolveHeard         | Accepted           | Accepted(released) | Active    | Refused   | Forgotten
        UndoHeard            | Accepted           | Accepted(released) | Active    | Refused   | Forgotten
        ForgetHeard          | Accepted(released) | =                  | Forgotten | Forgotten | Forgotten
        ApplicationTook      | =                  | =                  | =         | =         | =
        AcceptNotRecorded    | Refused            | Refused            | -         | -         | -
        Declined             | =                  | =                  | =         | =         | =
        Activated            | Active             | Forgotten          | -         | -         | -
        TimeIsUp             | =                  | =                  | Active    | Refused   | =
        LinkLost             | =                  | =                  | =         | =         | =
        ApplicationDied      | =                  | =                  | =         | =         | =
        """);

    public static IEnumerable<TheoryDataRow<string, string>> Pairs =>
        from state in DestinationStates.Keys
        from input in DestinationInputs.Keys
        select new TheoryDataRow<string, string>(state, input);

    public static IEnumerable<TheoryDataRow<string>> States => DestinationStates.Keys.Select(state => new TheoryDataRow<string>(state));

    [Theory]
    [MemberData(nameof(Pairs))]
    public void Each_input_in_each_state_leads_where_the_protocol_says(string stateName, string inputName)
    {
        (DestinationState state, DestinationInput input) = (DestinationStates[stateName], DestinationInputs[inputName]);
        string expected = s_expected.Of(stateName, inputName);
        if (expected == Expectations.Illegal)
        {
            InvalidOperationException illegal = Assert.Throws<InvalidOperationException>(() => DestinationTable.Next(state, input));
            Assert.Equal($"{inputName} is not legal in {state.GetType().Name}.", illegal.Message);
            return;
        }

        DestinationStep step = DestinationTable.Next(state, input);
        if (expected == Expectations.Same)
        {
            AssertSame(state, step);
            return;
        }

        Assert.Equal(expected, step.State is Accepted { IsReleased: true } ? "Accepted(released)" : step.State.GetType().Name);
        Assert.Equal(s_expected.StepOf(stateName, inputName), StepText.Of(step));
    }

    [Fact]
    public void The_expectations_are_about_states_and_inputs_that_exist()
    {
        Assert.Equal(DestinationStates.Keys, s_expected.States);
        Assert.Equal(DestinationInputs.Keys, s_expected.Inputs);
        Assert.Equal(s_expected.Changes.Order(), s_expected.Steps.Order());
    }

    [Fact]
    public void Every_state_and_input_has_a_sample()
    {
        Assert.Equal(KindsOf<DestinationState>(), DestinationStates.Values.Select(state => state.GetType()).ToHashSet());
        Assert.Equal(KindsOf<DestinationInput>(), DestinationInputs.Values.Select(input => input.GetType()).ToHashSet());
    }

    [Fact]
    public void The_terms_are_those_of_the_first_offer()
    {
        PassTerms terms = new(TicketOfAnotherNumber, Epoch: 9);
        DestinationStep step = DestinationTable.Next(new Unknown(Ticket.Incarnation), new OfferHeard(terms, PassFailure.None));
        Assert.Equal(new Offered(terms), step.State);
        Assert.Equal(new DestinationEffect.Record(DestinationRecord.Offered, terms), step.Effects[0]);
        Assert.Equal(new DestinationEffect.SendReady(terms), step.Effects[^1]);
        AssertSame(new Offered(Terms), DestinationTable.Next(new Offered(Terms), new OfferHeard(terms, PassFailure.None)));
    }

    [Theory]
    [MemberData(nameof(States))]
    public void About_another_ticket_of_this_incarnation_the_answer_is_refused(string state)
    {
        DestinationEffect.SendVerdict refused = new(TicketOfAnotherNumber, PassVerdict.Refused, PassFailure.Expired);
        AssertAnswers(state, new TransferHeard(TicketOfAnotherNumber), refused);
        AssertAnswers(state, new ResolveHeard(TicketOfAnotherNumber, LivesHere: false), refused);
    }

    [Theory]
    [MemberData(nameof(States))]
    public void About_a_ticket_of_another_incarnation_the_answer_is_unknown(string state)
    {
        DestinationEffect.SendVerdict unknown = new(TicketOfAnotherIncarnation, PassVerdict.Unknown, PassFailure.Expired);
        AssertAnswers(state, new TransferHeard(TicketOfAnotherIncarnation), unknown);
        AssertAnswers(state, new ResolveHeard(TicketOfAnotherIncarnation, LivesHere: false), unknown);
    }

    [Theory]
    [MemberData(nameof(States))]
    public void About_another_ticket_whose_connections_live_here_the_answer_is_accepted(string state)
    {
        foreach (PassTicket ticket in new[] { TicketOfAnotherNumber, TicketOfAnotherIncarnation })
            AssertAnswers(state, new ResolveHeard(ticket, LivesHere: true), new(ticket, PassVerdict.Accepted, PassFailure.None));
    }

    [Theory]
    [InlineData("Offered")]
    [InlineData("Restoring")]
    [InlineData("Accepted")]
    [InlineData("Active")]
    [InlineData("Refused")]
    public void About_the_ticket_of_the_pass_the_answer_does_not_depend_on_what_the_application_says(string state)
    {
        DestinationStep without = DestinationTable.Next(DestinationStates[state], new ResolveHeard(Ticket, LivesHere: false));
        DestinationStep with = DestinationTable.Next(DestinationStates[state], new ResolveHeard(Ticket, LivesHere: true));
        Assert.Equal(StepText.Of(without), StepText.Of(with));
    }

    [Theory]
    [MemberData(nameof(States))]
    public void For_another_ticket_nothing_is_held_and_nothing_kept(string stateName)
    {
        DestinationState state = DestinationStates[stateName];
        foreach (PassTicket ticket in new[] { TicketOfAnotherNumber, TicketOfAnotherIncarnation })
        {
            DestinationStep undo = DestinationTable.Next(state, new UndoHeard(ticket));
            Assert.Equal(state, undo.State);
            Assert.Equal([new DestinationEffect.SendHeld(ticket)], undo.Effects);
            DestinationStep forget = DestinationTable.Next(state, new ForgetHeard(ticket));
            Assert.Equal(state, forget.State);
            Assert.Equal([new DestinationEffect.SendForgotten(ticket)], forget.Effects);
        }
    }

    [Theory]
    [InlineData("Offered", "Refused(Expired): Record(Refused), Discard, SendVerdict(Refused, Expired)")]
    [InlineData("Accepted", "Accepted: RecoverDormant, Record(Activating), LeaveRepair, OpenGate, Go, SendVerdict(Accepted)")]
    [InlineData("Activating", "Accepted: RecoverDormant, Record(Activating), LeaveRepair, OpenGate, Go, SendVerdict(Accepted)")]
    [InlineData("Active", "Active")]
    [InlineData("Refused", "Refused(Expired): Record(Refused), Discard, SendVerdict(Refused, Expired)")]
    [InlineData("Forgotten", "Forgotten")]
    public void A_new_agent_goes_on_from_the_last_record(string record, string expected) =>
        Assert.Equal(expected, StepText.Of(DestinationTable.Recover(Enum.Parse<DestinationRecord>(record), Terms)));

    [Fact]
    public void There_are_six_records() =>
        Assert.Equal(["Offered", "Accepted", "Activating", "Active", "Refused", "Forgotten"], Enum.GetNames<DestinationRecord>());

    [Theory]
    [InlineData("Unknown", false)]
    [InlineData("Offered", true)]
    [InlineData("Restoring", true)]
    [InlineData("Accepted", true)]
    [InlineData("Accepted(released)", true)]
    [InlineData("Active", false)]
    [InlineData("Refused", true)]
    [InlineData("Forgotten", false)]
    public void A_pass_is_open_while_it_can_change_something(string state, bool isOpen) =>
        Assert.Equal(isOpen, DestinationTable.IsOpen(DestinationStates[state]));

    [Theory]
    [MemberData(nameof(States))]
    public void A_state_has_a_ticket_from_the_offer_until_it_is_forgotten(string state) =>
        Assert.Equal(state is "Unknown" or "Forgotten" ? null : Ticket, DestinationTable.TicketOf(DestinationStates[state]));

    private static void AssertAnswers(string stateName, DestinationInput input, DestinationEffect.SendVerdict answer)
    {
        DestinationState state = DestinationStates[stateName];
        DestinationStep step = DestinationTable.Next(state, input);
        Assert.Equal(state, step.State);
        Assert.Equal([answer], step.Effects);
    }

    private static void AssertSame(DestinationState state, DestinationStep step)
    {
        Assert.Equal(state, step.State);
        Assert.Empty(step.Effects);
    }

    private static HashSet<Type> KindsOf<T>() => [.. typeof(T).GetNestedTypes().Where(type => type.IsSubclassOf(typeof(T)))];
}
