using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Tcpcp.Core;
using Tcpcp.Linux.Diagnostics;
using Tcpcp.Linux.Netlink;
using Tcpcp.Linux.Packets;

namespace Tcpcp.Agent.Redirection;

/// <summary>
/// Redirection by moving the service address to the destination (rtnetlink, and gratuitous ARP or a neighbour advertisement). Both hosts are on one
/// layer 2, and the address is one of its own (/32 or /128), not the host's. It moves all connections of the address: so the connection must be the
/// last one of it.
/// </summary>
internal sealed class Takeover : IRedirection
{
    private readonly RouteNetlink _route = RouteNetlink.Open();
    private readonly SocketDiagnostics _sockets;
    private readonly AddressAnnouncement _announcement;
    private readonly LinkInfo _link;
    private readonly ConcurrentDictionary<IPAddress, bool> _added = new();

    /// <param name="interfaceName">The interface on the common layer 2, in the calling thread's network namespace.</param>
    /// <param name="sockets">Of the same namespace.</param>
    public Takeover(string interfaceName, SocketDiagnostics sockets)
    {
        _sockets = sockets;
        _link = _route.Links.Get(interfaceName);
        _announcement = AddressAnnouncement.Open(_link.Index, _link.HardwareAddress);
    }

    public string Name => "takeover";

    public ValueTask<RedirectionPlan> PlanAsync(IReadOnlyList<FourTuple> connections, OtherHost destination, CancellationToken cancellationToken) =>
        ValueTask.FromResult(new RedirectionPlan(Redirector.Destination,
            AddressesOf(connections).Select(address => FindObstacle(address, connections)).FirstOrDefault(obstacle => obstacle is not null)));

    public ValueTask<ulong> SendAwayAsync(IReadOnlyList<FourTuple> connections, OtherHost destination, ulong number, CancellationToken cancellationToken) =>
        throw new NotSupportedException("With takeover the destination moves the packets.");

    public bool ComesHere(FourTuple connection) => _route.Routes.IsLocal(connection.Local.Address);

    public bool IsForeign(FourTuple connection) => false;

    private static IEnumerable<IPAddress> AddressesOf(IReadOnlyList<FourTuple> connections) =>
        connections.Select(connection => connection.Local.Address).Distinct();

    private string? FindObstacle(IPAddress address, IReadOnlyList<FourTuple> connections)
    {
        if (!_route.Addresses.List(_link.Index).Any(assigned => assigned.Address == InterfaceAddress.Single(address)))
        {
            int bits = address.AddressFamily == AddressFamily.InterNetworkV6 ? 128 : 32;
            return $"{address} is not an address of its own (/{bits}) on {_link.Name}: it cannot move to another host.";
        }

        return SharedAddress.FindObstacle(_sockets, address, connections);
    }

    public void Divert(IReadOnlyList<FourTuple> connections)
    {
        foreach (IPAddress address in AddressesOf(connections))
        {
            if (_route.Addresses.Add(_link.Index, InterfaceAddress.Single(address), forAnswersOnly: true))
                _added[address] = true;
            _announcement.Announce(address);
        }
    }

    public bool Recover(FourTuple connection)
    {
        // The connection was at the origin: so was its address.
        IPAddress address = connection.Local.Address;
        return _route.Addresses.List(_link.Index).Any(assigned => assigned.Address == InterfaceAddress.Single(address)) && (_added[address] = true);
    }

    public void AwaitArrival(FourTuple connection)
    {
        // As a rule the route was made while the snapshot was on its way.
        LocalRoutes.Await(_route, connection.Local.Address, _link.Name);
    }

    public void Undo(FourTuple connection, OtherHost? origin)
    {
        // Only what the divert has added: the address may have been this host's own.
        if (_added.TryRemove(connection.Local.Address, out _))
            _route.Addresses.Remove(_link.Index, InterfaceAddress.Single(connection.Local.Address));
    }

    public ValueTask<ulong> ReclaimAsync(IReadOnlyList<FourTuple> connections, OtherHost destination, ulong number, CancellationToken cancellationToken)
    {
        foreach (IPAddress address in AddressesOf(connections))
            _announcement.Announce(address);
        return ValueTask.FromResult(number);
    }

    public ValueTask LeaveAsync(IReadOnlyList<FourTuple> connections, OtherHost destination, ulong number, CancellationToken cancellationToken)
    {
        foreach (IPAddress address in AddressesOf(connections))
        {
            _added.TryRemove(address, out _);
            _route.Addresses.Remove(_link.Index, InterfaceAddress.Single(address));
        }

        return ValueTask.CompletedTask;
    }

    public void Settle(FourTuple connection, Redirector redirector, OtherHost? home, ulong number)
    {
        _added.TryRemove(connection.Local.Address, out _); // it is this host's for good
        _announcement.Announce(connection.Local.Address);
    }

    public void Dispose()
    {
        _announcement.Dispose();
        _route.Dispose();
    }
}
