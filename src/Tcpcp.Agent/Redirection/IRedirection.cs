using System.Net;
using Tcpcp.Core;

namespace Tcpcp.Agent.Redirection;

/// <summary>Who moves the peer's packets in a pass.</summary>
internal enum Redirector
{
    /// <summary>The destination, when the origin asks for it: <see cref="IRedirection.Divert"/>.</summary>
    Destination,

    /// <summary>The origin: <see cref="IRedirection.SendAway"/>.</summary>
    Origin,

    /// <summary>The host that forwards the packets to the origin, when that asks for it: <see cref="IHomeAgent.RepointAsync"/>.</summary>
    Home,
}

/// <summary>How the packets of a pass will be moved.</summary>
/// <param name="Obstacle">Null if they can be, else why not, in one sentence.</param>
internal readonly record struct RedirectionPlan(Redirector Redirector, string? Obstacle = null)
{
    /// <summary>Name of the home's agent where that moves them; else null.</summary>
    public string? Home { get; init; }
}

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
internal interface IRedirection : IDisposable
{
    /// <summary>As the configuration has it.</summary>
    string Name { get; }

    /// <summary>At the origin, before anything has changed: can the packets of these connections be moved without harm to others, and by whom?</summary>
    RedirectionPlan Plan(IReadOnlyList<FourTuple> connections, OtherHost destination);

    /// <summary>At the origin that is the redirector: the packets go to the destination.</summary>
    void SendAway(IReadOnlyList<FourTuple> connections, OtherHost destination);

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

    /// <summary>At the destination: they do not come here any more; the origin has called <see cref="Reclaim"/>.</summary>
    void Undo(FourTuple connection, OtherHost? origin);

    /// <summary>At the origin, to undo a divert: the packets come here again.</summary>
    void Reclaim(IReadOnlyList<FourTuple> connections);

    /// <summary>At the origin, after the pass: no packet reaches this host's own sockets any more.</summary>
    void Leave(FourTuple connection);

    /// <summary>At the destination, when the origin has left: settles what is stale elsewhere, and notes where the packets come from.</summary>
    /// <param name="home">The origin; where the home has moved the packets, that.</param>
    void Settle(FourTuple connection, Redirector redirector, OtherHost? home);
}
