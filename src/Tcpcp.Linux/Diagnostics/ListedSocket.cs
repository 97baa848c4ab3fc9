using Tcpcp.Core;

namespace Tcpcp.Linux.Diagnostics;

/// <summary>A TCP socket as sock_diag lists it.</summary>
/// <param name="Connection">Its four-tuple.</param>
/// <param name="State">Its state.</param>
/// <param name="Mark">SO_MARK; null without CAP_NET_ADMIN.</param>
internal readonly record struct ListedSocket(FourTuple Connection, TcpState State, uint? Mark)
{
    /// <summary>Of family AF_INET6, v4-mapped or not.</summary>
    public bool IPv6Socket { get; init; }

    /// <summary>An IPv6 socket that carries IPv4.</summary>
    public bool V4Mapped { get; init; }

    /// <summary>Number of the socket in /proc; 0: no process holds it any more.</summary>
    public uint Inode { get; init; }

    /// <summary>User that made it.</summary>
    public uint UserId { get; init; }

    /// <summary>Received and not read yet; of a listening socket: connections that wait for accept.</summary>
    public uint UnreadBytes { get; init; }

    /// <summary>Written and not acknowledged, unsent bytes included; of a listening socket: the largest backlog.</summary>
    public uint UnacknowledgedBytes { get; init; }

    /// <summary>
    /// Something is lost if the host does not answer for it any more: a program holds it, it is being made, or the peer lacks something. A program that has closed may have
    /// left megabytes to be sent, in LAST_ACK too.
    /// </summary>
    public bool IsNeeded => State != TcpState.TimeWait && (Inode != 0 || State == TcpState.SynReceived || UnacknowledgedBytes > 0);

    /// <summary>The interface that it is bound to; 0: none.</summary>
    public uint InterfaceIndex { get; init; }

    /// <summary>SO_COOKIE: the socket's number in this boot, never used twice.</summary>
    public ulong Cookie { get; init; }

    /// <summary>The timer that runs.</summary>
    public TcpTimer Timer { get; init; }

    /// <summary>Until the timer ends.</summary>
    public TimeSpan TimerExpires { get; init; }

    /// <summary>How often the timer has ended without an answer: retransmissions or probes.</summary>
    public byte Attempts { get; init; }
}

/// <summary>The timer of a connection, with the numbers of <c>idiag_timer</c> (net/ipv4/inet_diag.c).</summary>
internal enum TcpTimer : byte
{
    None = 0,
    Retransmit = 1,

    /// <summary>Keep-alive; in FIN_WAIT2 the time until the end.</summary>
    KeepAlive = 2,
    TimeWait = 3,
    ZeroWindowProbe = 4,
}
