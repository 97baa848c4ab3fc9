using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Tcpcp.Core;
using Tcpcp.Linux.Netlink;
using Tcpcp.Linux.Nftables;

namespace Tcpcp.Agent.Redirection;

/// <summary>
/// Redirection by forwarding: the host that has the service address (the <em>home</em> of its connections) sends the packets of single connections on to the
/// host that owns them, which takes packets for an address that it does not have, for just the sockets that it has restored. Replies go straight to the
/// peer. The home must stay up; both hosts are on one layer 2, or have a tunnel.
/// </summary>
/// <remarks>
/// At the home: nftables, table <c>netdev tcpcp-forward</c>, for each other host a chain at ingress with sets of the connections that go there. It outlives
/// the agent. Where they arrive: the packets of transparent sockets are marked, and a rule delivers what is marked (table 7370). A connection can be passed on
/// from there to its home only.
/// </remarks>
internal sealed class Forward : IRedirection
{
    private const string TableName = "tcpcp-forward";

    // The gate's bits of the mark, with a value of their own.
    private const uint ArrivalMark = 0x7C72_0000;
    private const uint MarkMask = 0xFFFF_0000;
    private const uint RouteTableNumber = 7370;
    private const uint RulePriority = 7370;

    private readonly RouteNetlink _route = RouteNetlink.Open();
    private readonly SetElements _elements = new();
    private readonly string _interface;
    private readonly Dictionary<IPAddress, FourTupleSet> _destinations = [];
    private readonly ConcurrentDictionary<FourTuple, string> _homes = new();

    /// <param name="interfaceName">The interface that peers and the other hosts are behind, in the calling thread's network namespace.</param>
    /// <param name="others">The hosts that connections may be passed to.</param>
    public Forward(string interfaceName, IEnumerable<OtherHost> others)
    {
        _interface = interfaceName;
        try
        {
            foreach (IPAddress address in others.SelectMany(other => other.Addresses).Distinct())
                _destinations[address] = MakeChain(address);
            TakeForeign();
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public string Name => "forward";

    public RedirectionPlan Plan(IReadOnlyList<FourTuple> connections, OtherHost destination)
    {
        string?[] homes = [.. connections.Select(connection => _homes.GetValueOrDefault(connection)).Distinct(StringComparer.Ordinal)];
        if (homes.Length > 1)
            return new RedirectionPlan(Redirector.Destination, "The connections have different homes: pass them one by one.");
        if (homes[0] is { } home)
        {
            return new RedirectionPlan(Redirector.Destination, home == destination.Name ? null
                : $"{home} forwards the packets of {connections[0]} to this host; it can be passed to {home} only.");
        }

        foreach (FourTuple connection in connections)
        {
            if (!_route.Routes.IsLocal(connection.Local.Address))
                return new RedirectionPlan(Redirector.Origin, $"It is not known which host forwards the packets of {connection} to this host.");
            if (destination.AddressFor(connection) is not { } address || !_destinations.ContainsKey(address))
                return new RedirectionPlan(Redirector.Origin, $"No address of {destination.Name} is known that packets of {connection} could be forwarded to.");
        }

        return new RedirectionPlan(Redirector.Origin);
    }

    public void SendAway(FourTuple connection, OtherHost destination)
    {
        IPAddress address = destination.AddressFor(connection)
            ?? throw new InvalidOperationException($"{destination.Name} has no address that packets of {connection} could be forwarded to.");
        foreach ((IPAddress other, FourTupleSet set) in _destinations)
        {
            if (!other.Equals(address) && other.AddressFamily == address.AddressFamily)
                _elements.Remove(set, connection);
        }

        _elements.Add(_destinations[address], connection);
    }

    public void Divert(FourTuple connection) => Reclaim(connection);

    public bool Recover(FourTuple connection) => true; // the origin or this host may have moved them

    public bool ComesHere(FourTuple connection) => _route.Routes.IsLocal(connection.Local.Address);

    public bool IsForeign(FourTuple connection) => !_route.Routes.IsLocal(connection.Local.Address);

    public void AwaitArrival(FourTuple connection)
    {
        // The rule is there since the start.
    }

    public void Undo(FourTuple connection, OtherHost? origin)
    {
        // Only the home has moved them; they go where they went.
        if (origin is not null && !IsForeign(connection))
            SendAway(connection, origin);
    }

    public void Reclaim(FourTuple connection)
    {
        foreach ((IPAddress address, FourTupleSet set) in _destinations)
        {
            if (address.AddressFamily == connection.Local.Address.AddressFamily)
                _elements.Remove(set, connection);
        }
    }

    public void Leave(FourTuple connection) => _homes.TryRemove(connection, out _); // packets that come here go on to the owner

    public void Settle(FourTuple connection, Redirector redirector, OtherHost? origin)
    {
        if (redirector == Redirector.Origin && origin is not null)
            _homes[connection] = origin.Name;
    }

    public void Dispose()
    {
        _elements.Dispose();
        _route.Dispose();
    }

    // One transaction: what is forwarded stays so.
    private FourTupleSet MakeChain(IPAddress address)
    {
        string name = "to-" + Convert.ToHexStringLower(address.GetAddressBytes());
        bool ipv6 = address.AddressFamily == AddressFamily.InterNetworkV6;
        (string set, string type, string family) = ipv6 ? (name + "-6", "ipv6_addr", "ip6") : (name + "-4", "ipv4_addr", "ip");
        LibNftables.Run($$"""
            add table netdev {{TableName}}
            add set netdev {{TableName}} {{name}}-4 { type ipv4_addr . inet_service . ipv4_addr . inet_service; }
            add set netdev {{TableName}} {{name}}-6 { type ipv6_addr . inet_service . ipv6_addr . inet_service; }
            add chain netdev {{TableName}} {{name}} { type filter hook ingress device "{{_interface}}" priority -490; }
            flush chain netdev {{TableName}} {{name}}
            add rule netdev {{TableName}} {{name}} {{family}} daddr . tcp dport . {{family}} saddr . tcp sport @{{set}} fwd {{family}} to {{address}} device "{{_interface}}"
            """);

        return new FourTupleSet(FourTupleSet.NFPROTO_NETDEV, TableName, name + "-");
    }

    private void TakeForeign()
    {
        LibNftables.Run($$"""
            add table inet {{TableName}}
            add chain inet {{TableName}} arrival { type filter hook prerouting priority mangle; }
            flush chain inet {{TableName}} arrival
            add rule inet {{TableName}} arrival meta l4proto tcp socket transparent 1 meta mark set meta mark & {{~MarkMask}} | {{ArrivalMark}}
            """);
        int loopback = _route.Links.Get("lo").Index;
        foreach (AddressFamily family in (AddressFamily[])[AddressFamily.InterNetwork, AddressFamily.InterNetworkV6])
        {
            IPAddress any = family == AddressFamily.InterNetwork ? IPAddress.Any : IPAddress.IPv6Any;
            _route.Rules.Add(new MarkRule(family, ArrivalMark, MarkMask, RouteTableNumber, RulePriority));
            _route.Routes.Add(Route.Local(new InterfaceAddress(any, 0), loopback, RouteTableNumber));
        }
    }
}
