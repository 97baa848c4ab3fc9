using System.Net;
using System.Net.Sockets;
using Tcpcp.Core;
using Tcpcp.Linux.Netlink;
using Tcpcp.Linux.Nftables;
using Tcpcp.Linux.Switching;

namespace Tcpcp.Agent.Redirection;

/// <summary>
/// Redirection by forwarding: the host that has the service address (the <em>home</em> of its connections) sends the packets of single connections on to the
/// host that owns them, which takes packets for an address that it does not have, for just the sockets that it has restored. Replies go straight to the
/// peer. The home must stay up; both hosts are on one layer 2, or have a tunnel.
/// </summary>
/// <remarks>
/// At the home: a packet switch (<see cref="SwitchPlace.Forward"/>), which outlives the agent. Where they arrive: the packets of transparent sockets are marked, and a rule delivers what is marked (table 7370). A connection can be passed on
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
    private readonly IPacketSwitch _switch;
    private readonly int _interface;
    private readonly HashSet<IPAddress> _destinations;
    private readonly ForwardingEntries _entries;

    /// <param name="interfaceName">The interface that peers and the other hosts are behind, in the calling thread's network namespace.</param>
    /// <param name="others">The hosts that connections may be passed to.</param>
    /// <param name="choice">What the switch is made of.</param>
    public Forward(string interfaceName, IEnumerable<OtherHost> others, SwitchChoice choice = SwitchChoice.Automatic)
    {
        _destinations = [.. others.SelectMany(other => other.Addresses)];
        try
        {
            _interface = _route.Links.Get(interfaceName).Index;
            _switch = PacketSwitch.Open(SwitchPlace.Forward, [interfaceName], out _, choice);
            _entries = new ForwardingEntries(_switch);
            TakeForeign();
        }
        catch
        {
            _switch?.Dispose();
            _route.Dispose();
            throw;
        }
    }

    public string Name => "forward";

    /// <summary>What this host forwards as a home.</summary>
    public ForwardingEntries Entries => _entries;

    /// <summary>By which homes the packets of this host's connections come.</summary>
    public KnownHomes Homes { get; } = new();

    public ValueTask<RedirectionPlan> PlanAsync(IReadOnlyList<FourTuple> connections, OtherHost destination, CancellationToken cancellationToken) =>
        ValueTask.FromResult(Plan(connections, destination));

    private RedirectionPlan Plan(IReadOnlyList<FourTuple> connections, OtherHost destination)
    {
        string?[] homes = [.. connections.Select(connection => Homes.Find(connection)).Distinct(StringComparer.Ordinal)];
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
            if (destination.AddressFor(connection) is not { } address || !_destinations.Contains(address))
                return new RedirectionPlan(Redirector.Origin, $"No address of {destination.Name} is known that packets of {connection} could be forwarded to.");
        }

        return new RedirectionPlan(Redirector.Origin);
    }

    public ValueTask<ulong> SendAwayAsync(IReadOnlyList<FourTuple> connections, OtherHost destination, ulong number, CancellationToken cancellationToken)
    {
        SendAway(connections, destination);
        return ValueTask.FromResult(number);
    }

    private void SendAway(IReadOnlyList<FourTuple> connections, OtherHost destination) => _entries.Set(connections, _interface, connection =>
        destination.AddressFor(connection)
            ?? throw new InvalidOperationException($"{destination.Name} has no address that packets of {connection} could be forwarded to."));

    public void Divert(IReadOnlyList<FourTuple> connections) => _entries.Remove(connections);

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
            SendAway([connection], origin);
    }

    public ValueTask<ulong> ReclaimAsync(IReadOnlyList<FourTuple> connections, OtherHost destination, ulong number, CancellationToken cancellationToken)
    {
        _entries.Remove(connections);
        return ValueTask.FromResult(number);
    }

    public ValueTask LeaveAsync(IReadOnlyList<FourTuple> connections, OtherHost destination, ulong number, CancellationToken cancellationToken)
    {
        foreach (FourTuple connection in connections)
            Homes.Forget(connection); // packets that come here go on to the owner
        return ValueTask.CompletedTask;
    }

    public void Settle(FourTuple connection, Redirector redirector, OtherHost? origin, ulong number)
    {
        if (redirector == Redirector.Origin && origin is not null)
            Homes.Arrive(connection, origin.Name);
    }

    public void Dispose()
    {
        _switch.Dispose();
        _route.Dispose();
    }

    private void TakeForeign()
    {
        // Made in one transaction, it is there whole; to make it anew would cost 15 ms of an agent's start.
        using (SetElements elements = new())
        {
            if (!elements.HasTable(FourTupleSet.NFPROTO_INET, TableName))
            {
                LibNftables.Run($$"""
                    add table inet {{TableName}}
                    add chain inet {{TableName}} arrival { type filter hook prerouting priority mangle; }
                    flush chain inet {{TableName}} arrival
                    add rule inet {{TableName}} arrival meta l4proto tcp socket transparent 1 meta mark set meta mark & {{~MarkMask}} | {{ArrivalMark}}
                    """);
            }
        }

        int loopback = _route.Links.Get("lo").Index;
        foreach (AddressFamily family in (AddressFamily[])[AddressFamily.InterNetwork, AddressFamily.InterNetworkV6])
        {
            IPAddress any = family == AddressFamily.InterNetwork ? IPAddress.Any : IPAddress.IPv6Any;
            _route.Rules.Add(new MarkRule(family, ArrivalMark, MarkMask, RouteTableNumber, RulePriority));
            _route.Routes.Add(Route.Local(new InterfaceAddress(any, 0), loopback, RouteTableNumber));
        }
    }
}
