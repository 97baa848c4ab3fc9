using System.Buffers;
using System.Runtime.InteropServices;
using Tcpcp.Linux.Processes;
using Tcpcp.Linux.Tcp;

namespace Tcpcp.Linux.UnixSockets;

/// <summary>sendmsg(2) and recvmsg(2) of packets with descriptors (unix(7), SCM_RIGHTS). They never wait.</summary>
[KernelHeader("sys/socket.h")]
internal static unsafe partial class PacketMessages
{
    /// <summary>The most that the kernel takes with a packet (net/scm.h).</summary>
    public const int MostDescriptors = 253;

    private const int ControlHeaderBytes = 16; // sizeof(struct cmsghdr)
    private const int SCM_RIGHTS = 1;
    private const int MSG_CTRUNC = 0x8;
    private const int MSG_TRUNC = 0x20;
    private const int MSG_CMSG_CLOEXEC = 0x40000000;

    /// <returns>False if there is no room: the other end does not receive.</returns>
    public static bool TrySend(SafeHandle socket, ReadOnlySpan<byte> packet, IReadOnlyList<SafeHandle> descriptors)
    {
        if (descriptors.Count > MostDescriptors)
            throw new ArgumentException($"A packet takes {MostDescriptors} descriptors at most, not {descriptors.Count}.", nameof(descriptors));
        byte* control = stackalloc byte[ControlHeaderBytes + (MostDescriptors * sizeof(int)) + sizeof(nuint)];
        int held = 0;
        try
        {
            for (; held < descriptors.Count; held++)
                ((int*)(control + ControlHeaderBytes))[held] = HeldDescriptor.Take(descriptors[held]);
            int length = ControlHeaderBytes + (descriptors.Count * sizeof(int));
            *(ControlHeader*)control = new ControlHeader { Length = (nuint)length, Level = SocketLevel.SOL_SOCKET, Type = SCM_RIGHTS };
            fixed (byte* data = packet)
            {
                IoVector vector = new() { Base = data, Length = (nuint)packet.Length };
                MessageHeader message = new() { Vectors = &vector, VectorCount = 1 };
                if (descriptors.Count > 0)
                {
                    message.Control = control;
                    message.ControlLength = (nuint)Aligned(length);
                }

                while (sendmsg(socket, &message, SocketLevel.MSG_DONTWAIT | SocketLevel.MSG_NOSIGNAL) < 0)
                {
                    int error = Marshal.GetLastPInvokeError();
                    if (error == Errno.EAGAIN)
                        return false;
                    if (error != Errno.EINTR)
                        throw KernelException.Last("sendmsg(SCM_RIGHTS)");
                }

                return true;
            }
        }
        finally
        {
            while (held-- > 0)
                descriptors[held].DangerousRelease();
        }
    }

    /// <param name="packet">Null when the other end has closed (an empty packet counts as that).</param>
    /// <returns>False if nothing has come.</returns>
    /// <exception cref="PacketException">The packet is too large, or not all descriptors came; those that did are closed.</exception>
    public static bool TryReceive(SafeHandle socket, int maxBytes, out ReceivedPacket? packet)
    {
        packet = null;
        int room = Aligned(ControlHeaderBytes + (MostDescriptors * sizeof(int)));
        byte* control = stackalloc byte[room];
        byte[] buffer = ArrayPool<byte>.Shared.Rent(maxBytes);
        try
        {
            fixed (byte* data = buffer)
            {
                IoVector vector = new() { Base = data, Length = (nuint)maxBytes };
                MessageHeader message = new() { Vectors = &vector, VectorCount = 1, Control = control, ControlLength = (nuint)room };
                nint length;
                while ((length = recvmsg(socket, &message, SocketLevel.MSG_DONTWAIT | MSG_CMSG_CLOEXEC | MSG_TRUNC)) < 0)
                {
                    switch (Marshal.GetLastPInvokeError())
                    {
                        case Errno.EINTR:
                            continue;
                        case Errno.EAGAIN:
                            return false;
                        case Errno.ECONNRESET:
                            return true; // it closed, and left unread what we had sent
                        default:
                            throw KernelException.Last("recvmsg(SCM_RIGHTS)");
                    }
                }

                ReceivedDescriptors descriptors = new(Descriptors(control, (int)message.ControlLength));
                packet = Judge(buffer, maxBytes, length, message.Flags, descriptors);
                return true;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static ReceivedPacket? Judge(byte[] buffer, int maxBytes, nint length, int flags, ReceivedDescriptors descriptors)
    {
        string? fault = length > maxBytes ? $"A packet of {length} bytes came; the limit is {maxBytes}."
            : (flags & MSG_CTRUNC) != 0 ? "Not all descriptors of a packet came: this process has too many open files (RLIMIT_NOFILE)."
            : null;
        if (fault is null && length > 0)
            return new ReceivedPacket(buffer[..(int)length], descriptors);
        descriptors.Dispose();
        return fault is null ? null : throw new PacketException(fault);
    }

    private static List<DuplicatedDescriptor> Descriptors(byte* control, int length)
    {
        List<DuplicatedDescriptor> descriptors = [];
        for (int offset = 0; offset + ControlHeaderBytes <= length;)
        {
            ControlHeader* header = (ControlHeader*)(control + offset);
            if (header->Level == SocketLevel.SOL_SOCKET && header->Type == SCM_RIGHTS)
            {
                int count = ((int)header->Length - ControlHeaderBytes) / sizeof(int);
                for (int i = 0; i < count; i++)
                    descriptors.Add(new DuplicatedDescriptor(((int*)(header + 1))[i]));
            }

            offset += Aligned((int)header->Length);
        }

        return descriptors;
    }

    private static int Aligned(int length) => (length + sizeof(nuint) - 1) & ~(sizeof(nuint) - 1); // CMSG_ALIGN

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint sendmsg(SafeHandle fd, MessageHeader* message, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint recvmsg(SafeHandle fd, MessageHeader* message, int flags);

    [KernelHeader("sys/socket.h", Structure = "struct cmsghdr", Fields = "cmsg_len cmsg_level cmsg_type")]
    [StructLayout(LayoutKind.Sequential)]
    private struct ControlHeader
    {
        public nuint Length;
        public int Level;
        public int Type;
    }
}
