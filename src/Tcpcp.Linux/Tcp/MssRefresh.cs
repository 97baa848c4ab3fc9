using System.Runtime.InteropServices;
using static Tcpcp.Linux.Tcp.IpOption;
using static Tcpcp.Linux.Tcp.SocketLevel;

namespace Tcpcp.Linux.Tcp;

/// <summary>
/// Makes the kernel compute the send MSS anew. <c>connect</c> in repair mode did it before it knew the negotiated options: it would stay at 524 (IPv4) or
/// 1208 (IPv6) bytes. Setting no IP options at all is what does it (tcp_sync_mss), at any size of the MTU.
/// </summary>
internal static class MssRefresh
{
    /// <param name="ipv6">The connection is over IPv6: an IPv6 socket that is not v4-mapped.</param>
    public static void Apply(SafeHandle socket, bool ipv6)
    {
        if (!ipv6)
        {
            SocketOption.SetBytes(socket, IPPROTO_IP, IP_OPTIONS, []);
            return;
        }

        // One control message that leaves nothing behind: a hop limit of -1, the route's.
        HopLimitMessage message = new() { cmsg_len = 20, cmsg_level = IPPROTO_IPV6, cmsg_type = IPV6_HOPLIMIT, HopLimit = -1 };
        SocketOption.Set(socket, IPPROTO_IPV6, IPV6_2292PKTOPTIONS, message);
    }

    // struct cmsghdr (sys/socket.h) and its int
    [StructLayout(LayoutKind.Sequential)]
    private struct HopLimitMessage
    {
        public nuint cmsg_len;
        public int cmsg_level;
        public int cmsg_type;
        public int HopLimit;
        public int Padding;
    }
}
