using System.Net.NetworkInformation;

namespace Tcpcp.Linux.Netlink;

/// <summary>A network interface.</summary>
/// <param name="Index">Its number in its namespace.</param>
/// <param name="Name">Its name in its namespace.</param>
/// <param name="HardwareAddress">MAC address; empty where the link has none.</param>
/// <param name="Mtu">Largest packet in bytes, without the link's header.</param>
/// <param name="IsUp">Administratively up (IFF_UP).</param>
/// <param name="HasCarrier">Up, and so is what is below it (IFF_LOWER_UP).</param>
internal sealed record LinkInfo(int Index, string Name, PhysicalAddress HardwareAddress, int Mtu, bool IsUp, bool HasCarrier)
{
    /// <summary>Such as <c>veth</c>, <c>tun</c> or <c>vxlan</c>; empty of what is no virtual link.</summary>
    public string Kind { get; init; } = "";
}
