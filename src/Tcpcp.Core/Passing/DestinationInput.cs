namespace Tcpcp.Core.Passing;

/// <summary>What can happen to the destination. An input is taken when all effects of the step before are performed.</summary>
internal abstract record DestinationInput
{
    /// <param name="Terms">A new ticket of this incarnation, and the origin's epoch.</param>
    /// <param name="Obstacle">Why it cannot be taken; None if it can.</param>
    public sealed record OfferHeard(PassTerms Terms, PassFailure Obstacle) : DestinationInput;

    /// <summary>The whole transfer is here.</summary>
    /// <param name="LivesHere">As in <see cref="ResolveHeard"/>: it may be a late one.</param>
    public sealed record TransferHeard(PassTicket Ticket, bool LivesHere = false) : DestinationInput;

    /// <param name="LivesHere">The application holds the live sockets of that pass and says so.</param>
    public sealed record ResolveHeard(PassTicket Ticket, bool LivesHere) : DestinationInput;

    /// <summary>The origin is done with the pass, and no packet of the connections is sent here on its account any more.</summary>
    public sealed record ForgetHeard(PassTicket Ticket) : DestinationInput;

    /// <summary>The origin takes the divert back, and wants what was held.</summary>
    public sealed record UndoHeard(PassTicket Ticket) : DestinationInput;

    /// <summary>The application has the dormant sockets and takes them.</summary>
    public sealed record ApplicationTook : DestinationInput;

    /// <summary>The journal took no record of the acceptance, so nobody has heard of it and nothing lives.</summary>
    public sealed record AcceptNotRecorded : DestinationInput;

    /// <summary>Something here failed, or somebody does not want it.</summary>
    public sealed record Declined(PassFailure Failure) : DestinationInput;

    public sealed record Activated : DestinationInput;

    /// <summary>The offer's or the decision's time is up.</summary>
    public sealed record TimeIsUp : DestinationInput;

    public sealed record LinkLost : DestinationInput;

    public sealed record ApplicationDied : DestinationInput;
}
