using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Tcpcp.Lab;
using Tcpcp.Lab.Capture;
using Tcpcp.Linux.Netlink;
using Tcpcp.Linux.Packets;

namespace Tcpcp.Tests;

/// <summary>
/// Three hosts on one switch: peer, origin, destination. Each connection gets a service address of its own, which can move from host to
/// host; so the tests of a class can share a lab.
/// </summary>
public class PassLab : IAsyncLifetime
{
    private readonly int _mtu;
    private LabNetwork _lab = null!;
    private int _addresses = 100;

    internal Host Peer { get; private set; } = null!;

    internal Host Origin { get; private set; } = null!;

    internal Host Destination { get; private set; } = null!;

    public PassLab()
        : this(mtu: 1500)
    {
    }

    /// <param name="mtu">Of every host, in bytes; 0: all three are one host, and its connections go over loopback.</param>
    protected PassLab(int mtu) => _mtu = mtu;

    internal bool IsLoopback => _mtu == 0;

    public virtual async ValueTask InitializeAsync()
    {
        _lab = await LabNetwork.CreateAsync(new LabOptions { Mtu = IsLoopback ? 1500 : _mtu });
        Peer = Add("peer", 1);
        Origin = IsLoopback ? Peer : Add("origin", 2);
        Destination = IsLoopback ? Peer : Add("destination", 3);
        Losses = IsLoopback ? AddressLoss.OnLoopback(Peer.Run) : _lab.OpenAddressLoss();
    }

    public async ValueTask DisposeAsync()
    {
        await _lab.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    internal IPAddress PeerAddress(IPKind kind) => kind == IPKind.IPv6 ? Peer.IPv6 : Peer.IPv4;

    /// <summary>Captures what the peer sends and receives from now on.</summary>
    internal PacketCapture StartCapture()
    {
        string path = Path.Combine(Path.GetTempPath(), $"tcpcp-{Guid.NewGuid():N}.pcapng");
        return IsLoopback ? Peer.StartLoopbackCapture(path) : Peer.StartCapture(path);
    }

    /// <summary>Moves a service address from host to host.</summary>
    internal static void Move(IPAddress address, Host from, Host to)
    {
        if (from == to)
            return;
        Remove(address, from);
        Add(address, to);
    }

    /// <summary>Adds a new address to the origin.</summary>
    internal IPAddress PlaceServiceAddress(IPKind kind)
    {
        int number = Interlocked.Increment(ref _addresses);
        IPAddress address = IPAddress.Parse(kind == IPKind.IPv6 ? $"fd00::{number:x}" : $"10.0.{number >> 8}.{number & 0xff}");
        Add(address, Origin);
        return address;
    }

    internal static void Add(IPAddress address, Host host)
    {
        Assert.True(host.Network.Addresses.Add(host.Network.Links.Get(Host.InterfaceName).Index, InterfaceAddress.Single(address)));
        // The kernel makes the local route of a new IPv6 address in a work item, a little later, and until then drops what comes for it.
        if (address.AddressFamily == AddressFamily.InterNetworkV6)
            Assert.True(SpinWait.SpinUntil(() => host.Run(() => HasLocalRoute(address)), TimeSpan.FromSeconds(10)));
    }

    internal static void Remove(IPAddress address, Host host) =>
        Assert.True(host.Network.Addresses.Remove(host.Network.Links.Get(Host.InterfaceName).Index, InterfaceAddress.Single(address)));

    /// <summary>From now on the peer's packets for the address go to the host.</summary>
    internal void Divert(IPAddress address, Host host)
    {
        if (IsLoopback)
            return;
        LinkInfo link = host.Network.Links.Get(Host.InterfaceName);
        if (address.AddressFamily == AddressFamily.InterNetworkV6)
        {
            // Announcements are for IPv4 only: the peer's neighbour table does for the lab.
            Peer.Network.Neighbours.Set(Peer.Network.Links.Get(Host.InterfaceName).Index, address, link.HardwareAddress);
            return;
        }

        using AddressAnnouncement announcement = host.Run(() => AddressAnnouncement.Open(link.Index, link.HardwareAddress));
        announcement.Announce(address);
    }

    /// <summary>Loses every packet from the service's host to the peer, while the scope is open; its kernel takes them for sent.</summary>
    internal IDisposable LoseToPeer(Host service) => new Loss(service, Peer);

    /// <summary>Losses of single service addresses: connections of the others go on.</summary>
    internal AddressLoss Losses { get; private set; } = null!;

    /// <summary>Loses every packet from the peer to the service's host, while the scope is open.</summary>
    internal IDisposable LoseFromPeer(Host service) => new Loss(Peer, service);

    private static bool HasLocalRoute(IPAddress address)
    {
        const uint RTF_LOCAL = 0x80000000; // linux/ipv6_route.h
        string start = Convert.ToHexStringLower(address.GetAddressBytes()) + " 80 ";
        return File.ReadLines("/proc/thread-self/net/ipv6_route").Any(line => line.StartsWith(start, StringComparison.Ordinal)
            && (uint.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[8], NumberStyles.HexNumber, CultureInfo.InvariantCulture) & RTF_LOCAL) != 0);
    }

    private Host Add(string name, int number)
    {
        // An interface whose MTU is below 1280 bytes has no IPv6 (RFC 8200, 5).
        Host host = _mtu is 0 or >= 1280 ? _lab.AddHost(name, $"10.0.0.{number}/16", $"fd00::{number}/64") : _lab.AddHost(name, $"10.0.0.{number}/16");
        // What the kernel remembers of a connection would change how the next one to the same peer begins.
        host.Run(() => Sysctl.Write("net/ipv4/tcp_no_metrics_save", "1"));
        return host;
    }

    // 99.99 % twice, one lost in 10^8 comes through: 100 % is refused by nft (numgen mod 10000 < 10000).
    private sealed class Loss : IDisposable
    {
        private readonly Host _from;
        private readonly Host _to;

        public Loss(Host from, Host to)
        {
            (_from, _to) = (from, to);
            Set(99.99);
        }

        public void Dispose() => Set(0);

        private void Set(double percent)
        {
            _from.SetLoss(percent, LossDirection.Egress);
            _to.SetLoss(percent, LossDirection.Ingress);
        }
    }
}
