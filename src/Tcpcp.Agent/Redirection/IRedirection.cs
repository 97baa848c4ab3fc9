using Tcpcp.Core;

namespace Tcpcp.Agent.Redirection;

/// <summary>
/// What moves the peer's packets from host to host. Every method is one step of a pass at one of its sides, may be repeated, and has taken effect
/// when it returns.
/// </summary>
internal interface IRedirection
{
    /// <summary>At the origin, before anything has changed: can the packets of these connections be moved without harm to others?</summary>
    /// <returns>Null if so, else why not, in one sentence.</returns>
    string? FindObstacle(IReadOnlyList<FourTuple> connections);

    /// <summary>At the destination: the packets come here.</summary>
    void Divert(FourTuple connection);

    /// <summary>At the destination, after the death of its agent: a divert that stands may have to be undone.</summary>
    /// <returns>Whether there is one.</returns>
    bool Recover(FourTuple connection);

    /// <summary>At the destination, after <see cref="Divert"/> and before the activation: waits until this host takes the packets that come.</summary>
    /// <exception cref="TimeoutException">It does not; the message says what is missing.</exception>
    void AwaitArrival(FourTuple connection);

    /// <summary>At the destination: they do not any more; the origin has called <see cref="Reclaim"/>.</summary>
    void Undo(FourTuple connection);

    /// <summary>At the origin, to undo a divert: the packets come here again.</summary>
    void Reclaim(FourTuple connection);

    /// <summary>At the origin, after the pass: no packet reaches this host any more.</summary>
    void Leave(FourTuple connection);

    /// <summary>At the destination, when the origin has left: settles what is stale elsewhere.</summary>
    void Settle(FourTuple connection);
}
