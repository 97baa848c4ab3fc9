using System.Net;
using System.Net.Sockets;
using Tcpcp.Core;
using Tcpcp.Lab;
using Tcpcp.Linux.Netlink;
using Tcpcp.Linux.Switching;

namespace Tcpcp.Traffic;

/// <summary>Where the peer's packets go.</summary>
/// <param name="Hosts">Those that may have the connection.</param>
/// <param name="Third">The host that moves the packets, if there is one.</param>
internal sealed record BulkPath(Host Peer, IReadOnlyList<Host> Hosts, Host? Third, IPAddress Service)
{
    /// <summary>The address of the host that gets them, or in words what is wrong.</summary>
    /// <param name="byDefault">Who gets them where nothing was ever moved.</param>
    public string Find(Mechanism mechanism, FourTuple connection, Host byDefault) => mechanism switch
    {
        Mechanism.Takeover => FindAddress(),
        Mechanism.Gateway => FindBackend(connection) ?? NameOf(byDefault),
        Mechanism.PeerRoute => FindNextHop(),
        _ => NameOf(byDefault),
    };

    // Who has the address, if the peer knows it too.
    private string FindAddress()
    {
        Host[] owners = [.. Hosts.Where(host => host.Network.Addresses.List().Any(assigned => assigned.Address.Address.Equals(Service)))];
        Neighbour neighbour = Peer.Network.Neighbours.List().FirstOrDefault(one => one.Address.Equals(Service));
        return owners is [{ } owner] && owner.Network.Links.Get(Host.InterfaceName).HardwareAddress.Equals(neighbour.HardwareAddress) ? NameOf(owner)
            : $"{neighbour.HardwareAddress}, and the address is at {string.Join(", ", owners.Select(host => host.Name))}";
    }

    private string? FindBackend(FourTuple connection) => Third!.Run(() => (GatewaySwitch.Read() ?? []).Where(one => one.Entry.Connection == connection)
        .Select(one => $"{(connection.IsIPv6 ? one.Hop?.IPv6 : one.Hop?.IPv4)}").FirstOrDefault());

    // An agent's route is more exact than, or in the place of, the one that was made by hand.
    private string FindNextHop()
    {
        Route[] routes = [.. Peer.Network.Routes.List().Where(route => route.Destination == InterfaceAddress.Single(Service))];
        return string.Join(" and ", routes.Select(route => route.Gateway).Distinct());
    }

    private string NameOf(Host host) => $"{(Service.AddressFamily == AddressFamily.InterNetworkV6 ? host.IPv6 : host.IPv4)}";
}
