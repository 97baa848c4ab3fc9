using System.Runtime.InteropServices;

namespace Tcpcp.Linux.Packets;

/// <summary>The native memory that recvmsg(2) fills: frame, address and control message. Made once, used for every frame.</summary>
[KernelHeader("sys/socket.h", "linux/if_packet.h")]
internal sealed unsafe partial class PacketReceiveBuffer : IDisposable
{
    private const int ControlBytes = 64;
    private const int MSG_DONTWAIT = 0x40; // sys/socket.h
    private const int MSG_TRUNC = 0x20;
    private const int SOL_SOCKET = 1;
    private const int SCM_TIMESTAMPNS = 35;
    private const byte PACKET_OUTGOING = 4; // linux/if_packet.h
    private const long NanosecondsPerSecond = 1_000_000_000;

    private readonly Layout* _layout = (Layout*)NativeMemory.AllocZeroed((nuint)sizeof(Layout) + ControlBytes);
    private byte* _frame = (byte*)NativeMemory.Alloc(PacketSocket.MaxFrameBytes);

    public bool TryReceive(SafeHandle socket, out PacketInfo info, out ReadOnlySpan<byte> frame)
    {
        byte* control = (byte*)(_layout + 1);
        _layout->Vector = new IoVector { Base = _frame, Length = PacketSocket.MaxFrameBytes };
        _layout->Header = new MessageHeader
        {
            Name = &_layout->Address,
            NameLength = sizeof(PacketAddress),
            Vectors = &_layout->Vector,
            VectorCount = 1,
            Control = control,
            ControlLength = ControlBytes,
        };
        nint length;
        while ((length = recvmsg(socket, &_layout->Header, MSG_DONTWAIT | MSG_TRUNC)) < 0)
        {
            switch (Marshal.GetLastPInvokeError())
            {
                case Errno.EINTR:
                    continue;
                case Errno.EAGAIN:
                    info = default;
                    frame = default;
                    return false;
                default:
                    throw KernelException.Last("recvmsg(AF_PACKET)");
            }
        }

        info = new PacketInfo((int)length, TimestampOf(control), _layout->Address.PacketType == PACKET_OUTGOING);
        frame = new ReadOnlySpan<byte>(_frame, (int)Math.Min(length, PacketSocket.MaxFrameBytes));
        return true;
    }

    public void Dispose()
    {
        if (_frame == null)
            return;
        NativeMemory.Free(_frame);
        NativeMemory.Free(_layout);
        _frame = null;
    }

    private long TimestampOf(byte* control)
    {
        ControlMessage* message = (ControlMessage*)control;
        return _layout->Header.ControlLength >= (nuint)sizeof(ControlMessage) && message->Level == SOL_SOCKET && message->Type == SCM_TIMESTAMPNS
            ? (message->Seconds * NanosecondsPerSecond) + message->Nanoseconds
            : throw new InvalidOperationException("The kernel gave no timestamp with a frame.");
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint recvmsg(SafeHandle fd, MessageHeader* message, int flags);

    [StructLayout(LayoutKind.Sequential)]
    private struct Layout
    {
        public MessageHeader Header;
        public IoVector Vector;
        public PacketAddress Address;
    }

    // struct cmsghdr and its struct timespec
    [StructLayout(LayoutKind.Sequential)]
    private struct ControlMessage
    {
        public nuint Length;
        public int Level;
        public int Type;
        public long Seconds;
        public long Nanoseconds;
    }
}
