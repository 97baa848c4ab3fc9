using System.Runtime.InteropServices;
using System.Text;
using Tcpcp.Core;
using Tcpcp.Linux.Tcp;
using static Tcpcp.Linux.Tcp.IpOption;
using static Tcpcp.Linux.Tcp.SocketLevel;
using static Tcpcp.Linux.Tcp.TcpOption;

namespace Tcpcp.Restore;

/// <summary>Sets the captured options on a restored socket, in two groups: what is harmless before it lives, and what may make it send.</summary>
internal static class OptionWriter
{
    // What a small segment takes at most, of a network device's buffers of a page.
    private const int SegmentMemoryBytes = 4864;

    // Of a new socket, unless net.ipv4.tcp_rmem says otherwise.
    private const int NewReceiveBufferBytes = 131072;

    /// <summary>While the socket is dormant. What a new socket has anyway is not set.</summary>
    public static void WriteDormant(SafeHandle socket, ConnectionSnapshot snapshot, bool ipv6, KeptCongestion? kept)
    {
        TcpSocketOptions options = snapshot.Options;
        if (ipv6)
        {
            if (options.TypeOfService != 0)
                SocketOption.Set(socket, IPPROTO_IPV6, IPV6_TCLASS, (int)options.TypeOfService);
            SocketOption.Set(socket, IPPROTO_IPV6, IPV6_UNICAST_HOPS, options.TimeToLive ?? -1);
        }
        else
        {
            if (options.TypeOfService != 0)
                SocketOption.Set(socket, IPPROTO_IP, IP_TOS, (int)options.TypeOfService);
            if (options.TimeToLive is > 0 and { } timeToLive)
                SocketOption.Set(socket, IPPROTO_IP, IP_TTL, timeToLive);
        }

        // After the type of service, which sets a priority of its own.
        if (options.Priority != 0 || options.TypeOfService != 0)
            SocketOption.Set(socket, SOL_SOCKET, SO_PRIORITY, options.Priority);
        if (options.MaxPacingRate != ulong.MaxValue)
            SocketOption.Set(socket, SOL_SOCKET, SO_MAX_PACING_RATE, options.MaxPacingRate);
        if (options.OutOfBandInline)
            SocketOption.Set(socket, SOL_SOCKET, SO_OOBINLINE, 1);
        if (options.ReusePort)
            SocketOption.Set(socket, SOL_SOCKET, SO_REUSEPORT, 1);
        SocketOption.Set(socket, IPPROTO_TCP, TCP_KEEPIDLE, Math.Max(1, (int)options.KeepAliveTime.TotalSeconds));
        SocketOption.Set(socket, IPPROTO_TCP, TCP_KEEPINTVL, Math.Max(1, (int)options.KeepAliveInterval.TotalSeconds));
        SocketOption.Set(socket, IPPROTO_TCP, TCP_KEEPCNT, Math.Max(1, options.KeepAliveProbes));
        if (options.ReceiveBufferLocked)
            WriteReceiveBuffer(socket, snapshot); // before the first segment announces a window
        else if (options.ReceiveBufferBytes > NewReceiveBufferBytes)
            GrowReceiveBuffer(socket, options.ReceiveBufferBytes);
        WriteCongestion(socket, snapshot.Congestion, kept);
    }

    /// <summary>When the socket lives.</summary>
    public static void WriteLive(SafeHandle socket, TcpSocketOptions options)
    {
        SocketOption.Set(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, (int)options.UserTimeout.TotalMilliseconds);
        if (options.NotSentLowWater is not 0 and not uint.MaxValue) // after the unsent bytes, which may be more
            SocketOption.Set(socket, IPPROTO_TCP, TCP_NOTSENT_LOWAT, options.NotSentLowWater);
        if (options.KeepAlive)
            SocketOption.Set(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
        if (options.Linger is { } linger)
            SocketOption.Set(socket, SOL_SOCKET, SO_LINGER, new LingerOption { l_onoff = 1, l_linger = (int)linger.TotalSeconds });
        if (options.SendBufferLocked)
            SocketOption.Set(socket, SOL_SOCKET, SO_SNDBUFFORCE, options.SendBufferBytes / 2);
    }

    // A receive buffer below what the restored queue occupies, and what the peer may still send, would announce a zero window, and the window's right
    // edge would step back.
    private static void WriteReceiveBuffer(SafeHandle socket, ConnectionSnapshot snapshot)
    {
        Span<byte> memory = stackalloc byte[9 * sizeof(uint)]; // SK_MEMINFO_*, linux/sock_diag.h; the first is rmem_alloc
        int occupied = (int)MemoryMarshal.Read<uint>(SocketOption.GetBytes(socket, SOL_SOCKET, SO_MEMINFO, memory));
        int window = snapshot.Window.RcvWup + (int)snapshot.Window.RcvWnd - snapshot.RcvNxt;
        bool isNearlyFull = window > 0 && window < snapshot.Negotiated.SendMss;
        long needed = Math.Max(snapshot.Options.ReceiveBufferBytes, occupied + (2L * window) + (isNearlyFull ? SegmentMemoryBytes : 0));
        SocketOption.Set(socket, SOL_SOCKET, SO_RCVBUFFORCE, (int)Math.Min((needed + 1) / 2, int.MaxValue / 2)); // the kernel doubles it
    }

    // As large as the kernel had let it grow: into a smaller one the window that was announced does not fit, and what the peer sends at once after a pause is dropped, with a zero
    // window, whose right edge steps back. SO_RCVBUF would end the kernel's own tuning; SO_RCVLOWAT makes room for so many bytes, which are half of the buffer (tcp_set_rcvlowat).
    private static void GrowReceiveBuffer(SafeHandle socket, int bytes)
    {
        SocketOption.Set(socket, SOL_SOCKET, SO_RCVLOWAT, bytes / 2);
        SocketOption.Set(socket, SOL_SOCKET, SO_RCVLOWAT, 1);
    }

    private static void WriteCongestion(SafeHandle socket, CongestionState congestion, KeptCongestion? kept)
    {
        bool isCaptured = congestion.Start != CongestionStart.New && !string.IsNullOrEmpty(congestion.Algorithm);
        if (!isCaptured && kept is null)
            return;
        string present = Capture.OptionReader.CongestionAlgorithm(socket);
        bool mustChange = kept?.Start(socket) == true;
        if (isCaptured && (mustChange || congestion.Algorithm != present) && TryChoose(socket, congestion.Algorithm))
            return;
        if (mustChange && !TryChoose(socket, present))
            throw Linux.KernelException.Of("setsockopt(TCP_CONGESTION)", Linux.Errno.ENOENT, present);
    }

    // Not an error if this kernel lacks the algorithm: its default takes over, as for a new connection.
    private static bool TryChoose(SafeHandle socket, string algorithm)
    {
        Span<byte> name = stackalloc byte[16];
        int length = Encoding.ASCII.GetBytes(algorithm, name);
        try
        {
            SocketOption.SetBytes(socket, IPPROTO_TCP, TCP_CONGESTION, name[..length]);
            return true;
        }
        catch (Linux.KernelException e) when (e.Errno is Linux.Errno.ENOENT or Linux.Errno.EPERM)
        {
            return false;
        }
    }
}
