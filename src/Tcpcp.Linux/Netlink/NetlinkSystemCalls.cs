using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Tcpcp.Linux.Netlink;

/// <summary>The system calls of a netlink socket.</summary>
[KernelHeader("sys/socket.h", "linux/netlink.h", "errno.h")]
internal static unsafe partial class NetlinkSystemCalls
{
    private const int AF_NETLINK = 16; // sys/socket.h
    private const int SOCK_RAW = 3;
    private const int SOCK_CLOEXEC = 0x80000;
    private const int SOL_SOCKET = 1;
    private const int SO_RCVTIMEO = 20;
    private const int SO_RCVBUF = 8;
    private const int MSG_DONTWAIT = 0x40;
    private const int MSG_TRUNC = 0x20;
    private const int SOL_NETLINK = 270; // linux/socket.h
    private const int NETLINK_CAP_ACK = 10; // linux/netlink.h
    private const int NETLINK_EXT_ACK = 11;
    private const int EMSGSIZE = 90;
    private const int AnswerLimitSeconds = 5;

    public static SafeFileHandle Open(int protocol)
    {
        SafeFileHandle handle = new(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol), ownsHandle: true);
        if (handle.IsInvalid)
            throw KernelException.Last("socket(AF_NETLINK)", $"protocol {protocol}");
        int on = 1;
        Timeval limit = new(AnswerLimitSeconds, 0);
        if (setsockopt(handle, SOL_NETLINK, NETLINK_EXT_ACK, ref on, sizeof(int)) != 0)
            throw FailedToOpen(handle, "setsockopt(NETLINK_EXT_ACK)");
        if (setsockopt(handle, SOL_NETLINK, NETLINK_CAP_ACK, ref on, sizeof(int)) != 0)
            throw FailedToOpen(handle, "setsockopt(NETLINK_CAP_ACK)");
        if (setsockopt(handle, SOL_SOCKET, SO_RCVTIMEO, ref limit, Marshal.SizeOf<Timeval>()) != 0)
            throw FailedToOpen(handle, "setsockopt(SO_RCVTIMEO)");
        return handle;
    }

    /// <summary>Opens a socket that hears what the kernel tells groups of listeners.</summary>
    /// <param name="receiveBufferBytes">What may wait to be read: the kernel doubles it, and takes a smallest and a largest size of its own.</param>
    /// <param name="limit">How long a wait may take.</param>
    public static SafeFileHandle OpenListener(int protocol, ReadOnlySpan<int> groups, int receiveBufferBytes, TimeSpan limit)
    {
        SafeFileHandle handle = Open(protocol);
        Timeval time = new((nint)limit.TotalSeconds, (nint)(limit.TotalMicroseconds % 1_000_000));
        if (setsockopt(handle, SOL_SOCKET, SO_RCVTIMEO, ref time, Marshal.SizeOf<Timeval>()) != 0)
            throw FailedToOpen(handle, "setsockopt(SO_RCVTIMEO)");
        if (setsockopt(handle, SOL_SOCKET, SO_RCVBUF, ref receiveBufferBytes, sizeof(int)) != 0)
            throw FailedToOpen(handle, "setsockopt(SO_RCVBUF)");
        // Bound: of a socket without a number of its own the kernel thinks that it has sent the message itself.
        NetlinkAddress address = new() { Family = AF_NETLINK };
        foreach (int group in groups)
            address.Groups |= 1u << (group - 1);
        if (bind(handle, ref address, Marshal.SizeOf<NetlinkAddress>()) != 0)
            throw FailedToOpen(handle, "bind(AF_NETLINK)");
        return handle;
    }

    /// <summary>Waits for a datagram, for as long as the socket does.</summary>
    /// <returns>False if none came.</returns>
    public static bool WaitAndReceive(SafeHandle socket, Span<byte> buffer, out int bytes) => TryReceive(socket, buffer, 0, out bytes);

    /// <summary>Sends to the kernel; a netlink datagram leaves whole or not at all.</summary>
    public static void Send(SafeHandle socket, ReadOnlySpan<byte> bytes)
    {
        while (Send(socket, bytes, flags: 0) < 0)
        {
            if (Marshal.GetLastPInvokeError() != Errno.EINTR)
                throw KernelException.Last("send(AF_NETLINK)");
        }
    }

    /// <summary>Waits for a datagram. ENOBUFS: the socket's queue overflowed and answers are lost.</summary>
    public static int Receive(SafeHandle socket, Span<byte> buffer) =>
        TryReceive(socket, buffer, 0, out int bytes) ? bytes : throw KernelException.Last("recv(AF_NETLINK)", "no answer in 5 s");

    /// <summary>Takes a datagram if there is one.</summary>
    public static bool TryReceive(SafeHandle socket, Span<byte> buffer, out int bytes) => TryReceive(socket, buffer, MSG_DONTWAIT, out bytes);

    private static bool TryReceive(SafeHandle socket, Span<byte> buffer, int flags, out int bytes)
    {
        while ((bytes = (int)Receive(socket, buffer, flags | MSG_TRUNC)) < 0)
        {
            int errno = Marshal.GetLastPInvokeError();
            if (errno == Errno.EAGAIN)
                return false;
            if (errno != Errno.EINTR)
                throw KernelException.Last("recv(AF_NETLINK)");
        }

        return bytes <= buffer.Length ? true : throw KernelException.Of("recv(AF_NETLINK)", EMSGSIZE, $"{bytes} bytes");
    }

    private static nint Send(SafeHandle socket, ReadOnlySpan<byte> bytes, int flags)
    {
        fixed (byte* pointer = bytes)
        {
            int fd = HeldDescriptor.Take(socket);
            return HeldDescriptor.Return(socket, send(fd, pointer, (nuint)bytes.Length, flags));
        }
    }

    private static nint Receive(SafeHandle socket, Span<byte> buffer, int flags)
    {
        fixed (byte* pointer = buffer)
        {
            int fd = HeldDescriptor.Take(socket);
            return HeldDescriptor.Return(socket, recv(fd, pointer, (nuint)buffer.Length, flags));
        }
    }

    private static KernelException FailedToOpen(SafeFileHandle handle, string call)
    {
        KernelException failure = KernelException.Last(call);
        handle.Dispose();
        return failure;
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int socket(int domain, int type, int protocol);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int bind(SafeHandle fd, ref NetlinkAddress address, int length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int setsockopt(SafeHandle fd, int level, int name, ref int value, int length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int setsockopt(SafeHandle fd, int level, int name, ref Timeval value, int length);

    [LibraryImport("libc")]
    private static partial nint send(int fd, byte* buffer, nuint length, int flags);

    [LibraryImport("libc")]
    private static partial nint recv(int fd, byte* buffer, nuint length, int flags);

    [KernelHeader("sys/time.h", Structure = "struct timeval", Fields = "tv_sec tv_usec")]
    [StructLayout(LayoutKind.Sequential)]
    private record struct Timeval(nint Seconds, nint Microseconds);

    [KernelHeader("linux/netlink.h", Structure = "struct sockaddr_nl", Fields = "nl_family nl_pad nl_pid nl_groups")]
    [StructLayout(LayoutKind.Sequential)]
    private struct NetlinkAddress
    {
        public ushort Family;
        public ushort Padding;
        public uint Number;
        public uint Groups;
    }
}
