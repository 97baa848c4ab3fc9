using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Tcpcp.AspNetCore.Hosting;
using Tcpcp.AspNetCore.Transport;

namespace Tcpcp.AspNetCore.Passing;

/// <summary>The connections that the server has now.</summary>
internal sealed class ServerConnections(ILogger<ServerConnections> log) : IConnectionOwner
{
    private readonly ConcurrentDictionary<long, PassableConnection> _connections = [];

    public int Count => _connections.Count;

    /// <summary>In the order in which they have begun.</summary>
    public IReadOnlyList<PassableConnection> All => [.. _connections.Values.OrderBy(one => one.Number)];

    public void Began(PassableConnection connection) => _connections[connection.Number] = connection;

    public void Ended(PassableConnection connection) => _connections.TryRemove(connection.Number, out _);

    public void Lost(PassableConnection connection, string reason) => log.Lost(connection.FindName(), reason);
}
