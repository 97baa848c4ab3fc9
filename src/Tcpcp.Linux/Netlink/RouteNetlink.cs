using Microsoft.Win32.SafeHandles;

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

    public static RouteNetlink Open() => new(NetlinkSocket.Open(NetlinkSocket.NETLINK_ROUTE));

    public void Dispose() => _socket.Dispose();
}
