using System.Runtime.InteropServices;

namespace Tcpcp.Linux.Tcp;

/// <summary>Lengths and contents of a TCP socket's queues.</summary>
internal static unsafe partial class SocketQueues
{
    /// <summary>Bytes received and not read, up to an urgent mark (SIOCINQ).</summary>
    public static int UnreadBytes(SafeHandle socket) => Length(socket, QueueRequest.FIONREAD, "ioctl(SIOCINQ)");

    /// <summary>write_seq - SND.UNA: bytes written and not acknowledged, an own FIN included (SIOCOUTQ).</summary>
    public static int UnacknowledgedBytes(SafeHandle socket) => Length(socket, QueueRequest.TIOCOUTQ, "ioctl(SIOCOUTQ)");

    /// <summary>write_seq - SND.NXT: bytes written but never sent.</summary>
    public static int UnsentBytes(SafeHandle socket) => Length(socket, QueueRequest.SIOCOUTQNSD, "ioctl(SIOCOUTQNSD)");

    /// <summary>True if the next byte to be read is the one that urgent data ended with, read already or not (SIOCATMARK).</summary>
    public static bool IsAtUrgentMark(SafeHandle socket) => Length(socket, QueueRequest.SIOCATMARK, "ioctl(SIOCATMARK)") != 0;

    /// <summary>
    /// Copies the start of the queue that repair mode has selected, and leaves it as it is. From the send queue the kernel may return more than
    /// the buffer takes: the result can be greater than the buffer's length.
    /// </summary>
    public static int Peek(SafeHandle socket, Span<byte> buffer)
    {
        nint count;
        fixed (byte* pointer = buffer)
        {
            do
                count = recv(socket, pointer, (nuint)buffer.Length, SocketLevel.MSG_PEEK | SocketLevel.MSG_DONTWAIT);
            while (count < 0 && Marshal.GetLastPInvokeError() == Errno.EINTR);
        }

        return count >= 0 ? (int)count : throw KernelException.Last("recv(MSG_PEEK)");
    }

    /// <summary>True if urgent data is announced and not read (RFC 9293, 3.8.5).</summary>
    public static bool HasUrgentData(SafeHandle socket)
    {
        byte one;
        // EINVAL: no urgent data, or already read, or inline.
        return recv(socket, &one, 1, SocketLevel.MSG_OOB | SocketLevel.MSG_PEEK | SocketLevel.MSG_DONTWAIT) >= 0
            || Marshal.GetLastPInvokeError() == Errno.EAGAIN;
    }

    /// <summary>Sends without waiting: into the network, or into the queue that repair mode has selected.</summary>
    /// <param name="apart">What is written later does not go into the same segment.</param>
    /// <returns>The count of bytes taken, or the negative error number.</returns>
    public static int Send(SafeHandle socket, ReadOnlySpan<byte> bytes, bool apart = false)
    {
        fixed (byte* pointer = bytes)
        {
            nint count = send(socket, pointer, (nuint)bytes.Length, SocketLevel.MSG_DONTWAIT | SocketLevel.MSG_NOSIGNAL | (apart ? SocketLevel.MSG_EOR : 0));
            return count >= 0 ? (int)count : -Marshal.GetLastPInvokeError();
        }
    }

    private static int Length(SafeHandle socket, int request, string what)
    {
        int bytes;
        int fd = HeldDescriptor.Take(socket);
        return HeldDescriptor.Return(socket, ioctl(fd, (nuint)request, &bytes)) == 0 ? bytes : throw KernelException.Last(what);
    }

    private static nint recv(SafeHandle socket, byte* buffer, nuint length, int flags)
    {
        int fd = HeldDescriptor.Take(socket);
        return HeldDescriptor.Return(socket, recv(fd, buffer, length, flags));
    }

    private static nint send(SafeHandle socket, byte* buffer, nuint length, int flags)
    {
        int fd = HeldDescriptor.Take(socket);
        return HeldDescriptor.Return(socket, send(fd, buffer, length, flags));
    }

    [LibraryImport("libc")]
    private static partial int ioctl(int fd, nuint request, int* value);

    [LibraryImport("libc")]
    private static partial nint recv(int fd, byte* buffer, nuint length, int flags);

    [LibraryImport("libc")]
    private static partial nint send(int fd, byte* buffer, nuint length, int flags);
}
