using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Tcpcp.Linux;
using Tcpcp.Linux.Streams;
using Tcpcp.Relay.Loops;

namespace Tcpcp.Relay.Servers;

/// <summary>Connects to servers without a thread that waits.</summary>
internal static class ServerConnector
{
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(20);

    /// <param name="sources">This host's addresses; the one of the server's family counts. If it is not here, it may be on its way: a drain moves the clients' address first.</param>
    /// <returns>The socket, or the error number.</returns>
    public static async Task<(SafeSocketHandle? Socket, int Error)> ConnectAsync(IPEndPoint server, IReadOnlyList<IPAddress> sources, TimeSpan limit, SessionLoop loop)
    {
        IPAddress? source = sources.FirstOrDefault(source => source.AddressFamily == server.AddressFamily);
        long began = Stopwatch.GetTimestamp();
        SafeSocketHandle? socket = null;
        while (socket is null)
        {
            try
            {
                socket = StreamSocket.Create(server.AddressFamily == AddressFamily.InterNetworkV6, source);
            }
            catch (KernelException e) when (e.Errno == Errno.EADDRNOTAVAIL && Stopwatch.GetElapsedTime(began) < limit)
            {
                await Task.Delay(s_look);
            }
            catch (KernelException e)
            {
                return (null, e.Errno);
            }
        }

        bool isHandedOver = false;
        try
        {
            int error = StreamSocket.Connect(socket, server);
            if (error == Errno.EINPROGRESS)
                error = await loop.UntilReadyAsync(socket, Readiness.Writable, limit) ? StreamSocket.TakeError(socket) : Errno.ETIMEDOUT;
            isHandedOver = error == 0;
            return isHandedOver ? (socket, 0) : (null, error);
        }
        finally
        {
            if (!isHandedOver)
                socket.Dispose();
        }
    }

    /// <summary>In a word.</summary>
    public static string NameOf(int error) => error switch
    {
        0 => "connected",
        Errno.ECONNREFUSED => "refused",
        Errno.ETIMEDOUT => "timeout",
        Errno.EHOSTUNREACH => "unreachable",
        _ => Marshal.GetPInvokeErrorMessage(error),
    };
}
