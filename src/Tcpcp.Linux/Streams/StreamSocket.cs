using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Tcpcp.Linux.Tcp;

namespace Tcpcp.Linux.Streams;

/// <summary>
/// Reads and writes TCP sockets without ever waiting, whatever their mode. So it is known at every moment which bytes the kernel has taken and given: an asynchronous
/// call that is cancelled would not say.
/// </summary>
internal static unsafe partial class StreamSocket
{
    /// <returns>How many bytes; 0: the other end has closed its side; below 0: the error number, negated (-EAGAIN: there is nothing).</returns>
    public static int Receive(SafeHandle socket, Span<byte> buffer)
    {
        fixed (byte* pointer = buffer)
        {
            while (true)
            {
                int fd = HeldDescriptor.Take(socket);
                nint count = HeldDescriptor.Return(socket, recv(fd, pointer, (nuint)buffer.Length, SocketLevel.MSG_DONTWAIT));
                if (count >= 0)
                    return (int)count;
                int error = Marshal.GetLastPInvokeError();
                if (error != Errno.EINTR)
                    return -error;
            }
        }
    }

    /// <returns>How many bytes the kernel has taken; below 0: the error number, negated (-EAGAIN: there is no room).</returns>
    public static int Send(SafeHandle socket, ReadOnlySpan<byte> bytes)
    {
        fixed (byte* pointer = bytes)
        {
            while (true)
            {
                int fd = HeldDescriptor.Take(socket);
                nint count = HeldDescriptor.Return(socket, send(fd, pointer, (nuint)bytes.Length, SocketLevel.MSG_DONTWAIT | SocketLevel.MSG_NOSIGNAL));
                if (count >= 0)
                    return (int)count;
                int error = Marshal.GetLastPInvokeError();
                if (error != Errno.EINTR)
                    return -error;
            }
        }
    }

    /// <summary>Says that nothing more comes: a FIN behind all that was written.</summary>
    /// <returns>False if the connection has ended.</returns>
    public static bool TryShutDownSending(SafeHandle socket)
    {
        int fd = HeldDescriptor.Take(socket);
        return HeldDescriptor.Return(socket, shutdown(fd, SocketLevel.SHUT_WR)) == 0;
    }

    /// <summary>When it is closed, the other end gets a reset, and what was not sent is dropped.</summary>
    public static void ResetOnClose(SafeHandle socket) =>
        SocketOption.TrySet(socket, SocketLevel.SOL_SOCKET, SocketLevel.SO_LINGER, new Tcp.LingerOption { l_onoff = 1, l_linger = 0 });

    /// <summary>Closes the descriptor and does nothing else to the socket, which somebody else has too: the framework's own close may end the connection for all.</summary>
    public static void Leave(Socket socket)
    {
        SafeSocketHandle handle = socket.SafeHandle;
        if (handle.IsClosed)
            return;
        using RawSocketHandle descriptor = new((int)handle.DangerousGetHandle());
        handle.SetHandleAsInvalid(); // disposing the socket would wait for ever for this handle to be released
    }

    /// <summary>A socket that connects without waiting.</summary>
    /// <param name="source">Its own address, with a port of the kernel's choice; null: by the route.</param>
    /// <exception cref="KernelException">The host has no such address, or no room.</exception>
    public static SafeSocketHandle Create(bool ipv6, IPAddress? source)
    {
        int fd = socket(ipv6 ? SocketLevel.AF_INET6 : SocketLevel.AF_INET, SocketLevel.SOCK_STREAM | SocketLevel.SOCK_CLOEXEC | SocketLevel.SOCK_NONBLOCK, SocketLevel.IPPROTO_TCP);
        if (fd < 0)
            throw KernelException.Last("socket(SOCK_STREAM)");
        SafeSocketHandle made = new(fd, ownsHandle: true);
        try
        {
            if (source is not null)
            {
                // The port is chosen by connect, where it needs to be unused towards one server only.
                SocketOption.TrySet(made, SocketLevel.IPPROTO_IP, IpOption.IP_BIND_ADDRESS_NO_PORT, 1);
                RawSocket.Bind(made, new IPEndPoint(source, 0), ipv6);
            }

            return made;
        }
        catch
        {
            made.Dispose();
            throw;
        }
    }

    /// <summary>Begins to connect.</summary>
    /// <returns>0: it is connected; <see cref="Errno.EINPROGRESS"/>: writable when the outcome is known (<see cref="TakeError"/>); else the error number.</returns>
    public static int Connect(SafeHandle socket, IPEndPoint endPoint) =>
        RawSocket.BeginConnect(socket, endPoint, endPoint.AddressFamily == AddressFamily.InterNetworkV6);

    /// <summary>The error that the socket keeps (SO_ERROR); 0: none.</summary>
    public static int TakeError(SafeHandle socket) => SocketOption.Get(socket, SocketLevel.SOL_SOCKET, SocketLevel.SO_ERROR);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int socket(int domain, int type, int protocol);

    [LibraryImport("libc")]
    private static partial nint recv(int socket, byte* buffer, nuint length, int flags);

    [LibraryImport("libc")]
    private static partial nint send(int socket, byte* bytes, nuint length, int flags);

    [LibraryImport("libc")]
    private static partial int shutdown(int socket, int how);
}
