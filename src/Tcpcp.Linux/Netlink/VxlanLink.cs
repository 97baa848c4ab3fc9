using System.Net;
using System.Net.NetworkInformation;

namespace Tcpcp.Linux.Netlink;

/// <summary>A VXLAN link to be made (RFC 7348).</summary>
/// <param name="Number">VNI, 24 bits: packets of other numbers are not its own.</param>
/// <param name="Local">Address of this host that its packets come from.</param>
/// <param name="Port">UDP port of this host and of the others.</param>
/// <param name="HardwareAddress">Of its inner Ethernet frames.</param>
/// <param name="Mtu">Of the inner packets, in bytes.</param>
internal sealed record VxlanLink(string Name, uint Number, IPAddress Local, ushort Port, PhysicalAddress HardwareAddress, int Mtu)
{
    /// <summary>What it adds to a packet: Ethernet 14, VXLAN 8, UDP 8, and the outer IP header, 20 or 40 bytes.</summary>
    public static int OverheadBytes(IPAddress local) => 14 + 8 + 8 + (RouteFamily.Of(local) == RouteFamily.AF_INET6 ? 40 : 20);
}
