namespace Tcpcp.Linux.Tcp;

/// <summary>Levels, options and flags of sockets, with the numbers of x86-64 and arm64.</summary>
[KernelHeader("sys/socket.h", "linux/socket.h", "netinet/in.h")]
internal static class SocketLevel
{
    public const int AF_INET = 2;
    public const int AF_INET6 = 10;
    public const int SOCK_STREAM = 1;
    public const int SOCK_NONBLOCK = 0x800;
    public const int SOCK_CLOEXEC = 0x80000;

    public const int IPPROTO_IP = 0;
    public const int IPPROTO_TCP = 6;
    public const int IPPROTO_IPV6 = 41;
    public const int SOL_SOCKET = 1;

    public const int SO_REUSEADDR = 2;
    public const int SO_ERROR = 4;
    public const int SO_SNDBUF = 7;
    public const int SO_RCVBUF = 8;
    public const int SO_KEEPALIVE = 9;
    public const int SO_OOBINLINE = 10;
    public const int SO_PRIORITY = 12;
    public const int SO_LINGER = 13;
    public const int SO_REUSEPORT = 15;
    public const int SO_PEERCRED = 17;
    public const int SO_SNDBUFFORCE = 32;
    public const int SO_RCVBUFFORCE = 33;
    public const int SO_MARK = 36;
    public const int SO_DOMAIN = 39;
    public const int SO_PROTOCOL = 38;
    public const int SO_MAX_PACING_RATE = 47;
    public const int SO_MEMINFO = 55;
    public const int SO_COOKIE = 57;
    public const int SO_PEERGROUPS = 59;
    public const int SO_NETNS_COOKIE = 71;
    public const int SO_BUF_LOCK = 72;
    public const int SO_RCVLOWAT = 18;

    public const int SOCK_SNDBUF_LOCK = 1;
    public const int SOCK_RCVBUF_LOCK = 2;

    public const int SHUT_WR = 1;

    public const int MSG_OOB = 0x1;
    public const int MSG_PEEK = 0x2;
    public const int MSG_DONTWAIT = 0x40;
    public const int MSG_EOR = 0x80;
    public const int MSG_NOSIGNAL = 0x4000;
}

/// <summary>Options of IPv4 and IPv6 sockets.</summary>
[KernelHeader("netinet/in.h", "linux/ipv6.h")]
internal static class IpOption
{
    public const int IP_TOS = 1;
    public const int IP_TTL = 2;
    public const int IP_OPTIONS = 4;
    public const int IP_FREEBIND = 15;
    public const int IP_TRANSPARENT = 19;
    public const int IP_BIND_ADDRESS_NO_PORT = 24;
    public const int IPV6_2292PKTOPTIONS = 6;
    public const int IPV6_UNICAST_HOPS = 16;
    public const int IPV6_V6ONLY = 26;
    public const int IPV6_HOPLIMIT = 52;
    public const int IPV6_TCLASS = 67;
    public const int IPV6_TRANSPARENT = 75;
    public const int IPV6_FREEBIND = 78;
}
