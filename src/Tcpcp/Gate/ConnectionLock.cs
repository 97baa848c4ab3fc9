using System.Globalization;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Tcpcp.Linux.Tcp;

namespace Tcpcp.Gate;

/// <summary>
/// The right to pass a connection, which one process at a time has: an abstract Unix socket in the connection's network namespace, named by the cookie
/// of its socket. The kernel takes it back from a process that dies.
/// </summary>
internal sealed class ConnectionLock : IDisposable
{
    private readonly Socket _name;

    private ConnectionLock(Socket name) => _name = name;

    /// <summary>To be called on a thread in the socket's network namespace.</summary>
    /// <returns>Null if another pass of the connection is open, in this process or another one.</returns>
    public static ConnectionLock? TryTake(SafeHandle socket)
    {
        SocketOption.Get(socket, SocketLevel.SOL_SOCKET, SocketLevel.SO_COOKIE, out ulong cookie);
        Socket name = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            name.Bind(new UnixDomainSocketEndPoint(string.Create(CultureInfo.InvariantCulture, $"\0tcpcp/{cookie:x}")));
            return new ConnectionLock(name);
        }
        catch (SocketException e)
        {
            name.Dispose();
            return e.SocketErrorCode == SocketError.AddressAlreadyInUse ? null : throw new IOException("The lock of the connection cannot be taken.", e);
        }
    }

    public void Dispose() => _name.Dispose();
}
