using System.Runtime.InteropServices;
using Tcpcp.Core;
using Tcpcp.Linux.Congestion;
using Tcpcp.Linux.Tcp;
using static Tcpcp.Linux.Tcp.IpOption;
using static Tcpcp.Linux.Tcp.SocketLevel;
using static Tcpcp.Linux.Tcp.TcpOption;

namespace Tcpcp.Capture;

/// <summary>Reads the options of a socket as the application has set them: before the gate and repair mode change some.</summary>
internal static class OptionReader
{
    /// <summary>Of a socket that nothing is known of yet.</summary>
    public static TcpSocketOptions Read(SafeHandle socket)
    {
        RawSocket.Ends(socket, out bool ipv6, out bool v4Mapped);
        return Read(socket, ipv6 && !v4Mapped, unchecked((uint)SocketOption.Get(socket, SOL_SOCKET, SO_MARK)));
    }

    /// <param name="mark">SO_MARK, read already.</param>
    public static TcpSocketOptions Read(SafeHandle socket, bool ipv6, uint mark)
    {
        SocketOption.Get(socket, SOL_SOCKET, SO_LINGER, out LingerOption linger);
        SocketOption.Get(socket, SOL_SOCKET, SO_MAX_PACING_RATE, out ulong pacingRate);
        int hopLimit = ipv6 ? SocketOption.Get(socket, IPPROTO_IPV6, IPV6_UNICAST_HOPS) : SocketOption.Get(socket, IPPROTO_IP, IP_TTL);
        int bufferLock = SocketOption.TryGet(socket, SOL_SOCKET, SO_BUF_LOCK, out int locked, out _) ? locked : 0;
        return new TcpSocketOptions
        {
            NoDelay = Flag(socket, IPPROTO_TCP, TCP_NODELAY),
            Cork = Flag(socket, IPPROTO_TCP, TCP_CORK),
            KeepAlive = Flag(socket, SOL_SOCKET, SO_KEEPALIVE),
            KeepAliveTime = TimeSpan.FromSeconds(SocketOption.Get(socket, IPPROTO_TCP, TCP_KEEPIDLE)),
            KeepAliveInterval = TimeSpan.FromSeconds(SocketOption.Get(socket, IPPROTO_TCP, TCP_KEEPINTVL)),
            KeepAliveProbes = SocketOption.Get(socket, IPPROTO_TCP, TCP_KEEPCNT),
            UserTimeout = TimeSpan.FromMilliseconds(SocketOption.Get(socket, IPPROTO_TCP, TCP_USER_TIMEOUT)),
            Linger = linger.l_onoff != 0 ? TimeSpan.FromSeconds(linger.l_linger) : null,
            NotSentLowWater = unchecked((uint)SocketOption.Get(socket, IPPROTO_TCP, TCP_NOTSENT_LOWAT)),
            MaxPacingRate = CongestionKeep.OwnPacingRate(socket, pacingRate),
            Priority = SocketOption.Get(socket, SOL_SOCKET, SO_PRIORITY),
            Mark = mark,
            TypeOfService = (byte)(ipv6 ? SocketOption.Get(socket, IPPROTO_IPV6, IPV6_TCLASS) : SocketOption.Get(socket, IPPROTO_IP, IP_TOS)),
            TimeToLive = hopLimit,
            SendBufferBytes = SocketOption.Get(socket, SOL_SOCKET, SO_SNDBUF),
            ReceiveBufferBytes = SocketOption.Get(socket, SOL_SOCKET, SO_RCVBUF),
            SendBufferLocked = (bufferLock & SOCK_SNDBUF_LOCK) != 0,
            ReceiveBufferLocked = (bufferLock & SOCK_RCVBUF_LOCK) != 0,
            ReuseAddress = Flag(socket, SOL_SOCKET, SO_REUSEADDR),
            ReusePort = Flag(socket, SOL_SOCKET, SO_REUSEPORT),
            OutOfBandInline = Flag(socket, SOL_SOCKET, SO_OOBINLINE),
            V6Only = ipv6 && Flag(socket, IPPROTO_IPV6, IPV6_V6ONLY),
        };
    }

    /// <summary>Name of the congestion control algorithm.</summary>
    public static string CongestionAlgorithm(SafeHandle socket)
    {
        Span<byte> name = stackalloc byte[16];
        ReadOnlySpan<byte> read = SocketOption.GetBytes(socket, IPPROTO_TCP, TCP_CONGESTION, name);
        int end = read.IndexOf((byte)0);
        ReadOnlySpan<byte> text = end < 0 ? read : read[..end];
        // The two that are nearly always there cost no string.
        return text.SequenceEqual("cubic"u8) ? "cubic" : text.SequenceEqual("bbr"u8) ? "bbr" : System.Text.Encoding.ASCII.GetString(text);
    }

    private static bool Flag(SafeHandle socket, int level, int name) => SocketOption.Get(socket, level, name) != 0;
}
