using System.Net;
using Tcpcp.Core;
using Tcpcp.Linux.Diagnostics;

namespace Tcpcp.Agent.Redirection;

/// <summary>Where an address moves, all connections of it move.</summary>
internal static class SharedAddress
{
    /// <returns>What speaks against moving the address of these connections; null if nothing does.</returns>
    public static string? FindObstacle(SocketDiagnostics sockets, IPAddress address, IReadOnlyList<FourTuple> connections)
    {
        int others = sockets.List().Count(socket => socket.Connection.Local.Address.Equals(address) && !connections.Contains(socket.Connection) && socket.IsNeeded);
        return others == 0 ? null : $"{others} other connections have the address {address}; moving it would cut them off. Pass or end them first.";
    }

    /// <inheritdoc cref="FindObstacle(SocketDiagnostics, IPAddress, IReadOnlyList{FourTuple})"/>
    public static string? FindObstacle(SocketDiagnostics sockets, IReadOnlyList<FourTuple> connections) => connections.Select(connection => connection.Local.Address).Distinct()
        .Select(address => FindObstacle(sockets, address, connections)).FirstOrDefault(obstacle => obstacle is not null);
}
