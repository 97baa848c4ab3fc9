using System.Runtime.InteropServices;
using Tcpcp.Linux;
using Tcpcp.Linux.Tcp;
using static Tcpcp.Linux.Tcp.SocketLevel;

namespace Tcpcp.Restore;

/// <summary>Fills the queues of a socket that is being restored, and raises its buffers only where the captured queue does not fit.</summary>
internal static class QueueWriter
{
    private const int HeadroomBytes = 64 << 10;
    private const int MaxReceivePieceBytes = 64 << 10;
    private const int MinReceivePieceBytes = 512;

    /// <summary>Puts bytes into the receive queue; it must be selected. Each call makes one buffer of the kernel.</summary>
    public static void Receive(SafeHandle socket, ReadOnlySpan<byte> unread)
    {
        int total = unread.Length;
        int piece = MaxReceivePieceBytes;
        bool raised = false;
        while (!unread.IsEmpty)
        {
            int taken = SocketQueues.Send(socket, unread[..Math.Min(piece, unread.Length)]);
            if (taken > 0)
            {
                unread = unread[taken..];
                continue;
            }

            if (-taken is not (Errno.ENOMEM or Errno.EAGAIN or Errno.ENOBUFS))
                throw KernelException.Of("send(TCP_RECV_QUEUE)", -taken);
            if (piece > MinReceivePieceBytes)
                piece /= 2;
            else if (!raised)
                (raised, piece) = (Raise(socket, SO_RCVBUFFORCE, SO_RCVBUF, total), MaxReceivePieceBytes);
            else
                throw KernelException.Of("send(TCP_RECV_QUEUE)", -taken, $"{unread.Length} of {total} bytes left");
        }

        if (raised)
            UnlockBuffers(socket);
    }

    /// <summary>Writes all bytes, in repair mode into the send queue that must be selected, else as any application would.</summary>
    /// <param name="apart">What is written later does not go into the same segment.</param>
    public static void Send(SafeHandle socket, ReadOnlySpan<byte> bytes, int queuedBefore, bool apart = false)
    {
        int total = queuedBefore + bytes.Length;
        bool raised = false;
        while (!bytes.IsEmpty)
        {
            int taken = SocketQueues.Send(socket, bytes, apart);
            if (taken > 0)
                bytes = bytes[taken..];
            else if (-taken is Errno.EAGAIN or Errno.ENOMEM or Errno.ENOBUFS && !raised)
                raised = Raise(socket, SO_SNDBUFFORCE, SO_SNDBUF, total);
            else
                throw KernelException.Of("send(TCP_SEND_QUEUE)", -taken, $"{bytes.Length} of {total} bytes left");
        }

        if (raised)
            UnlockBuffers(socket);
    }

    // In a user namespace of an ordinary user only the limited option is allowed (net.core.wmem_max, net.core.rmem_max).
    private static bool Raise(SafeHandle socket, int option, int limitedOption, int queueBytes)
    {
        if (!SocketOption.TrySet(socket, SOL_SOCKET, option, queueBytes + HeadroomBytes))
            SocketOption.Set(socket, SOL_SOCKET, limitedOption, queueBytes + HeadroomBytes, "SO_SNDBUF / SO_RCVBUF");
        return true;
    }

    // Setting a buffer's size switches its autotuning off; this switches it on again.
    private static void UnlockBuffers(SafeHandle socket) => SocketOption.TrySet(socket, SOL_SOCKET, SO_BUF_LOCK, 0);
}
