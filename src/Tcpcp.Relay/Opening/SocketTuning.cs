using System.Net.Sockets;
using System.Runtime.InteropServices;
using Tcpcp.Linux.Tcp;
using Tcpcp.Relay.Settings;

namespace Tcpcp.Relay.Opening;

/// <summary>The options of a session's connections. They go with them when they are passed.</summary>
internal static class SocketTuning
{
    public static void Apply(Socket socket, ListenerSettings settings)
    {
        SafeHandle handle = socket.SafeHandle;
        // Whoever wrote the bytes has decided when they leave.
        SocketOption.TrySet(handle, SocketLevel.IPPROTO_TCP, TcpOption.TCP_NODELAY, 1);
        if (settings.KeepAlive is { } silence)
        {
            int seconds = Math.Max(1, (int)silence.TotalSeconds);
            SocketOption.TrySet(handle, SocketLevel.SOL_SOCKET, SocketLevel.SO_KEEPALIVE, 1);
            SocketOption.TrySet(handle, SocketLevel.IPPROTO_TCP, TcpOption.TCP_KEEPIDLE, seconds);
            SocketOption.TrySet(handle, SocketLevel.IPPROTO_TCP, TcpOption.TCP_KEEPINTVL, Math.Max(1, seconds / 3));
        }

        if (settings.UserTimeout is { } time)
            SocketOption.TrySet(handle, SocketLevel.IPPROTO_TCP, TcpOption.TCP_USER_TIMEOUT, (int)time.TotalMilliseconds);
    }
}
