using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Tcpcp.Linux.Netlink;

/// <summary><c>struct ifinfomsg</c> (linux/rtnetlink.h).</summary>
[KernelHeader("linux/rtnetlink.h", Structure = "struct ifinfomsg", Fields = "ifi_family __ifi_pad ifi_type ifi_index ifi_flags ifi_change")]
[StructLayout(LayoutKind.Sequential)]
internal readonly record struct InterfaceHeader(byte Family, byte Pad, ushort HardwareType, int Index, uint Flags, uint Change);

/// <summary><c>struct ifaddrmsg</c> (linux/if_addr.h).</summary>
[KernelHeader("linux/if_addr.h", Structure = "struct ifaddrmsg", Fields = "ifa_family ifa_prefixlen ifa_flags ifa_scope ifa_index")]
[StructLayout(LayoutKind.Sequential)]
internal readonly record struct AddressHeader(byte Family, byte PrefixLength, byte Flags, byte Scope, int Index);

/// <summary><c>struct rtmsg</c> (linux/rtnetlink.h).</summary>
[KernelHeader("linux/rtnetlink.h", Structure = "struct rtmsg",
    Fields = "rtm_family rtm_dst_len rtm_src_len rtm_tos rtm_table rtm_protocol rtm_scope rtm_type rtm_flags")]
[StructLayout(LayoutKind.Sequential)]
internal readonly record struct RouteHeader(
    byte Family, byte DestinationLength, byte SourceLength, byte Tos, byte Table, byte Protocol, byte Scope, byte Type, uint Flags);

/// <summary><c>struct ndmsg</c> (linux/neighbour.h).</summary>
[KernelHeader("linux/neighbour.h", Structure = "struct ndmsg",
    Fields = "ndm_family ndm_pad1 ndm_pad2 ndm_ifindex ndm_state ndm_flags ndm_type")]
[StructLayout(LayoutKind.Sequential)]
internal readonly record struct NeighbourHeader(byte Family, byte Pad1, ushort Pad2, int Index, ushort State, byte Flags, byte Type);

/// <summary>The kernel's numbers of the address families.</summary>
[KernelHeader("sys/socket.h")]
internal static class RouteFamily
{
    public const byte AF_INET = 2; // sys/socket.h
    public const byte AF_INET6 = 10;

    public static byte Of(IPAddress address) => address.AddressFamily switch
    {
        AddressFamily.InterNetwork => AF_INET,
        AddressFamily.InterNetworkV6 => AF_INET6,
        _ => throw new ArgumentException($"{address} is neither an IPv4 nor an IPv6 address.", nameof(address)),
    };
}
