using System.Net;

namespace Tcpcp.Linux.Netlink;

/// <summary>
/// Links, addresses, routes, rules and neighbours of the network namespace of the thread that opened it (rtnetlink). It stays in that
/// namespace whichever thread uses it later.
/// </summary>
internal sealed class RouteNetlink : IDisposable
{
    private readonly NetlinkSocket _socket;

    private RouteNetlink(NetlinkSocket socket)
    {
        _socket = socket;
        Links = new RouteLinks(socket);
        Addresses = new RouteAddresses(socket);
        Routes = new RouteTable(socket);
        Neighbours = new RouteNeighbours(socket);
        Rules = new RouteRules(socket);
    }

    public RouteLinks Links { get; }

    public RouteAddresses Addresses { get; }

    public RouteTable Routes { get; }

    public RouteNeighbours Neighbours { get; }

    public RouteRules Rules { get; }

    /// <summary>
    /// Has the kernel find out where packets to a peer go next, before the first of them: those that wait for the answer leave on one CPU, and later ones overtake them on another.
    /// Returns at once.
    /// </summary>
    /// <param name="source">Where they will come from.</param>
    public void Solicit(IPAddress peer, IPAddress source)
    {
        if (Routes.FindNextHop(peer, source) is { } next)
            Neighbours.Solicit(next.LinkIndex, next.Address);
    }

    public static RouteNetlink Open() => new(NetlinkSocket.Open(NetlinkSocket.NETLINK_ROUTE));

    public void Dispose() => _socket.Dispose();
}
