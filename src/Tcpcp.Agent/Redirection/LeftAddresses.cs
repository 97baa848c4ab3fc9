using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Serialization;
using Tcpcp.Linux.Netlink;
using Tcpcp.Linux.Nftables;

namespace Tcpcp.Agent.Redirection;

/// <summary>
/// Service addresses that have moved to another host while connections of them stayed here: that host, which is their home now, forwards their packets to this one. As long as there are such connections the address is on
/// loopback, so that they go on, and no neighbour hears of it; nothing new begins here. A file remembers it, for the next agent. Not thread-safe.
/// </summary>
internal sealed class LeftAddresses
{
    private const string TableName = "tcpcp-left";
    private const int AnswersOnItsInterfaceAlone = 1; // arp_ignore
    private const int SpeaksByItsOwnAddress = 2; // arp_announce

    private readonly RouteNetlink _route;
    private readonly string _interfaceName;
    private readonly string? _file;
    private readonly HashSet<IPAddress> _addresses = [];
    private (int Ignore, int Announce)? _arpBefore;

    /// <param name="route">In the network namespace of the calling thread.</param>
    /// <param name="interfaceName">The interface that the addresses were on.</param>
    /// <param name="directory">Of the file: it must not outlive a boot; null: nothing is remembered.</param>
    public LeftAddresses(RouteNetlink route, string interfaceName, string? directory)
    {
        (_route, _interfaceName, _file) = (route, interfaceName, directory is null ? null : Path.Combine(directory, "left-addresses.json"));
        if (_file is null || !File.Exists(_file) || JsonSerializer.Deserialize(File.ReadAllText(_file), LeftJson.Default.LeftState) is not { } known)
            return;
        _arpBefore = (known.ArpIgnore, known.ArpAnnounce);
        foreach (IPAddress address in known.Addresses.Select(IPAddress.Parse))
            Leave(address);
    }

    public IReadOnlyCollection<IPAddress> All => _addresses;

    public bool Contains(IPAddress address) => _addresses.Contains(address);

    /// <summary>The address is not on the interface any more, and its connections go on.</summary>
    public void Leave(IPAddress address)
    {
        _arpBefore ??= (Read("arp_ignore"), Read("arp_announce"));
        _addresses.Add(address);
        Write(); // before the first effect
        StopNewOnes();
        // Before the address is there: loopback would be asked for by ARP, and announced as a sender.
        Raise("arp_ignore", AnswersOnItsInterfaceAlone);
        Raise("arp_announce", SpeaksByItsOwnAddress);
        InterfaceAddress single = InterfaceAddress.Single(address);
        int loopback = _route.Links.Get("lo").Index;
        _route.Addresses.Add(loopback, single, forAnswersOnly: true);
        LocalRoutes.Await(_route, address, "lo");
        _route.Addresses.Remove(_route.Links.Get(_interfaceName).Index, single);
    }

    /// <summary>No connection needs it here any more, or it has come back.</summary>
    public void End(IPAddress address)
    {
        if (!_addresses.Remove(address))
            return;
        _route.Addresses.Remove(_route.Links.Get("lo").Index, InterfaceAddress.Single(address));
        StopNewOnes();
        if (_addresses.Count == 0 && _arpBefore is (int ignore, int announce))
        {
            Set("arp_ignore", ignore);
            Set("arp_announce", announce);
            _arpBefore = null;
        }

        Write();
    }

    // In one transaction. Neighbours that have not heard of the move send here for a while: the peers send again, to the host that has the address.
    private void StopNewOnes() => LibNftables.Run(string.Join('\n',
    [
        $"add table inet {TableName}",
        $"delete table inet {TableName}",
        .. _addresses.Count == 0 ? (string[])[] :
        [
            $"add table inet {TableName}",
            $"add chain inet {TableName} arrival {{ type filter hook prerouting priority raw; }}",
            .. _addresses.Select(address => $"add rule inet {TableName} arrival iifname \"{_interfaceName}\" {(address.AddressFamily == AddressFamily.InterNetworkV6 ? "ip6" : "ip")} daddr {address} "
                + "tcp flags & (fin | syn | rst | ack) == syn drop"),
        ],
    ]));

    private void Write()
    {
        if (_file is null)
            return;
        if (_addresses.Count == 0)
        {
            File.Delete(_file);
            return;
        }

        string text = JsonSerializer.Serialize(new LeftState([.. _addresses.Select(address => address.ToString())], _arpBefore!.Value.Ignore, _arpBefore.Value.Announce), LeftJson.Default.LeftState);
        File.WriteAllText(_file + ".new", text);
        File.Move(_file + ".new", _file, overwrite: true);
    }

    private string Setting(string name) => $"/proc/sys/net/ipv4/conf/{_interfaceName}/{name}";

    private int Read(string name) => int.Parse(File.ReadAllText(Setting(name)), CultureInfo.InvariantCulture);

    private void Raise(string name, int least)
    {
        if (Read(name) < least)
            Set(name, least);
    }

    private void Set(string name, int value) => File.WriteAllText(Setting(name), value.ToString(CultureInfo.InvariantCulture));
}

/// <summary>What the file remembers.</summary>
/// <param name="ArpIgnore">As it was before.</param>
/// <param name="ArpAnnounce">As it was before.</param>
internal sealed record LeftState(IReadOnlyList<string> Addresses, int ArpIgnore, int ArpAnnounce);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(LeftState))]
internal sealed partial class LeftJson : JsonSerializerContext;
