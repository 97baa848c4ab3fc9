namespace Tcpcp.Core.Passing;

/// <summary>Where the destination stands in a pass.</summary>
internal abstract record DestinationState
{
    /// <summary>Ready was said: the gate is closed and the hold is armed.</summary>
    public sealed record Offered : DestinationState;

    /// <summary>The peer's packets come here and are held.</summary>
    public sealed record Holding : DestinationState;

    /// <summary>The sockets are restored and dormant, and the application has been given them.</summary>
    public sealed record Restored : DestinationState;

    /// <summary>The verdict is Accepted: this host owns the connections.</summary>
    public sealed record Accepted : DestinationState;

    /// <summary>The connections live here; the verdict is kept until the origin's Forget.</summary>
    public sealed record Active : DestinationState;

    /// <summary>The verdict is Refused. What is held goes back to the origin, if it asks for the undo; then the gate opens.</summary>
    public sealed record Refused(PassFailure Failure) : DestinationState;

    /// <summary>Final: nothing is left of the pass.</summary>
    public sealed record Forgotten : DestinationState;
}

/// <summary>What can happen to the destination.</summary>
internal abstract record DestinationInput
{
    public sealed record DivertMade : DestinationInput;

    public sealed record SocketsRestored : DestinationInput;

    /// <summary>The one record of verdict and snapshot is written.</summary>
    public sealed record AcceptRecorded : DestinationInput;

    public sealed record Activated : DestinationInput;

    /// <summary>Something here failed, or somebody does not want it.</summary>
    public sealed record Declined(PassFailure Failure) : DestinationInput;

    /// <summary>The offer's or the decision's time is up.</summary>
    public sealed record TimeIsUp : DestinationInput;

    public sealed record ResolveHeard : DestinationInput;

    public sealed record LinkLost : DestinationInput;

    /// <summary>The origin asks to take the divert back.</summary>
    public sealed record UndoHeard : DestinationInput;

    public sealed record ForgetHeard : DestinationInput;
}
