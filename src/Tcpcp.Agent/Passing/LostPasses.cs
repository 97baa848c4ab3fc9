using System.Net.Sockets;
using Tcpcp.Agent.Policy;
using Tcpcp.Core;
using Tcpcp.Core.Passing;
using Tcpcp.Core.Wire;
using Tcpcp.Linux.Tcp;
using FourTuple = Tcpcp.Core.FourTuple;

namespace Tcpcp.Agent.Passing;

/// <summary>
/// What passes have left at a destination whose journal does not know of them any more: closed gates, a divert, sockets of applications. Not thread-safe.
/// </summary>
internal sealed class LostPasses(HostServices host, PassPolicy? policy)
{
    private readonly HashSet<(PassId, PassTicket)> _livesHere = [];
    private readonly HashSet<FourTuple> _forgotten = []; // the origin has closed or thawed them, and a dormant copy is here still

    /// <summary>Whether an application has said that it holds the live sockets of a pass.</summary>
    public bool LivesHere(PassId pass, PassTicket ticket) => _livesHere.Contains((pass, ticket));

    /// <summary>
    /// At the start: opens the gates that neither an open pass nor a socket needs. Where packets of the connection come to this host, it stays closed: without a
    /// socket the kernel would answer them with an RST.
    /// </summary>
    /// <param name="kept">The connections of open passes.</param>
    public void OpenUnneeded(IReadOnlySet<FourTuple> kept)
    {
        foreach (FourTuple closed in host.Gate.Closed)
        {
            if (!kept.Contains(closed) && host.Sockets.Find(closed) is null && !host.Redirection.ComesHere(closed))
                host.Gate.Open(closed);
        }
    }

    /// <summary>An application has sockets of a pass. Those that live stay; what is dormant has no owner here, and is dissolved.</summary>
    public void TakeClaim(PassId pass, PassTicket ticket, bool isLive, IReadOnlyList<Socket?> sockets)
    {
        if (isLive)
            _livesHere.Add((pass, ticket));
        foreach (Socket? socket in sockets)
        {
            if (socket is not null && !isLive && FrozenConnection.IsFrozen(socket.SafeHandle, host.Gate.Options))
                Dissolve(socket);
            socket?.Dispose();
        }
    }

    /// <summary>The origin has closed or thawed its copies.</summary>
    /// <param name="kept">The connections of passes that are known here.</param>
    public void Forget(IEnumerable<FourTuple> connections, IReadOnlySet<FourTuple> kept)
    {
        foreach (FourTuple connection in connections.Where(one => !kept.Contains(one)))
        {
            if (host.Sockets.Find(connection) is null)
                host.Gate.Open(connection);
            else
                _forgotten.Add(connection);
        }
    }

    /// <summary>The origin owns the connections again: what a dead agent has diverted to here goes back, if nothing here uses it.</summary>
    /// <param name="origin">The name of its certificate; null: it has none.</param>
    /// <param name="kept">The connections of passes that are known here.</param>
    public void Undo(IEnumerable<FourTuple> connections, string? origin, IReadOnlySet<FourTuple> kept)
    {
        foreach (FourTuple connection in connections.Where(one => !kept.Contains(one)))
        {
            if (policy?.Concerns(origin, connection) is false
                || host.Sockets.List().Any(socket => socket.Connection.Local.Address.Equals(connection.Local.Address)))
                continue;
            if (host.Redirection.Recover(connection))
                host.Redirection.Undo(connection, origin is null ? null : host.FindHost(origin));
        }
    }

    private void Dissolve(Socket socket)
    {
        bool isNamed = SocketNames.TryFind(socket, out FourTuple name);
        RawSocket.Dissolve(socket.SafeHandle);
        if (isNamed && _forgotten.Remove(name))
            host.Gate.Open(name);
    }

    /// <summary>Connections that a message names; none if what it names are no connections.</summary>
    public static IReadOnlyList<FourTuple> NamesOf(IEnumerable<Core.Wire.FourTuple> named)
    {
        try
        {
            return [.. named.Select(EndPointWire.FromMessage)];
        }
        catch (InvalidSnapshotException)
        {
            return []; // not an origin
        }
    }
}
