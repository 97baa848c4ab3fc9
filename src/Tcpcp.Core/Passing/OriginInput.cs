namespace Tcpcp.Core.Passing;

/// <summary>What can happen to the origin. An input is taken when all effects of the step before are performed.</summary>
internal abstract record OriginInput
{
    public sealed record ReadyHeard(PassTicket Ticket) : OriginInput;

    /// <summary>The destination does not take the offer.</summary>
    public sealed record OfferRefused(PassFailure Failure) : OriginInput;

    /// <summary>The application has stopped at a boundary and given its state.</summary>
    public sealed record Quiesced : OriginInput;

    /// <summary>The redirector's number for these connections; after an undo, what the destination held has come too.</summary>
    public sealed record RedirectionAcknowledged(ulong Number) : OriginInput;

    public sealed record Captured : OriginInput;

    public sealed record VerdictHeard(PassTicket Ticket, PassVerdict Verdict, PassFailure Failure) : OriginInput;

    /// <summary>The copies are closed, and no packet of the connections reaches this host any more.</summary>
    public sealed record RoutingLeft : OriginInput;

    public sealed record ForgetAcknowledged : OriginInput;

    /// <summary>The step under way failed at this host, or the caller gave up.</summary>
    public sealed record StepFailed(PassFailure Failure) : OriginInput;

    /// <summary>The journal took no record of the sending, so nothing was sent.</summary>
    public sealed record SendingNotRecorded : OriginInput;

    public sealed record LinkLost : OriginInput;

    /// <summary>No answer within the state's bound.</summary>
    public sealed record TimeIsUp : OriginInput;

    public sealed record ApplicationDied : OriginInput;

    /// <summary>The operator gives the connections up: they end silently.</summary>
    public sealed record OperatorAbandons : OriginInput;

    /// <summary>The operator vouches that the destination is dead and stays so.</summary>
    public sealed record OperatorSaysDestinationIsDead : OriginInput;
}
