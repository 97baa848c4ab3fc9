using System.Runtime.InteropServices;
using Tcpcp.Core;
using Tcpcp.Linux;
using Tcpcp.Linux.Tcp;
using static Tcpcp.Linux.Tcp.SocketLevel;
using static Tcpcp.Linux.Tcp.TcpOption;

namespace Tcpcp.Capture;

/// <summary>What a socket is, if it can be passed.</summary>
/// <param name="Connection">Its four-tuple.</param>
/// <param name="IPv6Socket">Of family AF_INET6, v4-mapped or not.</param>
/// <param name="V4Mapped">An IPv6 socket that carries IPv4.</param>
/// <param name="Mark">SO_MARK: the application's, since the gate's is refused.</param>
internal readonly record struct PassableSocket(FourTuple Connection, bool IPv6Socket, bool V4Mapped, uint Mark);

/// <summary>Refuses by name what cannot be passed, before anything is changed.</summary>
internal static class Passability
{
    /// <exception cref="NotPassableException">It cannot be passed.</exception>
    public static PassableSocket Require(SafeHandle socket, GateOptions gate, out TcpInfo info)
    {
        // Multipath TCP has a protocol number of its own (262), and so has SCTP.
        if (!SocketOption.TryGet(socket, SOL_SOCKET, SO_PROTOCOL, out int protocol, out _) || protocol != IPPROTO_TCP)
            throw new NotPassableException(NotPassableReason.NotTcp, null, "The descriptor is not a TCP socket.");
        SocketOption.Get(socket, IPPROTO_TCP, TCP_INFO, out info);
        TcpState state = (TcpState)info.tcpi_state;
        (bool ipv6, bool v4Mapped) = (false, false);
        FourTuple? ends = state is TcpState.Listen or TcpState.Closed or TcpState.SynSent ? null : EndsOf(socket, out ipv6, out v4Mapped);
        if (!state.IsPassable() || ends is not { } connection)
            throw new NotPassableException(NotPassableReason.State, ends, $"A connection in state {state} cannot be passed.");

        uint mark = unchecked((uint)SocketOption.Get(socket, SOL_SOCKET, SO_MARK));
        if (gate.IsGateMark(mark))
            throw new NotPassableException(NotPassableReason.AlreadyPassing, connection, "its socket is behind the gate already: another pass of it is open.");
        if (RepairMode.IsOn(socket))
            throw new NotPassableException(NotPassableReason.AlreadyPassing, connection, "its socket is in repair mode already.");
        if (SocketQueues.HasUrgentData(socket))
            throw new NotPassableException(NotPassableReason.UrgentData, connection, "urgent data is unread; it can be passed when the application has read it.");
        Span<byte> name = stackalloc byte[16];
        if (SocketOption.GetBytes(socket, IPPROTO_TCP, TCP_ULP, name) is { Length: > 0 } protocolName && protocolName[0] != 0)
            throw new NotPassableException(NotPassableReason.UpperLayerProtocol, connection,
                $"the socket has the upper layer protocol '{System.Text.Encoding.ASCII.GetString(protocolName.TrimEnd((byte)0))}'.");
        if (SegmentSignature.Find(socket, connection, info) is { } signature)
            throw new NotPassableException(NotPassableReason.SignedSegments, connection,
                $"its segments are signed ({signature}), and the kernel does not give the keys away.");
        return new PassableSocket(connection, ipv6, v4Mapped, mark);
    }

    /// <summary>
    /// Behind the closed gate, where nothing arrives any more: urgent data that came after <see cref="Require"/>, or hides among the unread data. (The
    /// state is read by the capture.)
    /// </summary>
    /// <exception cref="NotPassableException">It cannot be passed after all.</exception>
    public static void RequireNoUrgentData(SafeHandle socket, FourTuple connection, bool outOfBandInline)
    {
        if (SocketQueues.HasUrgentData(socket) || (!outOfBandInline && HasUrgentMark(socket)))
            throw new NotPassableException(NotPassableReason.UrgentData, connection,
                "urgent data is unread or was read before the data in front of it; it can be passed when the application has read both.");
    }

    /// <returns>The state.</returns>
    /// <exception cref="NotPassableException">It is one that cannot be passed.</exception>
    public static TcpState RequirePassable(in TcpInfo info, FourTuple connection)
    {
        TcpState state = (TcpState)info.tcpi_state;
        return state.IsPassable()
            ? state
            : throw new NotPassableException(NotPassableReason.State, connection, $"A connection in state {state} cannot be passed.");
    }

    // SIOCINQ and a peek end at an urgent mark, even if the urgent byte was read, and what is beyond it would be lost; inline, the mark does not count.
    private static bool HasUrgentMark(SafeHandle socket)
    {
        int untilMark = SocketQueues.UnreadBytes(socket);
        if (untilMark == 0)
            return SocketQueues.IsAtUrgentMark(socket); // a mark further on would leave bytes in front of it
        SocketOption.Set(socket, SOL_SOCKET, SO_OOBINLINE, 1);
        int all = SocketQueues.UnreadBytes(socket);
        SocketOption.Set(socket, SOL_SOCKET, SO_OOBINLINE, 0);
        return all != untilMark;
    }

    private static FourTuple? EndsOf(SafeHandle socket, out bool ipv6, out bool v4Mapped)
    {
        (ipv6, v4Mapped) = (false, false);
        try
        {
            return RawSocket.Ends(socket, out ipv6, out v4Mapped);
        }
        catch (KernelException e) when (e.Errno == Errno.ENOTCONN)
        {
            return null; // it ended meanwhile
        }
    }
}
