using System.Globalization;
using System.Text.RegularExpressions;
using Tcpcp.Core;
using Tcpcp.Linux.Netlink;
using Tcpcp.Linux.Nftables;

namespace Tcpcp.Linux.Switching;

/// <summary>
/// The switch as a table of nftables (family netdev), where bpf(2) is not to be had: at each interface a chain that looks a packet's four-tuple up in a map of
/// verdicts. A change is one transaction of raw nfnetlink, 5 to 20 us.
/// </summary>
internal sealed partial class NftPacketSwitch : IPacketSwitch
{
    private readonly Lock _lock = new();
    private readonly Dictionary<FourTuple, PacketVerdict> _present = [];
    private readonly SwitchMaps _map;
    private readonly SwitchPlace _place;

    private NftPacketSwitch(SwitchPlace place) => (_place, _map) = (place, new SwitchMaps(place.Table));

    public SwitchMechanism Mechanism => SwitchMechanism.Nftables;

    /// <summary>Makes the table for the interfaces, or takes over the one that is there.</summary>
    public static NftPacketSwitch Open(SwitchPlace place, IReadOnlyList<int> interfaces, int capacity)
    {
        NftPacketSwitch opened = new(place);
        try
        {
            if (opened._map.List() is null)
                Uninstall(place); // a table of another version, or none
            LibNftables.Run(TableOf(place, interfaces, capacity));
            SwitchRules.Set(place.Table, interfaces.Select(ArrivalChain));
            RemoveOtherChains(place, interfaces);
            opened.Remember(opened._map.List()!.Select(one => one.Entry));
            return opened;
        }
        catch
        {
            opened.Dispose();
            throw;
        }
    }

    /// <summary>The entries of a switch that is installed in the calling thread's network namespace.</summary>
    /// <returns>Null if there is none.</returns>
    public static IReadOnlyList<SwitchStatistics>? Read(SwitchPlace place)
    {
        using SetElements elements = new();
        if (!elements.HasTable(FourTupleSet.NFPROTO_NETDEV, place.Table))
            return null;
        using SwitchMaps map = new(place.Table);
        return map.List() ?? [];
    }

    /// <summary>Removes the table, whoever has made it.</summary>
    public static void Uninstall(SwitchPlace place)
    {
        using SetElements elements = new();
        elements.RemoveTable(FourTupleSet.NFPROTO_NETDEV, place.Table);
    }

    public void Set(SwitchEntry entry) => Set([entry]);

    public void Set(IReadOnlyCollection<SwitchEntry> entries)
    {
        foreach (SwitchEntry entry in entries)
            entry.Check();
        lock (_lock)
        {
            // Of a connection that is there twice the last counts.
            foreach (SwitchEntry[] part in entries.Reverse().DistinctBy(entry => entry.Connection).Chunk(SwitchMaps.MaxChanges))
                SetPart(part);
        }
    }

    public bool Remove(FourTuple connection)
    {
        lock (_lock)
        {
            if (!_present.Remove(connection, out PacketVerdict verdict))
                return false;
            NetlinkOutcome outcome = _map.Change([(connection, verdict)], []);
            if (outcome.Errno == Errno.ENOENT)
                return false; // somebody has removed the table
            ThrowIfFailed(outcome, connection);
            return true;
        }
    }

    public bool TryRelease(FourTuple connection, long packets)
    {
        Remove(connection);
        return true;
    }

    public IReadOnlyList<SwitchStatistics> List()
    {
        lock (_lock)
            return _map.List() ?? [];
    }

    public void Uninstall() => _map.RemoveTable();

    public void Dispose() => _map.Dispose();

    private void SetPart(SwitchEntry[] entries)
    {
        NetlinkOutcome outcome = Change(entries);
        if (outcome.Errno is Errno.ENOENT or Errno.EEXIST && _map.List() is { } actual)
        {
            // The table is not as this process has left it.
            _present.Clear();
            Remember(actual.Select(one => one.Entry));
            outcome = Change(entries);
        }

        ThrowIfFailed(outcome, entries[0].Connection);
        Remember(entries);
    }

    private void Remember(IEnumerable<SwitchEntry> entries)
    {
        foreach (SwitchEntry entry in entries)
            _present[entry.Connection] = entry.Target.Verdict;
    }

    private NetlinkOutcome Change(SwitchEntry[] entries) =>
        _map.Change([.. entries.Where(entry => _present.ContainsKey(entry.Connection)).Select(entry => (entry.Connection, _present[entry.Connection]))], entries);

    private void ThrowIfFailed(NetlinkOutcome outcome, FourTuple connection)
    {
        if (!outcome.Succeeded)
            outcome.ThrowIfFailed("NFT_MSG_NEWSETELEM", $"{_place.Table} {connection}{(outcome.Errno == Errno.ENFILE ? ": the map is full" : "")}");
    }

    // What is there already stays.
    private static string TableOf(SwitchPlace place, IReadOnlyList<int> interfaces, int capacity)
    {
        string table = $"netdev {place.Table}";
        List<string> commands = [$"add table {table}"];
        foreach ((bool ipv6, string address) in ((bool, string)[])[(false, "ipv4_addr"), (true, "ipv6_addr")])
        {
            foreach ((PacketVerdict verdict, string data) in ((PacketVerdict, string)[])
                [(PacketVerdict.Redirect, $"iface_index . {address}"), (PacketVerdict.Hold, "iface_index"), (PacketVerdict.Drop, "verdict")])
            {
                commands.Add(string.Create(CultureInfo.InvariantCulture, $"add map {table} {SwitchMaps.NameFor(verdict, ipv6)} {{ type {address} . inet_service . {address} . inet_service : {data}; size {capacity}; counter; }}"));
            }

            commands.Add($"add chain {table} {SwitchRules.ChainFor(ipv6)}");
        }

        using RouteNetlink route = RouteNetlink.Open();
        Dictionary<int, string> names = route.Links.List().ToDictionary(link => link.Index, link => link.Name);
        commands.AddRange(interfaces.Select(index => string.Create(CultureInfo.InvariantCulture,
            $"add chain {table} {ArrivalChain(index)} {{ type filter hook ingress device \"{names[index]}\" priority {place.Priority}; }}")));
        return string.Join('\n', commands);
    }

    private static string ArrivalChain(int index) => string.Create(CultureInfo.InvariantCulture, $"at-{index}");

    // Of interfaces that are not wanted any more.
    private static void RemoveOtherChains(SwitchPlace place, IReadOnlyList<int> interfaces)
    {
        string[] others =
        [
            .. ArrivalChains().Matches(ChainsOf(place)).Select(match => match.Groups["name"].Value)
                .Except(interfaces.Select(ArrivalChain), StringComparer.Ordinal),
        ];
        if (others.Length > 0)
            LibNftables.Run(string.Join('\n', others.Select(chain => $"delete chain netdev {place.Table} {chain}")));
    }

    // table netdev NAME {, its chains without their rules, and a brace at the beginning of a line.
    private static string ChainsOf(SwitchPlace place)
    {
        string listing = LibNftables.Run("list chains netdev");
        int start = listing.IndexOf($"table netdev {place.Table} {{", StringComparison.Ordinal);
        return start < 0 ? "" : listing[start..].Split("\n}", 2)[0];
    }

    [GeneratedRegex(@"chain (?<name>at-\d+) ", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex ArrivalChains();
}
