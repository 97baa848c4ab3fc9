using System.Net;
using System.Net.Sockets;
using Tcpcp.Agent.Journal;
using Tcpcp.Core;
using Tcpcp.Gate;
using Tcpcp.Linux.Diagnostics;
using Tcpcp.Linux.Netlink;
using Tcpcp.Linux.Nftables;
using Tcpcp.Linux.Packets;
using Tcpcp.Linux.Switching;

namespace Tcpcp.Agent.Redirection;

/// <summary>
/// Redirection by forwarding: the host that has the service address (the <em>home</em> of its connections) sends the packets of single connections on to the
/// host that owns them, which takes packets for an address that it does not have, for just the sockets that it has restored. Replies go straight to the
/// peer. The home must stay up; both hosts are on one layer 2, or have a tunnel (<see cref="VxlanTunnel"/>).
/// </summary>
/// <remarks>
/// At the home: a packet switch (<see cref="SwitchPlace.Forward"/>), which outlives the agent. Where they arrive: the packets of transparent sockets are marked, and a rule delivers what is marked (table 7370). An owner
/// that passes a connection on to a third host has the home send the packets there; passing it back to the home removes the entry.
/// </remarks>
internal sealed class Forward : IRedirection
{
    private const string TableName = "tcpcp-forward";

    // The gate's bits of the mark, with a value of their own.
    private const uint ArrivalMark = 0x7C72_0000;
    private const uint MarkMask = 0xFFFF_0000;

    // Of the segments that the restore makes for a socket here: to an address that this host does not have, they must not leave it.
    private static readonly uint s_ownSegmentMark = new GateOptions().ArrivalMark;

    private const uint RouteTableNumber = 7370;
    private const uint RulePriority = 7370;

    private readonly RouteNetlink _route = RouteNetlink.Open();
    private readonly IPacketSwitch _switch;
    private readonly string _interfaceName;
    private readonly SocketDiagnostics _sockets;
    private readonly VxlanTunnel? _tunnel;
    private readonly int _interface;
    private readonly HashSet<IPAddress> _destinations;
    private readonly ForwardingEntries _entries;
    private readonly Lock _leftLock = new();
    private readonly LeftAddresses _left;

    /// <param name="interfaceName">The interface that peers and the other hosts are behind, in the calling thread's network namespace.</param>
    /// <param name="others">The hosts that connections may be passed to.</param>
    /// <param name="journal">With what an earlier agent has obeyed as a home.</param>
    /// <param name="sockets">Of the same namespace.</param>
    /// <param name="tunnel">To hosts that are not on the same layer 2; null: there are none.</param>
    /// <param name="choice">What the switch is made of.</param>
    /// <param name="directory">Where it is remembered which addresses have moved away from connections here; null: nowhere.</param>
    public Forward(string interfaceName, IEnumerable<OtherHost> others, IPassJournal journal, SocketDiagnostics sockets, VxlanTunnel? tunnel = null,
        SwitchChoice choice = SwitchChoice.Automatic, string? directory = null)
    {
        (_interfaceName, _sockets, _tunnel) = (interfaceName, sockets, tunnel);
        _destinations = [.. others.SelectMany(other => other.Addresses)];
        try
        {
            _interface = _route.Links.Get(interfaceName).Index;
            _switch = PacketSwitch.Open(SwitchPlace.Forward, [interfaceName], out _, choice);
            _entries = new ForwardingEntries(_switch, journal);
            TakeForeign();
            NewConnectionStop.Clean();
            _left = new LeftAddresses(_route, interfaceName, directory);
        }
        catch
        {
            _entries?.Dispose();
            _switch?.Dispose();
            _route.Dispose();
            throw;
        }
    }

    public string Name => "forward";

    /// <summary>What this host forwards as a home.</summary>
    public ForwardingEntries Entries => _entries;

    /// <summary>The interface by which packets go to a host.</summary>
    public int InterfaceTo(OtherHost host) => host.TunnelTo is null ? _interface : _tunnel!.Index;

    /// <summary>Why packets do not fit on the way to a host; null: they do.</summary>
    /// <param name="packetBytes">Of the largest.</param>
    public string? FindObstacle(FourTuple connection, OtherHost host, int packetBytes) => host.TunnelTo is null ? null : _tunnel!.FindObstacle(connection, packetBytes);

    /// <summary>By which homes the packets of this host's connections come.</summary>
    public KnownHomes Homes { get; } = new();

    public ValueTask<RedirectionPlan> PlanAsync(IReadOnlyList<FourTuple> connections, OtherHost destination, CancellationToken cancellationToken) =>
        ValueTask.FromResult(Plan(connections, destination));

    private RedirectionPlan Plan(IReadOnlyList<FourTuple> connections, OtherHost destination)
    {
        ILookup<string, FourTuple> byHome = connections.ToLookup(connection => HomeOf(connection) ?? "", StringComparer.Ordinal);
        string[] elsewhere = [.. byHome.Select(home => home.Key).Where(home => home.Length > 0 && home != destination.Name)];
        if (elsewhere.Length > 0)
        {
            return byHome.Count == 1 ? new RedirectionPlan(Redirector.Home) { Home = elsewhere[0] }
                : new RedirectionPlan(Redirector.Home, $"Their packets come by several hosts, {elsewhere[0]} among them: such connections cannot be passed together to any but that one.");
        }

        if (FindObstacle(byHome[""], destination) is { } obstacle)
            return new RedirectionPlan(Redirector.Origin, obstacle);
        bool areSomeThere = byHome.Contains(destination.Name);
        return new RedirectionPlan(areSomeThere && byHome.Contains("") ? Redirector.Both : areSomeThere ? Redirector.Destination : Redirector.Origin);
    }

    // Of connections whose packets this host would send away.
    private string? FindObstacle(IEnumerable<FourTuple> connections, OtherHost destination)
    {
        foreach (FourTuple connection in connections)
        {
            if (IsForeign(connection))
                return $"It is not known which host forwards the packets of {connection} to this host.";
            if (destination.AddressFor(connection) is not { } address || !_destinations.Contains(address))
                return $"No address of {destination.Name} is known that packets of {connection} could be forwarded to.";
            if (destination.TunnelTo is not null && FindObstacle(connection, destination, LargestPackets.Of(_sockets, connection)) is { } tooLarge)
                return tooLarge;
        }

        return null;
    }

    public ValueTask<ulong> SendAwayAsync(IReadOnlyList<FourTuple> connections, OtherHost destination, ulong number, CancellationToken cancellationToken)
    {
        SendAway([.. connections.Where(connection => !IsForeign(connection))], destination); // the others' the destination diverts itself
        return ValueTask.FromResult(number);
    }

    private void SendAway(IReadOnlyList<FourTuple> connections, OtherHost destination) => _entries.Set(connections, InterfaceTo(destination), connection =>
        destination.AddressFor(connection)
            ?? throw new InvalidOperationException($"{destination.Name} has no address that packets of {connection} could be forwarded to."));

    public string? Expect(FourTuple connection, Redirector redirector)
    {
        bool isForeign = IsForeign(connection);
        if (!_entries.Contains(connection) || (!isForeign && redirector is Redirector.Destination or Redirector.Both))
            return null;
        if (!isForeign)
            return $"This host has the address of {connection} too, and forwards its packets. The origin does not know that the address has moved: give the order there again.";
        _entries.Remove([connection]); // of the time before the address moved; two hosts that send a packet to each other would do so for ever
        return null;
    }

    public void Divert(IReadOnlyList<FourTuple> connections) => _entries.Remove(connections);

    public bool Recover(FourTuple connection) => true; // the origin or this host may have moved them

    public bool ComesHere(FourTuple connection) => _route.Routes.IsLocal(connection.Local.Address);

    public bool IsForeign(FourTuple connection) => HasLeft(connection.Local.Address) || !_route.Routes.IsLocal(connection.Local.Address);

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

    public void Note(FourTuple connection, Redirector redirector, OtherHost? home)
    {
        if (home is not null && IsForeign(connection))
            Homes.Note(connection, home.Name);
    }

    public void Settle(FourTuple connection, Redirector redirector, OtherHost? home, ulong number)
    {
        if (home is not null && IsForeign(connection))
            Homes.Arrive(connection, home.Name);
    }

    /// <summary>Service addresses of this host: on the interface, each of its own (/32 or /128).</summary>
    public IReadOnlySet<IPAddress> ServiceAddresses() => _route.Addresses.List(_interface).Select(assigned => assigned.Address)
        .Where(address => address == InterfaceAddress.Single(address.Address)).Select(address => address.Address).ToHashSet();

    /// <summary>How many packets were forwarded of connections of an address.</summary>
    public long CountForwarded(IPAddress address) => _switch.List().Where(one => one.Entry.Connection.Local.Address.Equals(address)).Sum(one => one.Packets);

    /// <summary>At an owner: takes the address of its connections, and tells the neighbours. What comes for it is taken when this returns.</summary>
    /// <exception cref="TimeoutException">It is not.</exception>
    public void TakeAddress(IPAddress address)
    {
        _route.Addresses.Add(_interface, InterfaceAddress.Single(address), forAnswersOnly: true);
        LocalRoutes.Await(_route, address, _interfaceName);
        lock (_leftLock)
            _left.End(address); // it comes back
        using AddressAnnouncement announcement = AddressAnnouncement.Open(_interface, _route.Links.Get(_interfaceName).HardwareAddress);
        announcement.Announce(address);
    }

    /// <summary>Addresses that are at another host and have connections here still.</summary>
    public IReadOnlyList<IPAddress> LeftAddresses
    {
        get
        {
            lock (_leftLock)
                return [.. _left.All];
        }
    }

    /// <summary>At a home: the address is at another host, which forwards what comes for connections that stay here.</summary>
    /// <param name="home">The name of its agent.</param>
    public void LeaveAddress(IPAddress address, string home, IEnumerable<FourTuple> staying)
    {
        lock (_leftLock)
            _left.Leave(address);
        foreach (FourTuple connection in staying)
            Homes.Arrive(connection, home);
    }

    /// <summary>No connection here has the address any more.</summary>
    public void EndLeftAddress(IPAddress address)
    {
        lock (_leftLock)
            _left.End(address);
    }

    private bool HasLeft(IPAddress address)
    {
        lock (_leftLock)
            return _left.Contains(address);
    }

    /// <summary>At a home: the address is at another host. What still comes for its connections is forwarded.</summary>
    public void GiveUpAddress(IPAddress address) => _route.Addresses.Remove(_interface, InterfaceAddress.Single(address));

    public void Dispose()
    {
        _entries.Dispose();
        _switch.Dispose();
        _route.Dispose();
    }

    // Whose address is here is at home.
    private string? HomeOf(FourTuple connection) => IsForeign(connection) ? Homes.Find(connection) : null;

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
            _route.Rules.Add(new MarkRule(family, s_ownSegmentMark, MarkMask, RouteTableNumber, RulePriority));
            _route.Routes.Add(Route.Local(new InterfaceAddress(any, 0), loopback, RouteTableNumber));
        }
    }
}
