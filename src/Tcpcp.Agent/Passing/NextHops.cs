using System.Diagnostics;
using System.Net;
using Tcpcp.Linux;
using Tcpcp.Linux.Netlink;
using FourTuple = Tcpcp.Core.FourTuple;

namespace Tcpcp.Agent.Passing;

/// <summary>
/// What comes before a peer on the way to it: the kernel learns its link-layer address before a connection lives here, not by the connection's first packets. Those would wait, and be
/// overtaken by later ones. Not thread-safe.
/// </summary>
internal sealed class NextHops : IDisposable
{
    private const int MostRemembered = 10_000;
    private static readonly TimeSpan s_knownFor = TimeSpan.FromSeconds(5); // less than the kernel keeps one

    private readonly RouteNetlink _route = RouteNetlink.Open();
    private readonly Dictionary<(IPAddress Peer, IPAddress Source), long> _asked = [];

    /// <summary>Asks for those of connections that are to come. Returns at once.</summary>
    public void Solicit(IReadOnlyList<FourTuple> connections)
    {
        foreach (FourTuple connection in connections)
        {
            (IPAddress, IPAddress) way = (connection.Peer.Address, connection.Local.Address);
            if (_asked.TryGetValue(way, out long asked) && Stopwatch.GetElapsedTime(asked) < s_knownFor)
                continue;
            if (_asked.Count >= MostRemembered)
                _asked.Clear();
            _asked[way] = Stopwatch.GetTimestamp();
            try
            {
                _route.Solicit(connection.Peer.Address, connection.Local.Address);
            }
            catch (KernelException)
            {
                // The first packet asks.
            }
        }
    }

    public void Dispose() => _route.Dispose();
}
