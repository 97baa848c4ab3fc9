using System.Net;
using Tcpcp.Core;

namespace Tcpcp.Agent.Redirection;

/// <summary>Who moves the peer's packets in a pass.</summary>
internal enum Redirector
{
    /// <summary>The destination, when the origin asks for it: <see cref="IRedirection.Divert"/>.</summary>
    Destination,

    /// <summary>The origin, or a third party that it asks: <see cref="IRedirection.SendAwayAsync"/>.</summary>
    Origin,

    /// <summary>The host that forwards the packets to the origin, when that asks for it: <see cref="IHomeAgent.RepointAsync"/>.</summary>
    Home,

    /// <summary>The destination those of connections whose address it has, as with <see cref="Destination"/>; the origin the others, as with <see cref="Origin"/>.</summary>
    Both,
}

/// <summary>How the packets of a pass will be moved.</summary>
/// <param name="Obstacle">Null if they can be, else why not, in one sentence.</param>
internal readonly record struct RedirectionPlan(Redirector Redirector, string? Obstacle = null)
{
    /// <summary>The highest number of a redirection of these connections that a third party, or their home, has obeyed; 0: none is known.</summary>
    public ulong LastNumber { get; init; }

    /// <summary>Name of the home's agent where that moves them; else null.</summary>
    public string? Home { get; init; }
}

/// <summary>Who moves the packets has not said that it is done: it may have been done or not.</summary>
internal sealed class RedirectionException(string message, Exception? inner = null) : IOException(message, inner);

/// <summary>The other host of a pass.</summary>
/// <param name="Name">Of its agent.</param>
/// <param name="Addresses">Where packets are forwarded to: one of each address family at most.</param>
internal sealed record OtherHost(string Name, IReadOnlyList<IPAddress> Addresses)
{
    /// <summary>The address of its agent, if packets for it go through a tunnel to there; null: it is on the same layer 2.</summary>
    public IPAddress? TunnelTo { get; init; }

    /// <summary>Its address of the same family; null if there is none.</summary>
    public IPAddress? AddressFor(FourTuple connection) =>
        Addresses.FirstOrDefault(address => address.AddressFamily == connection.Local.Address.AddressFamily);
}

/// <summary>
/// What moves the peer's packets from host to host. Every method is one step of a pass at one of its sides, may be repeated, and has taken effect
/// when it returns.
/// </summary>
/// <remarks>
/// A third party obeys of two orders the one with the higher number (<see cref="Core.Passing.PassTerms"/>), and acknowledges both with the number that holds. Where the origin
/// moves them itself, its steps are done at once.
/// </remarks>
internal interface IRedirection : IDisposable
{
    /// <summary>As the configuration has it.</summary>
    string Name { get; }

    /// <summary>At the origin, before anything has changed: can the packets of these connections be moved without harm to others, and by whom?</summary>
    ValueTask<RedirectionPlan> PlanAsync(IReadOnlyList<FourTuple> connections, OtherHost destination, CancellationToken cancellationToken);

    /// <summary>At the origin that is the redirector, or asks it: the packets go to the destination.</summary>
    /// <param name="number">Of this redirection.</param>
    /// <returns>The number that holds: a higher one than asked for if somebody else has moved them.</returns>
    /// <exception cref="RedirectionException">There was no acknowledgement in time.</exception>
    ValueTask<ulong> SendAwayAsync(IReadOnlyList<FourTuple> connections, OtherHost destination, ulong number, CancellationToken cancellationToken);

    /// <summary>At the destination, before it agrees: that what others send here is not sent on.</summary>
    /// <returns>Null: it is not; else why it would be, in one sentence.</returns>
    string? Expect(FourTuple connection, Redirector redirector) => null;

    /// <summary>At the destination that is the redirector: the packets come here.</summary>
    void Divert(IReadOnlyList<FourTuple> connections);

    /// <summary>At the destination, after the death of its agent: a divert that stands may have to be undone.</summary>
    /// <returns>Whether there is one.</returns>
    bool Recover(FourTuple connection);

    /// <summary>Whether this host takes packets for the local address of a connection, whoever owns that.</summary>
    bool ComesHere(FourTuple connection);

    /// <summary>At the destination: whether the local address may be another host's.</summary>
    bool IsForeign(FourTuple connection);

    /// <summary>At the destination, after the divert and before the activation: waits until this host takes the packets that come.</summary>
    /// <exception cref="TimeoutException">It does not; the message says what is missing.</exception>
    void AwaitArrival(FourTuple connection);

    /// <summary>At the destination, before its application has the connection and may pass it on: notes where the packets come from.</summary>
    /// <inheritdoc cref="Settle"/>
    void Note(FourTuple connection, Redirector redirector, OtherHost? home)
    {
        // Nobody else need be asked.
    }

    /// <summary>At the destination: they do not come here any more; the origin has called <see cref="ReclaimAsync"/>.</summary>
    void Undo(FourTuple connection, OtherHost? origin);

    /// <summary>At the origin, to undo a divert: the packets come here again.</summary>
    /// <inheritdoc cref="SendAwayAsync"/>
    ValueTask<ulong> ReclaimAsync(IReadOnlyList<FourTuple> connections, OtherHost destination, ulong number, CancellationToken cancellationToken);

    /// <summary>At the origin, after the pass: returns when no packet reaches this host's own sockets any more, so that its gate may open.</summary>
    /// <param name="number">Of the redirection to the destination.</param>
    /// <exception cref="RedirectionException">That is not known yet.</exception>
    ValueTask LeaveAsync(IReadOnlyList<FourTuple> connections, OtherHost destination, ulong number, CancellationToken cancellationToken);

    /// <summary>At the destination, when the origin has left: settles what is stale elsewhere.</summary>
    /// <param name="home">The origin; where the home has moved the packets, that.</param>
    /// <param name="number">Of the redirection that has brought it.</param>
    void Settle(FourTuple connection, Redirector redirector, OtherHost? home, ulong number);
}
