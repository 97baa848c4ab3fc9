using static Tcpcp.Core.Passing.DestinationEffect;
using static Tcpcp.Core.Passing.DestinationInput;
using static Tcpcp.Core.Passing.DestinationState;

namespace Tcpcp.Core.Passing;

/// <summary>The destination's side of a pass as a pure table. The verdict falls here, once: in the steps to Accepted or Refused.</summary>
internal static class DestinationTable
{
    /// <exception cref="InvalidOperationException">The input is not legal in that state.</exception>
    public static DestinationStep Next(DestinationState state, DestinationInput input) => (state, input) switch
    {
        (Unknown unknown, OfferHeard { Obstacle: not PassFailure.None } offer) =>
            new(new Forgotten(unknown.Incarnation), new SendOfferRefused(offer.Obstacle)),
        (Unknown, OfferHeard offer) => new(new Offered(offer.Terms),
            new Record(DestinationRecord.Offered, offer.Terms), new CloseGate(), new ArmHold(), new SendReady(offer.Terms)),

        // About a ticket that is not the live one of this pass: if it is of this incarnation, it can never be accepted any more; else nobody can say.
        (_, TransferHeard transfer) when transfer.Ticket != TicketOf(state) => new(state, AnswerForeign(state, transfer.Ticket, transfer.LivesHere)),
        (_, ResolveHeard resolve) when resolve.Ticket != TicketOf(state) => new(state, AnswerForeign(state, resolve.Ticket, resolve.LivesHere)),
        (_, UndoHeard undo) when undo.Ticket != TicketOf(state) => new(state, new SendHeld(undo.Ticket)), // nothing is held for it
        (_, ForgetHeard forget) when forget.Ticket != TicketOf(state) => new(state, new SendForgotten(forget.Ticket)),

        (Offered offered, TransferHeard) => new(new Restoring(offered.Terms), new RestoreDormant(), new HandToApplication()),
        (Restoring restoring, ApplicationTook) => Activate(restoring.Terms, isReleased: false, new Record(DestinationRecord.Accepted, restoring.Terms)),
        (Accepted { IsReleased: false } accepted, Activated) =>
            new(new Active(accepted.Terms), new Record(DestinationRecord.Active, accepted.Terms), new SendActive(accepted.Terms)),
        (Accepted accepted, Activated) => Forget(accepted.Terms),

        (Accepted accepted, AcceptNotRecorded) => Refuse(accepted.Terms, PassFailure.JournalFull),

        // Before the verdict every doubt refuses; afterwards none does.
        (Offered offered, Declined or TimeIsUp or ResolveHeard or LinkLost or ApplicationDied) => Refuse(offered.Terms, FailureOf(input)),
        (Restoring restoring, Declined or TimeIsUp or ResolveHeard or ApplicationDied) => Refuse(restoring.Terms, FailureOf(input)),
        (Offered offered, UndoHeard undo) => Refuse(offered.Terms, PassFailure.Cancelled, new SendHeld(undo.Ticket)),
        (Restoring restoring, UndoHeard undo) => Refuse(restoring.Terms, PassFailure.Cancelled, new SendHeld(undo.Ticket)),

        (Accepted or Active, TransferHeard or ResolveHeard or UndoHeard) =>
            new(state, new SendVerdict(TicketOf(state)!.Value, PassVerdict.Accepted, PassFailure.None)),
        (Refused refused, TransferHeard or ResolveHeard) => new(state, new SendVerdict(refused.Terms.Ticket, PassVerdict.Refused, refused.Failure)),
        (Refused refused, UndoHeard) => new(state, new SendHeld(refused.Terms.Ticket)),

        // The origin closes its copy, or thaws it, before it says this: so it cannot come while the decision is open, but by an operator's word.
        (Offered offered, ForgetHeard) => Forget(offered.Terms, new Discard(), new OpenGate()),
        (Restoring restoring, ForgetHeard) => Forget(restoring.Terms, new Discard(), new OpenGate()),
        (Refused refused, ForgetHeard) => Forget(refused.Terms, new OpenGate()),
        (Accepted accepted, ForgetHeard) => new(accepted with { IsReleased = true }),
        (Active active, ForgetHeard) => Forget(active.Terms),

        // The origin may have given up before it knew the ticket, or have died before its Forget: it is told again until that comes.
        (Refused refused, TimeIsUp) => new(state, new SendVerdict(refused.Terms.Ticket, PassVerdict.Refused, refused.Failure)),
        (Active active, TimeIsUp) => new(state, new SendVerdict(active.Terms.Ticket, PassVerdict.Accepted, PassFailure.None)),

        // Late or repeated, or it changes nothing any more.
        (_, OfferHeard or TimeIsUp or LinkLost or ApplicationDied) => new(state),
        (Restoring, TransferHeard) => new(state),
        (Accepted or Active or Refused or Forgotten, Declined or ApplicationTook) => new(state),
        _ => throw new InvalidOperationException($"{input.GetType().Name} is not legal in {state.GetType().Name}."),
    };

    /// <summary>Whether the pass may still change anything for its connections: no other pass of them may begin here.</summary>
    public static bool IsOpen(DestinationState state) => state is Offered or Restoring or Accepted or Refused;

    /// <summary>After the death of this agent, from the last record of the pass. Every effect may have been performed already.</summary>
    public static DestinationStep Recover(DestinationRecord record, PassTerms terms) => record switch
    {
        // A ticket dies with the agent that gave it; what was refused may not be discarded yet.
        DestinationRecord.Offered or DestinationRecord.Refused => Refuse(terms, PassFailure.Expired),
        DestinationRecord.Accepted or DestinationRecord.Activating => Activate(terms, isReleased: false, new RecoverDormant()),
        DestinationRecord.Active => new(new Active(terms)),
        _ => new(new Forgotten(terms.Ticket.Incarnation)),
    };

    /// <summary>The ticket of the pass, null if there is none.</summary>
    public static PassTicket? TicketOf(DestinationState state) => state switch
    {
        Offered offered => offered.Terms.Ticket,
        Restoring restoring => restoring.Terms.Ticket,
        Accepted accepted => accepted.Terms.Ticket,
        Active active => active.Terms.Ticket,
        Refused refused => refused.Terms.Ticket,
        _ => null,
    };

    private static DestinationStep Activate(PassTerms terms, bool isReleased, DestinationEffect first) => new(new Accepted(terms, isReleased),
        first, new Record(DestinationRecord.Activating, terms), new LeaveRepair(), new OpenGate(), new Go(),
        new SendVerdict(terms.Ticket, PassVerdict.Accepted, PassFailure.None));

    private static DestinationStep Refuse(PassTerms terms, PassFailure failure, params ReadOnlySpan<DestinationEffect> further) =>
        new(new Refused(terms, failure),
        [
            new Record(DestinationRecord.Refused, terms), new Discard(), new SendVerdict(terms.Ticket, PassVerdict.Refused, failure), .. further,
        ]);

    private static DestinationStep Forget(PassTerms terms, params ReadOnlySpan<DestinationEffect> first) =>
        new(new Forgotten(terms.Ticket.Incarnation), [.. first, new Record(DestinationRecord.Forgotten, terms), new SendForgotten(terms.Ticket)]);

    private static SendVerdict AnswerForeign(DestinationState state, PassTicket ticket, bool livesHere)
    {
        Guid incarnation = state switch
        {
            Unknown unknown => unknown.Incarnation,
            Forgotten forgotten => forgotten.Incarnation,
            _ => TicketOf(state)!.Value.Incarnation,
        };
        PassVerdict verdict = livesHere ? PassVerdict.Accepted : ticket.Incarnation == incarnation ? PassVerdict.Refused : PassVerdict.Unknown;
        return new SendVerdict(ticket, verdict, verdict == PassVerdict.Accepted ? PassFailure.None : PassFailure.Expired);
    }

    private static PassFailure FailureOf(DestinationInput input) => input switch
    {
        Declined declined => declined.Failure,
        ApplicationDied => PassFailure.NoApplication,
        LinkLost => PassFailure.DestinationUnreachable,
        _ => PassFailure.Expired,
    };
}
