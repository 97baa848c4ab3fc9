namespace Tcpcp.Linux.Tcp;

/// <summary>Options of TCP sockets.</summary>
[KernelHeader("linux/tcp.h")]
internal static class TcpOption
{
    public const int TCP_NODELAY = 1;
    public const int TCP_MAXSEG = 2;
    public const int TCP_CORK = 3;
    public const int TCP_KEEPIDLE = 4;
    public const int TCP_KEEPINTVL = 5;
    public const int TCP_KEEPCNT = 6;
    public const int TCP_INFO = 11;
    public const int TCP_QUICKACK = 12;
    public const int TCP_CONGESTION = 13;
    public const int TCP_USER_TIMEOUT = 18;
    public const int TCP_REPAIR = 19;
    public const int TCP_REPAIR_QUEUE = 20;
    public const int TCP_QUEUE_SEQ = 21;
    public const int TCP_REPAIR_OPTIONS = 22;
    public const int TCP_TIMESTAMP = 24;
    public const int TCP_NOTSENT_LOWAT = 25;
    public const int TCP_REPAIR_WINDOW = 29;
    public const int TCP_ULP = 31;
    public const int TCP_AO_INFO = 40; // Linux 6.7

    public const int TCP_REPAIR_ON = 1;
    public const int TCP_REPAIR_OFF = 0;
    public const int TCP_REPAIR_OFF_NO_WP = -1;

    public const int TCP_NO_QUEUE = 0;
    public const int TCP_RECV_QUEUE = 1;
    public const int TCP_SEND_QUEUE = 2;

    public const int TCPI_OPT_TIMESTAMPS = 1;
    public const int TCPI_OPT_SACK = 2;
    public const int TCPI_OPT_WSCALE = 4;
    public const int TCPI_OPT_ECN = 8;
}

/// <summary>Codes for TCP_REPAIR_OPTIONS: the option kinds of the TCP header.</summary>
[KernelHeader("netinet/tcp.h")]
internal static class TcpHeaderOption
{
    public const int TCPOPT_MAXSEG = 2;
    public const int TCPOPT_WINDOW = 3;
    public const int TCPOPT_SACK_PERMITTED = 4;
    public const int TCPOPT_TIMESTAMP = 8;
}

/// <summary>Queue lengths of a socket.</summary>
[KernelHeader("linux/sockios.h", "sys/ioctl.h", "asm/ioctls.h")]
internal static class QueueRequest
{
    public const int FIONREAD = 0x541B; // SIOCINQ
    public const int TIOCOUTQ = 0x5411; // SIOCOUTQ
    public const int SIOCOUTQNSD = 0x894B;
    public const int SIOCATMARK = 0x8905;
}
