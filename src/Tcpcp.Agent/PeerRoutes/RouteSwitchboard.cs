using System.Net;
using Tcpcp.Agent.Link;
using Tcpcp.Agent.Redirection;
using Tcpcp.Core;
using Tcpcp.Core.Passing;
using Tcpcp.Linux.Netlink;

namespace Tcpcp.Agent.PeerRoutes;

/// <summary>
/// The routes of service addresses on a peer, or on its first hop, as the hosts that have the addresses order them. All connections of an address move with it, so orders are
/// numbered by address: who asks what the last number was takes a higher one. Thread-safe.
/// </summary>
internal sealed class RouteSwitchboard : IRedirectorService, IDisposable
{
    /// <summary>By which its routes are told from those of others (rtm_protocol; no program of iproute2's list has it).</summary>
    public const byte Protocol = 173;

    private readonly Lock _lock = new();
    private readonly RouteNetlink _route = RouteNetlink.Open();
    private readonly PeerRouteOptions _options;
    private readonly RouteState _state;
    private readonly int _interface;

    /// <summary>Makes the routes again that the agent before has made.</summary>
    /// <param name="interfaceName">The interface that the hosts are behind, in the calling thread's network namespace.</param>
    public RouteSwitchboard(PeerRouteOptions options, string interfaceName)
    {
        _options = options;
        try
        {
            _interface = _route.Links.Get(interfaceName).Index;
            _state = RouteState.Open(options.StateFile);
            foreach (RoutedAddress routed in _state.All)
            {
                if (Find(routed.Host)?.NextHopFor(routed.Address) is { } nextHop)
                    _route.Routes.Replace(RouteTo(routed.Address, nextHop));
            }
        }
        catch
        {
            _route.Dispose();
            throw;
        }
    }

    public Guid Incarnation => _state.Incarnation;

    /// <summary>Addresses that it routes.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
                return _state.All.Count;
        }
    }

    public (string? Obstacle, ulong LastNumber) Examine(string caller, IReadOnlyList<FourTuple> connections, string host)
    {
        lock (_lock)
        {
            IPAddress[] addresses = AddressesOf(connections);
            string? obstacle = addresses.Select(address => FindObstacle(address, host) ?? FindFault(address, caller)).FirstOrDefault(one => one is not null);
            return (obstacle, addresses.Max(address => _state.Find(address)?.Number ?? 0));
        }
    }

    public IReadOnlyList<ulong> Redirect(string caller, IReadOnlyList<FourTuple> connections, IReadOnlyList<ulong> numbers, string host, bool isSettled)
    {
        lock (_lock)
        {
            ulong[] holding = new ulong[connections.Count];
            for (int i = 0; i < holding.Length; i++)
                holding[i] = Redirect(caller, connections[i].Local.Address, numbers[i], host, isSettled);
            return holding;
        }
    }

    public void Dispose() => _route.Dispose();

    private ulong Redirect(string caller, IPAddress address, ulong number, string host, bool isSettled)
    {
        if (Find(caller) is null)
            throw new UnauthorizedAccessException(Unknown(caller));
        RoutedAddress? known = _state.Find(address);
        RedirectorStep step = RedirectorTable.Next(
            known is null ? new RedirectorState.Unplaced() : new RedirectorState.Placed(known.Number, new RedirectionTarget(known.Host)),
            new RedirectionOrder(number, new RedirectionTarget(host)));
        ulong holds = ((RedirectorState.Placed)step.State).Number;
        if (!step.Effects.OfType<RedirectorEffect.Place>().Any())
        {
            if (isSettled && known is not null && holds == number && CertificateNames.AreSame(known.Host, host))
                _state.Set(known with { Orderer = known.Host });
            return holds;
        }

        if (FindFault(address, caller) is { } fault)
            throw new UnauthorizedAccessException(fault);
        if (FindObstacle(address, host) is { } obstacle)
            throw new InvalidOperationException(obstacle);
        RoutedHost target = Find(host)!;
        // First on record: what fails after it is repeated, and the next agent makes the route.
        _state.Set(new RoutedAddress(address, target.Host.Name, isSettled ? target.Host.Name : caller, number));
        try
        {
            _route.Routes.Replace(RouteTo(address, target.NextHopFor(address)!));
        }
        catch
        {
            _state.Restore(address, known);
            throw;
        }

        return holds;
    }

    private string? FindObstacle(IPAddress address, string host) => Find(host) is not { } found ? Unknown(host)
        : !found.MayHave(address) ? $"'{host}' may not have {address}: add it to peer-route:hosts:{host}:addresses there."
        : found.NextHopFor(address) is null ? $"No next hop of '{host}' is known that {address} could be routed to: add it to peer-route:hosts:{host}:next-hops there."
        : null;

    // The host that has the address moves it, or takes back what it has ordered.
    private string? FindFault(IPAddress address, string caller)
    {
        if (Find(caller) is not { } asking)
            return Unknown(caller);
        if (!asking.MayHave(address))
            return $"'{caller}' may not move {address}: add it to peer-route:hosts:{caller}:addresses there.";
        bool mayMove = _state.Find(address) is { } known
            ? CertificateNames.AreSame(known.Host, caller) || CertificateNames.AreSame(known.Orderer, caller)
            : _route.Routes.List().FirstOrDefault(route => route.Destination == InterfaceAddress.Single(address))?.Gateway is not { } gateway
                || Equals(gateway, asking.NextHopFor(address));
        return mayMove ? null : $"{address} is not {caller}'s here.";
    }

    private static string Unknown(string host) => $"'{host}' is no host that addresses are routed to: add it to peer-route:hosts there.";

    private RoutedHost? Find(string name) => _options.Hosts.FirstOrDefault(one => CertificateNames.AreSame(one.Host.Name, name));

    private Route RouteTo(IPAddress address, IPAddress nextHop) =>
        Route.Via(InterfaceAddress.Single(address), nextHop) with { LinkIndex = _interface, Protocol = Protocol };

    private static IPAddress[] AddressesOf(IReadOnlyList<FourTuple> connections) => [.. connections.Select(connection => connection.Local.Address).Distinct()];
}
