namespace Tcpcp.Core;

/// <summary>The socket options that belong to the connection and not to the program; tcp(7), socket(7), ip(7).</summary>
public readonly record struct TcpSocketOptions
{
    /// <summary>TCP_NODELAY: small segments are not held back (no Nagle algorithm).</summary>
    public bool NoDelay { get; init; }

    /// <summary>TCP_CORK: partial segments are held back.</summary>
    public bool Cork { get; init; }

    /// <summary>SO_KEEPALIVE.</summary>
    public bool KeepAlive { get; init; }

    /// <summary>TCP_KEEPIDLE: idle time before the first keep-alive probe. Resolution one second.</summary>
    public TimeSpan KeepAliveTime { get; init; }

    /// <summary>TCP_KEEPINTVL: time between keep-alive probes. Resolution one second.</summary>
    public TimeSpan KeepAliveInterval { get; init; }

    /// <summary>TCP_KEEPCNT: probes without an answer before the connection is dropped.</summary>
    public int KeepAliveProbes { get; init; }

    /// <summary>TCP_USER_TIMEOUT: how long sent data may stay unacknowledged; zero is the kernel's tcp_retries2.</summary>
    public TimeSpan UserTimeout { get; init; }

    /// <summary>SO_LINGER's time; null if lingering is off. Resolution one second.</summary>
    public TimeSpan? Linger { get; init; }

    /// <summary>TCP_NOTSENT_LOWAT in bytes; <see cref="uint.MaxValue"/> or 0 is the system's value.</summary>
    public uint NotSentLowWater { get; init; }

    /// <summary>SO_MAX_PACING_RATE in bytes per second; <see cref="ulong.MaxValue"/> is none.</summary>
    public ulong MaxPacingRate { get; init; }

    /// <summary>SO_PRIORITY.</summary>
    public int Priority { get; init; }

    /// <summary>SO_MARK as the application had it, never the gate's mark.</summary>
    public uint Mark { get; init; }

    /// <summary>IP_TOS or IPV6_TCLASS.</summary>
    public byte TypeOfService { get; init; }

    /// <summary>IP_TTL or IPV6_UNICAST_HOPS; null is the system's value.</summary>
    public int? TimeToLive { get; init; }

    /// <summary>SO_SNDBUF in bytes as the kernel reports it: twice what an application sets.</summary>
    public int SendBufferBytes { get; init; }

    /// <summary>SO_RCVBUF in bytes as the kernel reports it: twice what an application sets.</summary>
    public int ReceiveBufferBytes { get; init; }

    /// <summary>The application has set the send buffer: no autotuning (SO_BUF_LOCK, Linux 5.15).</summary>
    public bool SendBufferLocked { get; init; }

    /// <summary>The application has set the receive buffer: no autotuning (SO_BUF_LOCK, Linux 5.15).</summary>
    public bool ReceiveBufferLocked { get; init; }

    /// <summary>SO_REUSEADDR; repair mode destroys it, so that it is always set again.</summary>
    public bool ReuseAddress { get; init; }

    /// <summary>SO_REUSEPORT.</summary>
    public bool ReusePort { get; init; }

    /// <summary>SO_OOBINLINE.</summary>
    public bool OutOfBandInline { get; init; }

    /// <summary>IPV6_V6ONLY.</summary>
    public bool V6Only { get; init; }
}
