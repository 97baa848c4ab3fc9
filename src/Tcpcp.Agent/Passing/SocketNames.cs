using System.Net.Sockets;
using Tcpcp.Core;
using Tcpcp.Linux;
using Tcpcp.Linux.Tcp;

namespace Tcpcp.Agent.Passing;

/// <summary>Which connections sockets are the ends of.</summary>
internal static class SocketNames
{
    /// <summary>The connection of a socket; false if it has ended.</summary>
    public static bool TryFind(Socket socket, out FourTuple name)
    {
        try
        {
            name = RawSocket.Ends(socket.SafeHandle, out _, out _);
            return true;
        }
        catch (KernelException)
        {
            name = default!;
            return false;
        }
    }
}
