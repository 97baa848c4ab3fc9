using System.Buffers.Binary;
using System.Net;
using System.Net.NetworkInformation;
using System.Security.Cryptography;
using Tcpcp.Core;
using Tcpcp.Linux.Netlink;
using Tcpcp.Linux.Switching;

namespace Tcpcp.Agent.Redirection;

/// <summary>
/// The way of forwarded packets between hosts that are not on one layer 2: one VXLAN link for all of them. It learns nothing and asks nobody: hardware addresses follow from
/// the agents' addresses, so that both ends agree by their configurations. It outlives the agent, as what is forwarded does.
/// </summary>
internal sealed class VxlanTunnel
{
    /// <summary>Name of the link.</summary>
    public const string DeviceName = "tcpcpvxlan";

    private const uint Number = 7370;
    private const ushort Port = 4789; // IANA

    private VxlanTunnel(LinkInfo link, LinkInfo below, int overhead)
    {
        Index = link.Index;
        MaxPacketBytes = below.Mtu - overhead;
        (BelowName, BelowMtu, OverheadBytes) = (below.Name, below.Mtu, overhead);
    }

    /// <summary>Number of the link.</summary>
    public int Index { get; }

    /// <summary>Of the packets that fit. Larger ones would be sent in fragments, which get lost.</summary>
    public int MaxPacketBytes { get; }

    public string BelowName { get; }

    public int BelowMtu { get; }

    public int OverheadBytes { get; }

    /// <summary>Makes the link, or takes over that of an earlier agent.</summary>
    /// <param name="own">This agent's address.</param>
    /// <param name="others">The hosts that are reached by it.</param>
    /// <returns>Null if there are none. A link that is there stays: see <see cref="RemoveUnused"/>.</returns>
    public static VxlanTunnel? Open(RouteNetlink route, IPAddress own, IReadOnlyCollection<OtherHost> others)
    {
        if (others.Count == 0)
            return null;
        int overhead = VxlanLink.OverheadBytes(own);
        int index = route.Addresses.List().FirstOrDefault(assigned => assigned.Address.Address.Equals(own)).LinkIndex;
        if (index == 0)
            throw new IOException($"{own} (listen) is no address of this host: the tunnel to other hosts begins there.");
        LinkInfo below = route.Links.List().First(link => link.Index == index);
        if (!route.Links.TryGet(DeviceName, out _))
            route.Links.CreateVxlan(new VxlanLink(DeviceName, Number, own, Port, HardwareAddressOf(own), below.Mtu - overhead));
        LinkInfo link = ArrivalLink.SetUp(route, DeviceName);
        foreach (OtherHost other in others)
        {
            PhysicalAddress hardware = HardwareAddressOf(other.TunnelTo!);
            route.Neighbours.SetForwarding(link.Index, hardware, other.TunnelTo!);
            foreach (IPAddress address in other.Addresses)
                route.Neighbours.Set(link.Index, address, hardware);
        }

        return new VxlanTunnel(link, below, overhead);
    }

    /// <summary>How many connections there are whose packets go through the link from here, or may come through it.</summary>
    /// <param name="forwarded">What this host forwards.</param>
    /// <param name="connections">What it has.</param>
    public static int CountUsers(RouteNetlink route, IEnumerable<SwitchEntry> forwarded, IEnumerable<FourTuple> connections) => !route.Links.TryGet(DeviceName, out LinkInfo? link) ? 0
        : forwarded.Count(entry => entry.Target.Interface == link.Index) + connections.Count(connection => !route.Routes.IsLocal(connection.Local.Address));

    /// <summary>Where no tunnel is configured any more: removes the link of an earlier agent, unless connections use it.</summary>
    /// <inheritdoc cref="CountUsers"/>
    /// <returns>How many do.</returns>
    public static int RemoveUnused(RouteNetlink route, IEnumerable<SwitchEntry> forwarded, IEnumerable<FourTuple> connections)
    {
        int users = CountUsers(route, forwarded, connections);
        if (users == 0)
            route.Links.Delete(DeviceName);
        return users;
    }

    /// <summary>Why packets of a connection do not fit; null: they do.</summary>
    public string? FindObstacle(FourTuple connection, int packetBytes) => packetBytes <= MaxPacketBytes ? null
        : $"Packets of {connection} may have {packetBytes} bytes, and need {packetBytes + OverheadBytes} in the tunnel; {BelowName} has an MTU of {BelowMtu}. Raise that on the way between the hosts, "
            + "or let the service announce a smaller segment size (ip route ... advmss).";

    // Locally administered.
    private static PhysicalAddress HardwareAddressOf(IPAddress address)
    {
        byte[] hardware = [0x02, 0x7C, 0, 0, 0, 0];
        byte[] bytes = address.GetAddressBytes();
        BinaryPrimitives.WriteUInt32BigEndian(hardware.AsSpan(2), BinaryPrimitives.ReadUInt32BigEndian(bytes.Length == sizeof(uint) ? bytes : SHA256.HashData(bytes)));
        return new PhysicalAddress(hardware);
    }
}
