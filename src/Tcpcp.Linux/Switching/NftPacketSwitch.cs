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
    private readonly HashSet<FourTuple> _present = [];
    private readonly VerdictMap _map;
    private readonly SwitchPlace _place;

    private NftPacketSwitch(SwitchPlace place) => (_place, _map) = (place, new VerdictMap(place.Table));

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
            opened._present.UnionWith(opened._map.List()!.Select(one => one.Entry.Connection));
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
        using VerdictMap map = new(place.Table);
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
            foreach (SwitchEntry[] part in entries.Reverse().DistinctBy(entry => entry.Connection).Chunk(VerdictMap.MaxChanges))
                SetPart(part);
        }
    }

    public bool Remove(FourTuple connection)
    {
        lock (_lock)
        {
            if (!_present.Contains(connection))
                return false;
            NetlinkOutcome outcome = _map.Change([connection], []);
            _present.Remove(connection);
            if (outcome.Errno == Errno.ENOENT)
                return false; // somebody has removed the table
            ThrowIfFailed(outcome, connection);
            return true;
        }
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
            _present.UnionWith(actual.Select(one => one.Entry.Connection));
            outcome = Change(entries);
        }

        ThrowIfFailed(outcome, entries[0].Connection);
        _present.UnionWith(entries.Select(entry => entry.Connection));
    }

    private NetlinkOutcome Change(SwitchEntry[] entries) =>
        _map.Change([.. entries.Select(entry => entry.Connection).Where(_present.Contains)], entries);

    private void ThrowIfFailed(NetlinkOutcome outcome, FourTuple connection)
    {
        if (!outcome.Succeeded)
            outcome.ThrowIfFailed("NFT_MSG_NEWSETELEM", $"{_place.Table} {connection}{(outcome.Errno == Errno.ENFILE ? ": the map is full" : "")}");
    }

    // Chains of interfaces that are not wanted any more go; the maps stay.
    private static string TableOf(SwitchPlace place, IReadOnlyList<int> interfaces, int capacity)
    {
        string table = $"netdev {place.Table}";
        List<string> commands = [$"add table {table}"];
        foreach ((char version, string type) in ((char, string)[])[('4', "ipv4_addr"), ('6', "ipv6_addr")])
        {
            commands.Add(string.Create(CultureInfo.InvariantCulture,
                $"add map {table} {VerdictMap.Name}{version} {{ type {type} . inet_service . {type} . inet_service : verdict; size {capacity}; counter; }}"));
        }

        using RouteNetlink route = RouteNetlink.Open();
        Dictionary<int, string> names = route.Links.List().ToDictionary(link => link.Index, link => link.Name);
        foreach (int index in interfaces)
        {
            string chain = string.Create(CultureInfo.InvariantCulture, $"{table} at-{index}");
            commands.AddRange(
            [
                string.Create(CultureInfo.InvariantCulture,
                    $"add chain {chain} {{ type filter hook ingress device \"{names[index]}\" priority {place.Priority}; }}"),
                $"flush chain {chain}",
                $"add rule {chain} ether type {{ 0x8100, 0x88a8 }} return", // with a VLAN tag
                $"add rule {chain} ip protocol tcp ip frag-off & 0x1fff == 0 ip daddr . tcp dport . ip saddr . tcp sport vmap @{VerdictMap.Name}4",
                $"add rule {chain} ip6 nexthdr tcp ip6 daddr . tcp dport . ip6 saddr . tcp sport vmap @{VerdictMap.Name}6",
            ]);
        }

        string[] wanted = [.. interfaces.Select(index => string.Create(CultureInfo.InvariantCulture, $"at-{index}"))];
        foreach (string stale in ArrivalChains(place).Except(wanted, StringComparer.Ordinal))
            commands.Add($"delete chain {table} {stale}");
        return string.Join('\n', commands);
    }

    private static IEnumerable<string> ArrivalChains(SwitchPlace place)
    {
        using SetElements elements = new();
        return elements.HasTable(FourTupleSet.NFPROTO_NETDEV, place.Table)
            ? ArrivalChain().Matches(LibNftables.Run($"list table netdev {place.Table}")).Select(match => match.Groups["name"].Value)
            : [];
    }

    [GeneratedRegex(@"chain (?<name>at-\d+) ", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex ArrivalChain();
}
