using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Tcpcp.Core;
using static Tcpcp.Linux.Tcp.SocketLevel;

namespace Tcpcp.Linux.Tcp;

/// <summary>The socket calls that must be made without the framework's additions: <c>Socket.Bind</c> sets SO_REUSEADDR, which undoes repair
/// mode's forced reuse.</summary>
internal static unsafe partial class RawSocket
{
    private const int SockaddrIn6Bytes = 28;

    /// <summary>A TCP socket, closed on exec, and blocking as the framework expects: on a non-blocking one every synchronous call throws.</summary>
    public static RawSocketHandle Create(bool ipv6, int protocol = IPPROTO_TCP)
    {
        int descriptor = socket(ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, protocol);
        return descriptor >= 0 ? new RawSocketHandle(descriptor) : throw KernelException.Last("socket(SOCK_STREAM)");
    }

    public static void Bind(SafeHandle socket, IPEndPoint endPoint, bool ipv6)
    {
        byte* address = stackalloc byte[SockaddrIn6Bytes];
        uint length = Write(endPoint, ipv6, new Span<byte>(address, SockaddrIn6Bytes));
        if (bind(socket, address, length) != 0)
            throw KernelException.Last("bind", endPoint.ToString());
    }

    /// <summary>In repair mode: makes the socket ESTABLISHED and sends nothing.</summary>
    public static void Connect(SafeHandle socket, IPEndPoint endPoint, bool ipv6)
    {
        byte* address = stackalloc byte[SockaddrIn6Bytes];
        uint length = Write(endPoint, ipv6, new Span<byte>(address, SockaddrIn6Bytes));
        if (connect(socket, address, length) != 0)
            throw KernelException.Last("connect", endPoint.ToString());
    }

    /// <summary>Begins to connect a socket that does not wait.</summary>
    /// <returns>0: it is connected; else the error number, <see cref="Errno.EINPROGRESS"/> while the outcome is open.</returns>
    public static int BeginConnect(SafeHandle socket, IPEndPoint endPoint, bool ipv6)
    {
        byte* address = stackalloc byte[SockaddrIn6Bytes];
        uint length = Write(endPoint, ipv6, new Span<byte>(address, SockaddrIn6Bytes));
        return connect(socket, address, length) == 0 ? 0 : Marshal.GetLastPInvokeError();
    }

    /// <summary>Closes the sending side: the FIN stands after all that was written. In repair mode with the send queue selected it counts as sent.</summary>
    /// <exception cref="KernelException">The connection has ended (ENOTCONN).</exception>
    public static void ShutDownSending(SafeHandle socket)
    {
        if (shutdown(socket, SHUT_WR) != 0)
            throw KernelException.Last("shutdown(SHUT_WR)");
    }

    /// <summary>Dissolves the connection (connect to AF_UNSPEC). In repair mode this sends nothing, and makes every later shutdown harmless.</summary>
    public static void Dissolve(SafeHandle socket)
    {
        byte* address = stackalloc byte[16];
        new Span<byte>(address, 16).Clear();
        if (connect(socket, address, 16) != 0)
            throw KernelException.Last("connect(AF_UNSPEC)");
    }

    /// <summary>Both ends as they are on the wire, and how the socket has them.</summary>
    /// <exception cref="KernelException">The socket is not connected (ENOTCONN), or not an Internet socket.</exception>
    public static FourTuple Ends(SafeHandle socket, out bool ipv6Socket, out bool v4Mapped)
    {
        byte* address = stackalloc byte[SockaddrIn6Bytes];
        uint length = SockaddrIn6Bytes;
        if (getsockname(socket, address, &length) != 0)
            throw KernelException.Last("getsockname");
        IPEndPoint local = Read(new ReadOnlySpan<byte>(address, SockaddrIn6Bytes));
        length = SockaddrIn6Bytes;
        if (getpeername(socket, address, &length) != 0)
            throw KernelException.Last("getpeername");
        IPEndPoint peer = Read(new ReadOnlySpan<byte>(address, SockaddrIn6Bytes));
        ipv6Socket = local.AddressFamily == AddressFamily.InterNetworkV6;
        v4Mapped = ipv6Socket && local.Address.IsIPv4MappedToIPv6;
        return new FourTuple(local, peer);
    }

    // struct sockaddr_in, struct sockaddr_in6 (netinet/in.h)
    private static IPEndPoint Read(ReadOnlySpan<byte> sockaddr)
    {
        int port = BinaryPrimitives.ReadUInt16BigEndian(sockaddr[2..]);
        return MemoryMarshal.Read<ushort>(sockaddr) switch
        {
            AF_INET => new IPEndPoint(new IPAddress(sockaddr.Slice(4, 4)), port),
            AF_INET6 => new IPEndPoint(new IPAddress(sockaddr.Slice(8, 16), MemoryMarshal.Read<uint>(sockaddr[24..])), port),
            ushort family => throw KernelException.Of("getsockname", Errno.EOPNOTSUPP, $"address family {family}"),
        };
    }

    private static uint Write(IPEndPoint endPoint, bool ipv6, Span<byte> sockaddr)
    {
        sockaddr.Clear();
        MemoryMarshal.Write(sockaddr, (ushort)(ipv6 ? AF_INET6 : AF_INET));
        BinaryPrimitives.WriteUInt16BigEndian(sockaddr[2..], (ushort)endPoint.Port);
        if (!ipv6)
        {
            endPoint.Address.TryWriteBytes(sockaddr[4..], out _);
            return 16;
        }

        IPAddress address = endPoint.AddressFamily == AddressFamily.InterNetwork ? endPoint.Address.MapToIPv6() : endPoint.Address;
        address.TryWriteBytes(sockaddr[8..], out _);
        MemoryMarshal.Write(sockaddr[24..], (uint)address.ScopeId);
        return SockaddrIn6Bytes;
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int socket(int domain, int type, int protocol);

    private static int getsockname(SafeHandle socket, byte* address, uint* length)
    {
        int fd = HeldDescriptor.Take(socket);
        return (int)HeldDescriptor.Return(socket, getsockname(fd, address, length));
    }

    [LibraryImport("libc")]
    private static partial int getsockname(int socket, byte* address, uint* length);

    private static int getpeername(SafeHandle socket, byte* address, uint* length)
    {
        int fd = HeldDescriptor.Take(socket);
        return (int)HeldDescriptor.Return(socket, getpeername(fd, address, length));
    }

    [LibraryImport("libc")]
    private static partial int getpeername(int socket, byte* address, uint* length);

    private static int bind(SafeHandle socket, byte* address, uint length)
    {
        int fd = HeldDescriptor.Take(socket);
        return (int)HeldDescriptor.Return(socket, bind(fd, address, length));
    }

    [LibraryImport("libc")]
    private static partial int bind(int socket, byte* address, uint length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int shutdown(SafeHandle socket, int how);

    private static int connect(SafeHandle socket, byte* address, uint length)
    {
        int fd = HeldDescriptor.Take(socket);
        return (int)HeldDescriptor.Return(socket, connect(fd, address, length));
    }

    [LibraryImport("libc")]
    private static partial int connect(int socket, byte* address, uint length);
}
