using Tcpcp.Core.Passing;

namespace Tcpcp.Core.Tests.Passing;

/// <summary>
/// A pass, and every state and input of its tables by the names that the tests and <c>docs/architecture.md</c> use. An input that a table
/// may take in several ways is here once for each of them.
/// </summary>
internal static class TableSamples
{
    public static readonly PassTicket Ticket = new(Guid.Parse("11111111-1111-1111-1111-111111111111"), 7);
    public static readonly PassTicket TicketOfAnotherNumber = Ticket with { Number = 8 };
    public static readonly PassTicket TicketOfAnotherIncarnation = new(Guid.Parse("22222222-2222-2222-2222-222222222222"), 7);

    /// <summary>The divert has number 6, the undo 7.</summary>
    public static readonly PassTerms Terms = new(Ticket, Epoch: 3);

    /// <summary>The failure that every state and input carries: one that no table makes by itself.</summary>
    public const PassFailure Failure = PassFailure.RefusedByApplication;

    public static readonly RedirectionTarget Here = new("A");
    public static readonly RedirectionTarget There = new("B");

    public static OrderedDictionary<string, OriginState> OriginStates { get; } = new(StringComparer.Ordinal)
    {
        ["Offering"] = new OriginState.Offering(Terms.Epoch),
        ["Beginning"] = new OriginState.Beginning(Terms),
        ["Diverting"] = new OriginState.Diverting(Terms),
        ["Freezing"] = new OriginState.Freezing(Terms),
        ["Sending"] = new OriginState.Sending(Terms),
        ["InDoubt"] = new OriginState.InDoubt(Terms),
        ["Undoing"] = new OriginState.Undoing(Terms, Failure),
        ["Thawed"] = new OriginState.Thawed(Terms, Failure),
        ["Releasing"] = new OriginState.Releasing(Terms),
        ["Abandoning"] = new OriginState.Abandoning(Terms, Failure),
        ["Settled"] = new OriginState.Settled(Terms, Failure, ConnectionOwner.Origin),
        ["Done"] = new OriginState.Done(Failure, ConnectionOwner.Origin),
    };

    public static OrderedDictionary<string, OriginInput> OriginInputs { get; } = new(StringComparer.Ordinal)
    {
        ["ReadyHeard"] = new OriginInput.ReadyHeard(Ticket),
        ["OfferRefused"] = new OriginInput.OfferRefused(Failure),
        ["Quiesced"] = new OriginInput.Quiesced(),
        ["RedirectionAcknowledged(divert)"] = new OriginInput.RedirectionAcknowledged(Terms.DivertNumber),
        ["RedirectionAcknowledged(undo)"] = new OriginInput.RedirectionAcknowledged(Terms.UndoNumber),
        ["Captured"] = new OriginInput.Captured(),
        ["VerdictHeard(Accepted)"] = new OriginInput.VerdictHeard(Ticket, PassVerdict.Accepted, PassFailure.None),
        ["VerdictHeard(Refused)"] = new OriginInput.VerdictHeard(Ticket, PassVerdict.Refused, Failure),
        ["VerdictHeard(Unknown)"] = new OriginInput.VerdictHeard(Ticket, PassVerdict.Unknown, Failure),
        ["RoutingLeft"] = new OriginInput.RoutingLeft(),
        ["ForgetAcknowledged"] = new OriginInput.ForgetAcknowledged(),
        ["StepFailed"] = new OriginInput.StepFailed(Failure),
        ["SendingNotRecorded"] = new OriginInput.SendingNotRecorded(),
        ["LinkLost"] = new OriginInput.LinkLost(),
        ["TimeIsUp"] = new OriginInput.TimeIsUp(),
        ["ApplicationDied"] = new OriginInput.ApplicationDied(),
        ["OperatorAbandons"] = new OriginInput.OperatorAbandons(),
        ["OperatorSaysDestinationIsDead"] = new OriginInput.OperatorSaysDestinationIsDead(),
    };

    public static OrderedDictionary<string, (OriginRecord Kind, PassOutcome? Outcome)> OriginRecords { get; } = new(StringComparer.Ordinal)
    {
        ["Begun"] = (OriginRecord.Begun, null),
        ["Sending"] = (OriginRecord.Sending, null),
        ["Undoing(failure)"] = (OriginRecord.Undoing, new PassOutcome(Failure, ConnectionOwner.Origin)),
        ["Releasing(Destination)"] = (OriginRecord.Releasing, new PassOutcome(PassFailure.None, ConnectionOwner.Destination)),
        ["Releasing(failure, Nobody)"] = (OriginRecord.Releasing, new PassOutcome(Failure, ConnectionOwner.Nobody)),
        ["Settled(failure, Origin)"] = (OriginRecord.Settled, new PassOutcome(Failure, ConnectionOwner.Origin)),
        ["Settled(Destination)"] = (OriginRecord.Settled, new PassOutcome(PassFailure.None, ConnectionOwner.Destination)),
        ["Done(failure, Nobody)"] = (OriginRecord.Done, new PassOutcome(Failure, ConnectionOwner.Nobody)),
    };

    public static OrderedDictionary<string, DestinationState> DestinationStates { get; } = new(StringComparer.Ordinal)
    {
        ["Unknown"] = new DestinationState.Unknown(Ticket.Incarnation),
        ["Offered"] = new DestinationState.Offered(Terms),
        ["Restoring"] = new DestinationState.Restoring(Terms),
        ["Accepted"] = new DestinationState.Accepted(Terms, IsReleased: false),
        ["Accepted(released)"] = new DestinationState.Accepted(Terms, IsReleased: true),
        ["Active"] = new DestinationState.Active(Terms),
        ["Refused"] = new DestinationState.Refused(Terms, Failure),
        ["Forgotten"] = new DestinationState.Forgotten(Ticket.Incarnation),
    };

    public static OrderedDictionary<string, DestinationInput> DestinationInputs { get; } = new(StringComparer.Ordinal)
    {
        ["OfferHeard"] = new DestinationInput.OfferHeard(Terms, PassFailure.None),
        ["OfferHeard(obstacle)"] = new DestinationInput.OfferHeard(Terms, Failure),
        ["TransferHeard"] = new DestinationInput.TransferHeard(Ticket),
        ["ResolveHeard"] = new DestinationInput.ResolveHeard(Ticket, LivesHere: false),
        ["UndoHeard"] = new DestinationInput.UndoHeard(Ticket),
        ["ForgetHeard"] = new DestinationInput.ForgetHeard(Ticket),
        ["ApplicationTook"] = new DestinationInput.ApplicationTook(),
        ["AcceptNotRecorded"] = new DestinationInput.AcceptNotRecorded(),
        ["Declined"] = new DestinationInput.Declined(Failure),
        ["Activated"] = new DestinationInput.Activated(),
        ["TimeIsUp"] = new DestinationInput.TimeIsUp(),
        ["LinkLost"] = new DestinationInput.LinkLost(),
        ["ApplicationDied"] = new DestinationInput.ApplicationDied(),
    };

    public static OrderedDictionary<string, RedirectorState> RedirectorStates { get; } = new(StringComparer.Ordinal)
    {
        ["Unplaced"] = new RedirectorState.Unplaced(),
        ["Placed"] = new RedirectorState.Placed(6, Here),
    };

    /// <summary>By their numbers, beside that of the state Placed.</summary>
    public static OrderedDictionary<string, RedirectionOrder> RedirectionOrders { get; } = new(StringComparer.Ordinal)
    {
        ["Lower(elsewhere)"] = new RedirectionOrder(5, There),
        ["Lower(same target)"] = new RedirectionOrder(5, Here),
        ["Equal(elsewhere)"] = new RedirectionOrder(6, There),
        ["Equal(same target)"] = new RedirectionOrder(6, Here),
        ["Higher(elsewhere)"] = new RedirectionOrder(7, There),
        ["Higher(same target)"] = new RedirectionOrder(7, Here),
    };
}
