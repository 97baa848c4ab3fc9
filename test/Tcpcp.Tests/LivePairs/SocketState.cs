using System.Net.Sockets;
using System.Runtime.InteropServices;
using Tcpcp.Capture;
using Tcpcp.Core;
using Tcpcp.Linux.Tcp;
using static Tcpcp.Linux.Tcp.SocketLevel;
using static Tcpcp.Linux.Tcp.TcpOption;

namespace Tcpcp.Tests;

/// <summary>What the kernel says of a connected socket.</summary>
internal static class SocketState
{
    public static TcpInfo Info(Socket socket)
    {
        SocketOption.Get(socket.SafeHandle, IPPROTO_TCP, TCP_INFO, out TcpInfo info);
        return info;
    }

    /// <summary>How often the retransmission timer has doubled its time (tcpi_backoff).</summary>
    public static int Backoff(Socket socket)
    {
        Span<byte> info = stackalloc byte[8];
        return SocketOption.GetBytes(socket.SafeHandle, IPPROTO_TCP, TCP_INFO, info)[4];
    }

    public static TcpSocketOptions Options(Socket socket) =>
        OptionReader.Read(socket.SafeHandle, ipv6: socket.AddressFamily == AddressFamily.InterNetworkV6 && !IsV4Mapped(socket),
            unchecked((uint)SocketOption.Get(socket.SafeHandle, SOL_SOCKET, SO_MARK)));

    /// <summary>SND.WND (tcpi_snd_wnd, Linux 5.4), in bytes.</summary>
    public static uint PeerWindow(Socket socket)
    {
        const int Offset = 228;
        Span<byte> info = stackalloc byte[Offset + sizeof(uint)];
        SocketOption.GetBytes(socket.SafeHandle, IPPROTO_TCP, TCP_INFO, info);
        return System.Runtime.InteropServices.MemoryMarshal.Read<uint>(info[Offset..]);
    }

    public static TcpState StateOf(Socket socket) => (TcpState)Info(socket).tcpi_state;

    public static int Unacknowledged(Socket socket) => SocketQueues.UnacknowledgedBytes(socket.SafeHandle);

    public static int Unsent(Socket socket) => SocketQueues.UnsentBytes(socket.SafeHandle);

    /// <summary>SO_BUF_LOCK: the buffers whose size is fixed.</summary>
    public static int LockedBuffers(Socket socket) => SocketOption.Get(socket.SafeHandle, SOL_SOCKET, SO_BUF_LOCK);

    public static void Set(Socket socket, int level, int option, int value) => SocketOption.Set(socket.SafeHandle, level, option, value);

    /// <summary>1-second keep-alive that gives up after three probes.</summary>
    public static void SetKeepAlive(Socket socket)
    {
        Set(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
        Set(socket, IPPROTO_TCP, TCP_KEEPIDLE, 1);
        Set(socket, IPPROTO_TCP, TCP_KEEPINTVL, 1);
        Set(socket, IPPROTO_TCP, TCP_KEEPCNT, 3);
    }

    private static bool IsV4Mapped(Socket socket) => ((System.Net.IPEndPoint)socket.LocalEndPoint!).Address.IsIPv4MappedToIPv6;
}
