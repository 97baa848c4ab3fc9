using System.Diagnostics;
using Tcpcp.Core;
using Tcpcp.Linux.Diagnostics;
using Tcpcp.Linux.Netlink;

namespace Tcpcp.Agent.Passing;

/// <summary>Which connections live on this host. Each is looked up by its four-tuple, which takes as long with many others as with none. Thread-safe.</summary>
internal sealed class LivingConnections(SocketDiagnostics sockets) : IDisposable
{
    private static readonly TimeSpan s_listedFor = TimeSpan.FromSeconds(1);

    private readonly RouteNetlink _route = RouteNetlink.Open();
    private readonly Lock _lock = new();
    private uint[] _interfaces = [];
    private long _listedAt;

    public bool Contains(FourTuple connection) => sockets.IsAlive(connection, Interfaces());

    public void Dispose() => _route.Dispose();

    // A socket may be bound to any of them.
    private uint[] Interfaces()
    {
        lock (_lock)
        {
            if (_interfaces.Length == 0 || Stopwatch.GetElapsedTime(_listedAt) > s_listedFor)
                (_interfaces, _listedAt) = ([.. _route.Links.List().Select(link => (uint)link.Index)], Stopwatch.GetTimestamp());
            return _interfaces;
        }
    }
}
