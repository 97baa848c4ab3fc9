using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Tcpcp.Linux.Packets;

/// <summary>
/// Sees every frame of an interface, in both directions and in the order in which the host handled them (AF_PACKET). It belongs to the network namespace
/// of the thread that opened it. One thread at a time; receiving allocates nothing.
/// </summary>
[KernelHeader("sys/socket.h", "linux/if_packet.h", "poll.h")]
internal sealed partial class PacketSocket : IDisposable
{
    /// <summary>Room for the largest frame: a TCP super-segment of 64 KiB, or larger where IPv6 jumbo segments are on.</summary>
    public const int MaxFrameBytes = 256 * 1024;

    private const int AF_PACKET = 17; // sys/socket.h
    private const int SOCK_RAW = 3;
    private const int SOCK_CLOEXEC = 0x80000;
    private const int SOL_SOCKET = 1;
    private const int SO_RCVBUF = 8; // asm-generic/socket.h
    private const int SO_RCVBUFFORCE = 33;
    private const int SO_TIMESTAMPNS = 35;
    private const int SOL_PACKET = 263;
    private const int PACKET_STATISTICS = 6; // linux/if_packet.h
    private const int PACKET_IGNORE_OUTGOING = 23;
    private const short POLLIN = 1;
    private const ushort ETH_P_ALL_BigEndian = 0x0300; // linux/if_ether.h: 0x0003

    private readonly SafeFileHandle _handle;
    private readonly PacketReceiveBuffer _buffer = new();

    private PacketSocket(SafeFileHandle handle) => _handle = handle;

    /// <summary>Frames that came since the socket was opened, lost ones included; as of the last <see cref="UpdateStatistics"/>.</summary>
    public ulong Received { get; private set; }

    /// <summary>Frames that were lost because the queue was full; as of the last <see cref="UpdateStatistics"/>.</summary>
    public ulong Drops { get; private set; }

    /// <summary>Opens a socket on an interface of the calling thread's network namespace (CAP_NET_RAW, CAP_NET_ADMIN).</summary>
    /// <param name="interfaceName">Such as <c>eth0</c>.</param>
    /// <param name="queueBytes">Room for frames that wait to be received; in a user namespace of an ordinary user net.core.rmem_max limits it.</param>
    /// <param name="ignoreOutgoing">Only what arrives: on loopback every frame is sent and arrives.</param>
    public static PacketSocket Open(string interfaceName, int queueBytes = 256 * 1024 * 1024, bool ignoreOutgoing = false)
    {
        uint index = if_nametoindex(interfaceName);
        if (index == 0)
            throw KernelException.Last("if_nametoindex", interfaceName);
        // Protocol 0: nothing is queued before the socket is bound to its interface.
        SafeFileHandle handle = new(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), ownsHandle: true);
        if (handle.IsInvalid)
            throw KernelException.Last("socket(AF_PACKET)");
        PacketSocket opened = new(handle);
        try
        {
            opened.SetQueue(queueBytes);
            opened.Set(SO_TIMESTAMPNS, 1, "SO_TIMESTAMPNS");
            if (ignoreOutgoing)
                opened.Set(PACKET_IGNORE_OUTGOING, 1, "PACKET_IGNORE_OUTGOING", SOL_PACKET);
            PacketAddress address = new() { Family = AF_PACKET, Protocol = ETH_P_ALL_BigEndian, Index = (int)index };
            if (bind(handle, in address, Marshal.SizeOf<PacketAddress>()) != 0)
                throw KernelException.Last("bind(AF_PACKET)", interfaceName);
            return opened;
        }
        catch
        {
            opened.Dispose();
            throw;
        }
    }

    /// <summary>Takes the next frame if there is one. The frame is valid until the next call.</summary>
    public bool TryReceive(out PacketInfo info, out ReadOnlySpan<byte> frame) => _buffer.TryReceive(_handle, out info, out frame);

    /// <summary>Waits for a frame, or until the other descriptor can be read or is at its end.</summary>
    public void Wait(SafeHandle wakeUp)
    {
        Span<PollEntry> entries =
        [
            new() { Descriptor = (int)_handle.DangerousGetHandle(), Events = POLLIN },
            new() { Descriptor = (int)wakeUp.DangerousGetHandle(), Events = POLLIN },
        ];
        if (poll(entries, (nuint)entries.Length, -1) < 0 && Marshal.GetLastPInvokeError() != Errno.EINTR)
            throw KernelException.Last("poll");
    }

    /// <summary>Asks the kernel for its counts.</summary>
    public void UpdateStatistics()
    {
        int length = Marshal.SizeOf<Statistics>();
        if (getsockopt(_handle, SOL_PACKET, PACKET_STATISTICS, out Statistics statistics, ref length) != 0)
            throw KernelException.Last("getsockopt(PACKET_STATISTICS)");
        Received += statistics.Packets; // reading sets the kernel's counts to zero
        Drops += statistics.Drops;
    }

    public void Dispose()
    {
        _handle.Dispose();
        _buffer.Dispose();
    }

    private void SetQueue(int bytes)
    {
        int half = bytes / 2; // the kernel doubles it
        if (setsockopt(_handle, SOL_SOCKET, SO_RCVBUFFORCE, in half, sizeof(int)) == 0)
            return;
        if (Marshal.GetLastPInvokeError() != Errno.EPERM)
            throw KernelException.Last("setsockopt(SO_RCVBUFFORCE)");
        Set(SO_RCVBUF, half, "SO_RCVBUF");
    }

    private void Set(int option, int value, string name, int level = SOL_SOCKET)
    {
        if (setsockopt(_handle, level, option, in value, sizeof(int)) != 0)
            throw KernelException.Last($"setsockopt({name})");
    }

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial uint if_nametoindex(string name);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int socket(int domain, int type, int protocol);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int bind(SafeHandle fd, in PacketAddress address, int length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int setsockopt(SafeHandle fd, int level, int name, in int value, int length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int getsockopt(SafeHandle fd, int level, int name, out Statistics value, ref int length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int poll(Span<PollEntry> entries, nuint count, int milliseconds);

    // struct tpacket_stats
    [KernelHeader("linux/if_packet.h", Structure = "struct tpacket_stats", Fields = "tp_packets tp_drops")]
    [StructLayout(LayoutKind.Sequential)]
    private struct Statistics
    {
        public uint Packets;
        public uint Drops;
    }

    // struct pollfd
    [KernelHeader("poll.h", Structure = "struct pollfd", Fields = "fd events revents")]
    [StructLayout(LayoutKind.Sequential)]
    private struct PollEntry
    {
        public int Descriptor;
        public short Events;
        public short Happened;
    }
}
