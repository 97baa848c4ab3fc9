namespace Tcpcp.Core.Passing;

/// <summary>Where the origin stands in a pass. Each state carries what only it knows.</summary>
internal abstract record OriginState
{
    /// <summary>The offer is out; nothing has changed.</summary>
    public sealed record Offering(ulong Epoch) : OriginState;

    /// <summary>The pass is on record; the application comes to a stop. Nothing has changed for the peer.</summary>
    public sealed record Beginning(PassTerms Terms) : OriginState;

    /// <summary>The redirector is asked to send the peer's packets to the destination.</summary>
    public sealed record Diverting(PassTerms Terms) : OriginState;

    /// <summary>The peer's packets are held at the destination. The gate closes, the sockets freeze, the snapshots are taken.</summary>
    public sealed record Freezing(PassTerms Terms) : OriginState;

    /// <summary>It is on record that the snapshots leave: only the destination's verdict decides from now on.</summary>
    public sealed record Sending(PassTerms Terms) : OriginState;

    /// <summary>There is no answer: ask until there is one, neither thaw nor close.</summary>
    public sealed record InDoubt(PassTerms Terms) : OriginState;

    /// <summary>The origin owns the connections for good. The redirector is asked to send the packets here again.</summary>
    public sealed record Undoing(PassTerms Terms, PassFailure Failure) : OriginState;

    /// <summary>The connections live here again; the redirector has not acknowledged that yet.</summary>
    public sealed record Thawed(PassTerms Terms, PassFailure Failure) : OriginState;

    /// <summary>The destination owns the connections: the frozen copies are closed, packets that still come here are dropped.</summary>
    public sealed record Releasing(PassTerms Terms) : OriginState;

    /// <summary>The destination cannot say any more whether it accepted, or the operator has given up: the copies are closed as if it had.</summary>
    public sealed record Abandoning(PassTerms Terms, PassFailure Failure) : OriginState;

    /// <summary>This host has nothing left to do for the connections. The destination is told so until it acknowledges it.</summary>
    public sealed record Settled(PassTerms Terms, PassFailure Failure, ConnectionOwner Owner) : OriginState;

    /// <summary>Final.</summary>
    public sealed record Done(PassFailure Failure, ConnectionOwner Owner) : OriginState;
}
