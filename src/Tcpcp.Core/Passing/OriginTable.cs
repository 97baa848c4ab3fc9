using static Tcpcp.Core.Passing.OriginEffect;
using static Tcpcp.Core.Passing.OriginInput;
using static Tcpcp.Core.Passing.OriginState;

namespace Tcpcp.Core.Passing;

/// <summary>The origin's side of a pass as a pure table: state and input in, state and effects out.</summary>
internal static class OriginTable
{
    /// <summary>The first step.</summary>
    /// <param name="epoch">One more than that of the redirection that brought the connections here.</param>
    public static OriginStep Begin(ulong epoch) => new(new Offering(epoch), new SendOffer(epoch));

    /// <exception cref="InvalidOperationException">The input is not legal in that state.</exception>
    public static OriginStep Next(OriginState state, OriginInput input) => (state, input) switch
    {
        (Offering offering, ReadyHeard ready) => Start(new PassTerms(ready.Ticket, offering.Epoch)),
        (Offering, OfferRefused refused) => new(new Done(refused.Failure, ConnectionOwner.Origin)),
        (Offering, LinkLost or TimeIsUp or StepFailed or ApplicationDied) => new(new Done(FailureOf(input), ConnectionOwner.Origin)),

        (Beginning beginning, Quiesced) => new(new Diverting(beginning.Terms), new Redirect(beginning.Terms.DivertNumber, ToDestination: true)),
        (Diverting diverting, RedirectionAcknowledged acknowledged) when acknowledged.Number == diverting.Terms.DivertNumber =>
            new(new Freezing(diverting.Terms), new CloseGate(), new EnterRepair(), new Capture()),
        (Diverting diverting, RedirectionAcknowledged acknowledged) when acknowledged.Number > diverting.Terms.DivertNumber =>
            Undo(diverting.Terms, PassFailure.RedirectionFailed),
        (Freezing freezing, Captured) =>
            new(new Sending(freezing.Terms), new Record(OriginRecord.Sending, freezing.Terms), new SendTransfer(freezing.Terms)),

        // The snapshots have not left: the origin may take it all back by itself.
        (Beginning beginning, LinkLost or TimeIsUp or StepFailed or ApplicationDied) => TakeBack(beginning.Terms, FailureOf(input)),
        (Diverting diverting, LinkLost or TimeIsUp or StepFailed or ApplicationDied) => Undo(diverting.Terms, FailureOf(input)),
        (Freezing freezing, LinkLost or TimeIsUp or StepFailed or ApplicationDied) => Undo(freezing.Terms, FailureOf(input)),
        (Beginning beginning, VerdictHeard verdict) when Refuses(verdict, beginning.Terms) => TakeBack(beginning.Terms, verdict.Failure),
        (Diverting diverting, VerdictHeard verdict) when Refuses(verdict, diverting.Terms) => Undo(diverting.Terms, verdict.Failure),
        (Freezing freezing, VerdictHeard verdict) when Refuses(verdict, freezing.Terms) => Undo(freezing.Terms, verdict.Failure),
        (Sending sending, SendingNotRecorded) => Undo(sending.Terms, PassFailure.JournalFull),

        // They have, or may have: only the verdict decides.
        (Sending sending, LinkLost or TimeIsUp or StepFailed) => new(new InDoubt(sending.Terms), new SendResolve(sending.Terms)),
        (InDoubt doubt, TimeIsUp) => new(doubt, new SendResolve(doubt.Terms)),
        (Sending sending, VerdictHeard verdict) when verdict.Ticket == sending.Terms.Ticket => Obey(verdict, sending.Terms),
        (InDoubt doubt, VerdictHeard verdict) when verdict.Ticket == doubt.Terms.Ticket => Obey(verdict, doubt.Terms),
        (InDoubt doubt, OperatorAbandons) => Abandon(doubt.Terms, PassFailure.Abandoned),
        (InDoubt doubt, OperatorSaysDestinationIsDead) => Undo(doubt.Terms, PassFailure.DestinationUnreachable),

        (Undoing undoing, RedirectionAcknowledged acknowledged) when acknowledged.Number >= undoing.Terms.UndoNumber =>
            Settle(undoing.Terms, undoing.Failure, ConnectionOwner.Origin, new Thaw(), new OpenGate(), new HandBack()),
        (Undoing undoing, TimeIsUp) =>
            new(new Thawed(undoing.Terms, undoing.Failure), new Thaw(), new OpenGate(), new HandBack(), RedirectHere(undoing.Terms)),
        (Thawed thawed, RedirectionAcknowledged acknowledged) when acknowledged.Number >= thawed.Terms.UndoNumber =>
            Settle(thawed.Terms, thawed.Failure, ConnectionOwner.Origin),
        (Thawed thawed, TimeIsUp) => new(thawed, RedirectHere(thawed.Terms)),

        (Releasing releasing, RoutingLeft) => Settle(releasing.Terms, PassFailure.None, ConnectionOwner.Destination, new OpenGate()),
        (Releasing releasing, TimeIsUp) => new(releasing, new AwaitRoutingLeft(releasing.Terms.DivertNumber)),
        (Abandoning abandoning, RoutingLeft) => Settle(abandoning.Terms, abandoning.Failure, ConnectionOwner.Nobody, new OpenGate()),
        (Abandoning abandoning, TimeIsUp) => new(abandoning, new AwaitRoutingLeft(abandoning.Terms.DivertNumber)),

        (Settled settled, ForgetAcknowledged) => new(new Done(settled.Failure, settled.Owner),
            new Record(OriginRecord.Done, settled.Terms, new PassOutcome(settled.Failure, settled.Owner))),
        (Settled settled, TimeIsUp) => new(settled, new SendForget(settled.Terms)),

        // The destination still waits for the Forget.
        (Done, VerdictHeard { Verdict: not PassVerdict.Unknown } verdict) => new(state, new SendForget(new PassTerms(verdict.Ticket, Epoch: 0))),

        // Late, repeated, about another ticket; or it changes nothing any more.
        (_, ReadyHeard or OfferRefused or VerdictHeard or RedirectionAcknowledged or ForgetAcknowledged or LinkLost or ApplicationDied) => new(state),
        (Done, TimeIsUp) or (Settled or Done, RoutingLeft) => new(state),
        (InDoubt or Undoing or Thawed or Releasing or Abandoning or Settled or Done, StepFailed) => new(state),
        (not InDoubt, OperatorAbandons or OperatorSaysDestinationIsDead) => new(state),
        _ => throw new InvalidOperationException($"{input.GetType().Name} is not legal in {state.GetType().Name}."),
    };

    /// <summary>Whether the pass may still change anything for its connections: no other pass of them may begin here.</summary>
    public static bool IsOpen(OriginState state) => state is not (Settled or Done);

    /// <summary>After the death of this agent, from the last record of the pass. Every effect may have been performed already.</summary>
    /// <param name="outcome">What that record says of it; the first two say nothing.</param>
    public static OriginStep Recover(OriginRecord record, PassTerms terms, PassOutcome? outcome) => (record, outcome) switch
    {
        (OriginRecord.Begun, _) => Undo(terms, PassFailure.Interrupted),
        (OriginRecord.Sending, _) => new(new InDoubt(terms), new SendResolve(terms)),
        (OriginRecord.Undoing, { } known) => Undo(terms, known.Failure),
        (OriginRecord.Releasing, { Owner: ConnectionOwner.Destination }) => Close(new Releasing(terms), terms, PassFailure.None, ConnectionOwner.Destination),
        (OriginRecord.Releasing, { } known) => Abandon(terms, known.Failure),
        (OriginRecord.Settled, { } known) => new(new Settled(terms, known.Failure, known.Owner), new SendForget(terms)),
        (OriginRecord.Done, { } known) => new(new Done(known.Failure, known.Owner)),
        _ => throw new InvalidOperationException($"A record {record} without an outcome is none that this table has asked for."),
    };

    /// <summary>After a loss of the journal, from what the application was told of the pass.</summary>
    /// <param name="isFrozen">Whether its sockets are. If not, this host owns them.</param>
    public static OriginStep RecoverFromApplication(PassTerms terms, bool isFrozen) => isFrozen
        ? new(new InDoubt(terms), new Record(OriginRecord.Sending, terms), new SendResolve(terms))
        : Undo(terms, PassFailure.Interrupted);

    // Write-ahead: on record before the first effect.
    private static OriginStep Start(PassTerms terms) =>
        new(new Beginning(terms), new Record(OriginRecord.Begun, terms), new TellApplication(terms), new Quiesce());

    // Nothing was diverted or frozen.
    private static OriginStep TakeBack(PassTerms terms, PassFailure failure) =>
        Settle(terms, failure, ConnectionOwner.Origin, new HandBack());

    private static OriginStep Undo(PassTerms terms, PassFailure failure) =>
        new(new Undoing(terms, failure), new Record(OriginRecord.Undoing, terms, new PassOutcome(failure, ConnectionOwner.Origin)), RedirectHere(terms));

    private static OriginStep Obey(VerdictHeard verdict, PassTerms terms) => verdict.Verdict switch
    {
        PassVerdict.Accepted => Close(new Releasing(terms), terms, PassFailure.None, ConnectionOwner.Destination),
        PassVerdict.Refused => Undo(terms, verdict.Failure),
        _ => Abandon(terms, PassFailure.DestinationForgot), // never thaw: it may have been active
    };

    private static OriginStep Abandon(PassTerms terms, PassFailure failure) => Close(new Abandoning(terms, failure), terms, failure, ConnectionOwner.Nobody);

    private static OriginStep Close(OriginState state, PassTerms terms, PassFailure failure, ConnectionOwner owner) => new(state,
        new Record(OriginRecord.Releasing, terms, new PassOutcome(failure, owner)), new CloseSilently(), new AwaitRoutingLeft(terms.DivertNumber));

    private static OriginStep Settle(PassTerms terms, PassFailure failure, ConnectionOwner owner, params ReadOnlySpan<OriginEffect> first) =>
        new(new Settled(terms, failure, owner), [.. first, new Record(OriginRecord.Settled, terms, new PassOutcome(failure, owner)), new SendForget(terms)]);

    private static Redirect RedirectHere(PassTerms terms) => new(terms.UndoNumber, ToDestination: false);

    private static bool Refuses(VerdictHeard verdict, PassTerms terms) =>
        verdict.Ticket == terms.Ticket && verdict.Verdict != PassVerdict.Accepted;

    private static PassFailure FailureOf(OriginInput input) => input switch
    {
        StepFailed failed => failed.Failure,
        ApplicationDied => PassFailure.NotPassable,
        _ => PassFailure.DestinationUnreachable,
    };
}
