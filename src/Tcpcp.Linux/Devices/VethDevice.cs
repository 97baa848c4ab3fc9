using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Tcpcp.Linux.Netlink;
using Tcpcp.Linux.Packets;

namespace Tcpcp.Linux.Devices;

/// <summary>
/// What a <see cref="TapDevice"/> is, without /dev/net/tun: a veth pair and a packet socket (AF_PACKET). The socket is a tap on the near end that sees only what is sent out of
/// it, before that reaches the far end, where the stack drops it: it is addressed to somebody else. What is written is sent out of the far end, and so arrives on the near one.
/// </summary>
/// <remarks>The pair goes with <see cref="Dispose"/>, and outlives a process that is killed.</remarks>
[KernelHeader("sys/socket.h", "linux/if_packet.h", "linux/filter.h", "linux/if_ether.h", "errno.h")]
internal sealed unsafe partial class VethDevice : IPacketDevice
{
    private const int AF_PACKET = 17; // sys/socket.h
    private const int SOCK_RAW = 3;
    private const int SOCK_CLOEXEC = 0x80000;
    private const int SOL_SOCKET = 1;
    private const int SO_ERROR = 4;
    private const int SO_RCVBUF = 8;
    private const int SO_ATTACH_FILTER = 26;
    private const int SO_RCVBUFFORCE = 33;
    private const int MSG_DONTWAIT = 0x40;
    private const int ENETDOWN = 100; // errno.h
    private const int SOL_PACKET = 263;
    private const int PACKET_STATISTICS = 6; // linux/if_packet.h
    private const int PACKET_VNET_HDR = 15;
    private const byte PACKET_OUTGOING = 4;
    private const ushort LoadByte = 0x30; // linux/filter.h
    private const ushort JumpIfEqual = 0x15;
    private const ushort Return = 0x06;
    private const uint PacketTypeOffset = 0xFFFFF004;
    private const ushort ETH_P_ALL_BigEndian = 0x0300; // linux/if_ether.h: 0x0003
    private const int MaxMtu = 65535; // frames come from links of any MTU
    private const int QueueBytes = 64 * 1024 * 1024;
    private const string FarSuffix = "-far";

    private readonly RouteNetlink _route; // of the pair's network namespace
    private readonly SafeFileHandle _socket;
    private readonly PacketAddress _far;

    private VethDevice(string name, RouteNetlink route, SafeFileHandle socket, PacketAddress far) => (Name, _route, _socket, _far) = (name, route, socket, far);

    public string Name { get; }

    /// <summary>Makes the pair in the network namespace of the calling thread; the near end is down.</summary>
    public static VethDevice Create(string name)
    {
        RouteNetlink route = RouteNetlink.Open();
        string far = name + FarSuffix;
        bool made = false;
        SafeFileHandle? opened = null;
        try
        {
            route.Links.CreateVeth(new VethEnd(name), new VethEnd(far), MaxMtu);
            made = true;
            if (Directory.Exists($"/proc/sys/net/ipv6/conf/{far}"))
                File.WriteAllText($"/proc/sys/net/ipv6/conf/{far}/disable_ipv6", "1"); // it says nothing by itself
            route.Links.SetUp(far);
            opened = new SafeFileHandle(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), ownsHandle: true); // protocol 0: receives nothing yet
            if (opened.IsInvalid)
                throw KernelException.Last("socket(AF_PACKET)");
            Prepare(opened);
            PacketAddress near = new() { Family = AF_PACKET, Protocol = ETH_P_ALL_BigEndian, Index = route.Links.Get(name).Index };
            if (bind(opened, in near, sizeof(PacketAddress)) != 0)
                throw KernelException.Last("bind(AF_PACKET)", name);
            int length = sizeof(int); // until it is up, the socket says so as an error: taken away, that does not count as a frame
            _ = getsockopt(opened, SOL_SOCKET, SO_ERROR, out int _, ref length);
            return new VethDevice(name, route, opened, new PacketAddress { Family = AF_PACKET, Index = route.Links.Get(far).Index });
        }
        catch
        {
            opened?.Dispose();
            if (made)
                route.Links.Delete(name);
            route.Dispose();
            throw;
        }
    }

    public int TryRead(Span<byte> frame)
    {
        fixed (byte* pointer = frame)
        {
            nint count = recv(_socket, pointer, (nuint)frame.Length, MSG_DONTWAIT);
            if (count >= 0)
                return (int)count;
            return Marshal.GetLastPInvokeError() is Errno.EAGAIN or Errno.EINTR or ENETDOWN ? 0 : throw KernelException.Last("recv(AF_PACKET)", Name);
        }
    }

    /// <inheritdoc/>
    /// <remarks>Mostly it has gone through the stack when this returns; on a busy CPU a little later.</remarks>
    public void Write(ReadOnlySpan<byte> frame)
    {
        fixed (byte* pointer = frame)
        {
            if (sendto(_socket, pointer, (nuint)frame.Length, 0, in _far, sizeof(PacketAddress)) < 0)
                throw KernelException.Last("sendto(AF_PACKET)", Name);
        }
    }

    public bool WaitForFrame(int timeoutMilliseconds) => DescriptorPoll.WaitToRead(_socket, timeoutMilliseconds);

    public int TakeLost()
    {
        int length = sizeof(Statistics);
        return getsockopt(_socket, SOL_PACKET, PACKET_STATISTICS, out Statistics statistics, ref length) == 0
            ? (int)statistics.Drops // reading sets the kernel's counts to zero
            : throw KernelException.Last("getsockopt(PACKET_STATISTICS)", Name);
    }

    public void Dispose()
    {
        if (_socket.IsClosed)
            return;
        _route.Links.Delete(Name);
        _route.Dispose();
        _socket.Dispose();
    }

    // Only what is sent out of the near end: what is written arrives there too, and would take the room of what waits.
    private static void Prepare(SafeFileHandle opened)
    {
        const int half = QueueBytes / 2; // the kernel doubles it
        if (setsockopt(opened, SOL_SOCKET, SO_RCVBUFFORCE, half, sizeof(int)) != 0)
            Set(opened, SOL_SOCKET, SO_RCVBUF, half, "SO_RCVBUF"); // in a user namespace net.core.rmem_max limits it
        Set(opened, SOL_PACKET, PACKET_VNET_HDR, 1, "PACKET_VNET_HDR");
        ReadOnlySpan<FilterInstruction> outgoing =
        [
            new(LoadByte, 0, 0, PacketTypeOffset),
            new(JumpIfEqual, 0, 1, PACKET_OUTGOING),
            new(Return, 0, 0, uint.MaxValue),
            new(Return, 0, 0, 0),
        ];
        fixed (FilterInstruction* instructions = outgoing)
        {
            FilterProgram program = new() { len = (ushort)outgoing.Length, filter = instructions };
            if (setsockopt(opened, SOL_SOCKET, SO_ATTACH_FILTER, in program, sizeof(FilterProgram)) != 0)
                throw KernelException.Last("setsockopt(SO_ATTACH_FILTER)");
        }
    }

    private static void Set(SafeHandle handle, int level, int option, int value, string name)
    {
        if (setsockopt(handle, level, option, value, sizeof(int)) != 0)
            throw KernelException.Last($"setsockopt({name})");
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int socket(int domain, int type, int protocol);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int bind(SafeHandle fd, in PacketAddress address, int length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int setsockopt(SafeHandle fd, int level, int name, in int value, int length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int setsockopt(SafeHandle fd, int level, int name, in FilterProgram value, int length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int getsockopt(SafeHandle fd, int level, int name, out Statistics value, ref int length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int getsockopt(SafeHandle fd, int level, int name, out int value, ref int length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint recv(SafeHandle fd, byte* buffer, nuint length, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint sendto(SafeHandle fd, byte* buffer, nuint length, int flags, in PacketAddress address, int addressLength);

    // struct sock_filter
    [KernelHeader("linux/filter.h", Structure = "struct sock_filter", Fields = "code jt jf k")]
    [StructLayout(LayoutKind.Sequential)]
    private readonly record struct FilterInstruction(ushort Code, byte IfTrue, byte IfFalse, uint Value);

    // struct sock_fprog
    [KernelHeader("linux/filter.h", Structure = "struct sock_fprog")]
    [StructLayout(LayoutKind.Sequential)]
    private struct FilterProgram
    {
        public ushort len;
        public FilterInstruction* filter;
    }

    // struct tpacket_stats
    [KernelHeader("linux/if_packet.h", Structure = "struct tpacket_stats", Fields = "tp_packets tp_drops")]
    [StructLayout(LayoutKind.Sequential)]
    private struct Statistics
    {
        public uint Packets;
        public uint Drops;
    }
}
