namespace Tcpcp.Core.Passing;

/// <summary>Where the origin stands in a pass. Each state carries what only it knows.</summary>
internal abstract record OriginState
{
    /// <summary>The offer is out; nothing has changed.</summary>
    public sealed record Offering : OriginState;

    /// <summary>The destination is ready; nothing has changed.</summary>
    public sealed record Prepared(PassTicket Ticket) : OriginState;

    /// <summary>The pass is on record: effects may begin, and every one of them can be undone.</summary>
    public sealed record Begun(PassTicket Ticket) : OriginState;

    /// <summary>The peer's packets go to the destination and are held there.</summary>
    public sealed record Diverted(PassTicket Ticket) : OriginState;

    /// <summary>The socket is in repair mode behind the closed gate.</summary>
    public sealed record Frozen(PassTicket Ticket) : OriginState;

    /// <summary>The snapshot is in memory and has not left this host.</summary>
    public sealed record Captured(PassTicket Ticket) : OriginState;

    /// <summary>It is on record that the snapshot leaves: only the destination's verdict decides from now on.</summary>
    public sealed record Sending(PassTicket Ticket) : OriginState;

    /// <summary>The link broke while sending: ask until there is an answer, never guess.</summary>
    public sealed record InDoubt(PassTicket Ticket) : OriginState;

    /// <summary>The origin owns the connection for good: divert undone, socket thawed, in this order.</summary>
    public sealed record Undoing(PassFailure Failure) : OriginState;

    /// <summary>The destination owns the connection: the frozen copy is closed silently.</summary>
    public sealed record Releasing(PassTicket Ticket) : OriginState;

    /// <summary>The destination does not know any more whether it accepted: the copy is closed silently.</summary>
    public sealed record Abandoning : OriginState;

    /// <summary>Final.</summary>
    public sealed record Done(PassFailure Failure, ConnectionOwner Owner) : OriginState;
}

/// <summary>The destination's answer to a Transfer or a Resolve.</summary>
internal enum PassVerdict
{
    Accepted,
    Refused,
    Unknown,
}

/// <summary>What can happen to the origin.</summary>
internal abstract record OriginInput
{
    public sealed record DestinationReady(PassTicket Ticket) : OriginInput;

    public sealed record DestinationRefused(PassFailure Failure) : OriginInput;

    /// <summary>The step under way failed at this host, or its time was up.</summary>
    public sealed record StepFailed(PassFailure Failure) : OriginInput;

    public sealed record BeginRecorded : OriginInput;

    public sealed record DivertAcknowledged : OriginInput;

    public sealed record SocketFrozen : OriginInput;

    public sealed record SnapshotCaptured : OriginInput;

    public sealed record SendingRecorded : OriginInput;

    public sealed record LinkLost : OriginInput;

    public sealed record VerdictHeard(PassTicket Ticket, PassVerdict Verdict, PassFailure Failure) : OriginInput;

    public sealed record UndoCompleted : OriginInput;

    /// <summary>The copy is closed, and no packet of the connection reaches this host any more.</summary>
    public sealed record RoutingLeft : OriginInput;
}
