namespace Tcpcp.Core.Passing;

/// <summary>Where the destination stands in a pass. Each state carries what only it knows.</summary>
internal abstract record DestinationState
{
    /// <summary>Nothing is known of the pass.</summary>
    /// <param name="Incarnation">Of this host's journal.</param>
    public sealed record Unknown(Guid Incarnation) : DestinationState;

    /// <summary>Ready was said: the gate is closed and the hold is armed.</summary>
    public sealed record Offered(PassTerms Terms) : DestinationState;

    /// <summary>The transfer is whole: the sockets are restored, dormant, and shown to the application.</summary>
    public sealed record Restoring(PassTerms Terms) : DestinationState;

    /// <summary>The verdict is Accepted: this host owns the connections and lets them live.</summary>
    /// <param name="IsReleased">The origin's Forget has come already.</param>
    public sealed record Accepted(PassTerms Terms, bool IsReleased) : DestinationState;

    /// <summary>The connections live here; the verdict is kept until the origin's Forget.</summary>
    public sealed record Active(PassTerms Terms) : DestinationState;

    /// <summary>The verdict is Refused. The gate stays closed until the origin says that the packets do not come here any more.</summary>
    public sealed record Refused(PassTerms Terms, PassFailure Failure) : DestinationState;

    /// <summary>Final: nothing is left of the pass.</summary>
    public sealed record Forgotten(Guid Incarnation) : DestinationState;
}
