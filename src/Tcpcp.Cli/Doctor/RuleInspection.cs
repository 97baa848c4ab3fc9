using Tcpcp.Agent.Hold;
using Tcpcp.Agent.PeerRoutes;
using Tcpcp.Agent.Redirection;
using Tcpcp.Cli.Connections;
using Tcpcp.Core;
using Tcpcp.Gate;
using Tcpcp.Linux.Congestion;
using Tcpcp.Linux.Diagnostics;
using Tcpcp.Linux.Netlink;
using Tcpcp.Linux.Nftables;
using Tcpcp.Linux.Switching;

namespace Tcpcp.Cli.Doctor;

/// <summary>The rules of tcpcp in the calling thread's network namespace: which are in use, and which were left behind.</summary>
internal sealed class RuleInspection : IDisposable
{
    // Between closing the gate and marking its socket a freeze takes microseconds: what lacks a socket both times has none.
    private static readonly TimeSpan s_betweenLooks = TimeSpan.FromMilliseconds(200);

    private readonly SetElements _elements = new();
    private readonly SocketDiagnostics _diagnostics = new();
    private readonly RouteNetlink _route = RouteNetlink.Open();

    public void Dispose()
    {
        _elements.Dispose();
        _diagnostics.Dispose();
        _route.Dispose();
    }

    /// <exception cref="Tcpcp.Linux.KernelException">EPERM without CAP_NET_ADMIN.</exception>
    public RuleFindings Look()
    {
        bool agent = PacketHold.IsInUse(_route);
        IReadOnlyList<FourTuple>? closed = ConnectionGate.ListClosed(_elements);
        HashSet<FourTuple> gated = Gated(); // after the entries: a socket that comes meanwhile has its entry already
        if (closed is not null && !agent && closed.Any(connection => !gated.Contains(connection)))
        {
            Thread.Sleep(s_betweenLooks);
            closed = [.. (ConnectionGate.ListClosed(_elements) ?? []).Intersect(closed)];
            gated.UnionWith(Gated());
            agent = PacketHold.IsInUse(_route);
        }

        return new RuleFindings(
            closed is not null,
            [.. gated.OrderBy(connection => connection.ToString(), StringComparer.Ordinal)],
            [
                .. (closed ?? []).OrderBy(connection => connection.ToString(), StringComparer.Ordinal).Select(connection => new ClosedEntry(
                    connection, gated.Contains(connection) ? EntryUse.Gated : agent ? EntryUse.Agent : EntryUse.Leaked)),
            ],
            agent,
            [.. SwitchPlace.All.Select(Find).Append(FindGateway()).OfType<FoundSwitch>()],
            [.. _route.Routes.List().Where(route => route.Protocol == RouteSwitchboard.Protocol)])
        {
            Tunnel = _route.Links.TryGet(VxlanTunnel.DeviceName, out _),
            TunnelUsers = CountTunnelUsers(),
            StopLeaked = !agent && NewConnectionStop.IsThere(),
            Keeps = CongestionKeep.FindPinned(),
            Hold = PacketHold.FindInUse(_route),
            HoldInterfaceLeft = PacketHold.IsLeft(_route),
        };
    }

    /// <summary>Removes what was left behind: never an entry of a frozen or dormant socket, nor anything of a running agent.</summary>
    /// <returns>What was removed, in words.</returns>
    public IReadOnlyList<string> Clean(RuleFindings findings)
    {
        List<string> removed = [];
        foreach (ClosedEntry entry in findings.Closed.Where(entry => entry.Use == EntryUse.Leaked))
        {
            if (!Gated().Contains(entry.Connection) && ConnectionGate.OpenForced(_elements, entry.Connection))
                removed.Add($"the gate's entry of {entry.Connection}");
        }

        if (findings.HoldLeaked && !PacketHold.IsInUse(_route))
        {
            PacketSwitch.Uninstall(SwitchPlace.Hold);
            PacketHold.RemoveLeft(_route);
            removed.Add("the packet switch of a hold");
        }

        if (findings.TunnelLeaked && !PacketHold.IsInUse(_route) && CountTunnelUsers() == 0 && _route.Links.Delete(VxlanTunnel.DeviceName))
            removed.Add($"the tunnel {VxlanTunnel.DeviceName}");

        foreach (PinnedKeep keep in findings.Keeps.Where(_ => !PacketHold.IsInUse(_route)))
        {
            if (CongestionKeep.Remove(keep))
                removed.Add($"the program that keeps congestion windows, of cgroup {keep.Cgroup}");
        }

        if (findings.StopLeaked && !PacketHold.IsInUse(_route))
        {
            NewConnectionStop.Clean();
            removed.Add($"the table inet {NewConnectionStop.TableName}: new connections of an address are taken again");
        }

        if (RemoveUnusedGate())
            removed.Add("the table inet tcpcp: nothing is behind the gate");
        return removed;
    }

    private int CountTunnelUsers() => VxlanTunnel.CountUsers(_route, (PacketSwitch.Find(SwitchPlace.Forward)?.Entries ?? []).Select(one => one.Entry),
        _diagnostics.List().Select(socket => socket.Connection));

    private static FoundSwitch? Find(SwitchPlace place) =>
        PacketSwitch.Find(place) is { } found ? new FoundSwitch(place, found.Mechanism, [.. found.Entries.Select(one => one.Entry)]) : null;

    private static FoundSwitch? FindGateway() => GatewaySwitch.Read() is not { } entries ? null : new FoundSwitch(GatewaySwitch.Place, SwitchMechanism.Bpf,
        [.. entries.Select(one => new SwitchEntry(one.Entry.Connection, TargetOf(one.Entry.Connection, one.Hop)))]);

    private static PacketTarget TargetOf(FourTuple connection, BackendHop? hop) =>
        (connection.IsIPv6 ? hop?.IPv6 : hop?.IPv4) is { } nextHop ? PacketTarget.Redirect(hop!.Interface, nextHop) : PacketTarget.Drop;

    // The number is read first: a connection that is frozen from here on changes it, and the gate stays.
    private bool RemoveUnusedGate()
    {
        uint generation = _elements.Generation();
        return ConnectionGate.ListClosed(_elements) is [] && Gated().Count == 0 && !PacketHold.IsInUse(_route)
            && ConnectionGate.RemoveIfUnchanged(_elements, generation);
    }

    private HashSet<FourTuple> Gated() =>
        [.. _diagnostics.List().Where(PassableByState.IsGated).Select(socket => socket.Connection)];
}

/// <summary>What an inspection found.</summary>
/// <param name="HasGate">There is a gate.</param>
/// <param name="Gated">Sockets with the gate's mark: frozen or dormant.</param>
/// <param name="Closed">Connections whose packets are dropped.</param>
/// <param name="AgentRuns">A process holds packets here.</param>
/// <param name="Switches">The installed packet switches.</param>
/// <param name="Routes">Of service addresses, that an agent has made.</param>
internal sealed record RuleFindings(
    bool HasGate, IReadOnlyList<FourTuple> Gated, IReadOnlyList<ClosedEntry> Closed, bool AgentRuns, IReadOnlyList<FoundSwitch> Switches,
    IReadOnlyList<Route> Routes)
{
    /// <summary>There is the link of a tunnel to other hosts.</summary>
    public bool Tunnel { get; init; }

    /// <summary>Connections whose packets go through it, or may come through it.</summary>
    public int TunnelUsers { get; init; }

    /// <summary>It is there without an agent.</summary>
    public bool TunnelLeaked => Tunnel && !AgentRuns;

    /// <summary>New connections of an address are stopped, for an agent that is gone.</summary>
    public bool StopLeaked { get; init; }

    /// <summary>The programs that keep congestion windows (congestion: keep), by their cgroups.</summary>
    public IReadOnlyList<PinnedKeep> Keeps { get; init; } = [];

    /// <summary>What the process that runs here holds packets by.</summary>
    public HoldMechanism? Hold { get; init; }

    /// <summary>The interface of a hold is there whose process is gone.</summary>
    public bool HoldInterfaceLeft { get; init; }

    /// <summary>A hold's switch is there, or its interface, whose process is gone.</summary>
    public bool HoldLeaked => !AgentRuns && (HoldInterfaceLeft || Switches.Any(one => one.Place == SwitchPlace.Hold));

    public int Leaked => Closed.Count(entry => entry.Use == EntryUse.Leaked);
}

/// <summary>An installed packet switch.</summary>
internal sealed record FoundSwitch(SwitchPlace Place, SwitchMechanism Mechanism, IReadOnlyList<SwitchEntry> Entries);
