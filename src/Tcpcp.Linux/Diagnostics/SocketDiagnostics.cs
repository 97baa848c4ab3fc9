using System.Buffers.Binary;
using System.Net;
using System.Runtime.InteropServices;
using Tcpcp.Core;
using Tcpcp.Linux.Netlink;

namespace Tcpcp.Linux.Diagnostics;

/// <summary>Lists TCP connections, and ends them (sock_diag(7)), in the network namespace of the thread that opened it.</summary>
[KernelHeader("linux/sock_diag.h", "linux/inet_diag.h", "errno.h")]
internal sealed class SocketDiagnostics : IDisposable
{
    private const ushort SOCK_DIAG_BY_FAMILY = 20; // linux/sock_diag.h
    private const ushort SOCK_DESTROY = 21;
    private const ushort INET_DIAG_MARK = 15; // linux/inet_diag.h
    private const ulong AnyCookie = ulong.MaxValue; // INET_DIAG_NOCOOKIE in both words
    private const int MessageBytes = 72; // struct inet_diag_msg
    private const int ESTALE = 116; // asm-generic/errno.h

    private const int FirstOtherState = 12; // the kernel's own: TCP_NEW_SYN_RECV in include/net/tcp_states.h

    // Since Linux 6.8 there is a state after those of RFC 9293: a socket that has ended, or was only bound, and has its port still.
    private const uint Synchronised = ((1u << FirstOtherState) - 1) & ~(1u << (int)TcpState.Listen | 1u << (int)TcpState.Closed | 1u << (int)TcpState.SynSent
        | 1u << (int)TcpState.SynReceived);

    private readonly NetlinkSocket _socket = NetlinkSocket.Open(NetlinkSocket.NETLINK_SOCK_DIAG);

    public void Dispose() => _socket.Dispose();

    /// <summary>All connections in the states from ESTABLISHED on; IPv4, IPv6 and v4-mapped.</summary>
    public IReadOnlyList<ListedSocket> List() => List(Synchronised);

    /// <summary>All sockets in the given states; those that listen have the peer 0.0.0.0:0 or [::]:0.</summary>
    public IReadOnlyList<ListedSocket> List(params ReadOnlySpan<TcpState> states)
    {
        uint bits = 0;
        foreach (TcpState state in states)
            bits |= 1u << (int)state;
        return List(bits);
    }

    /// <summary>The socket of a connection of this host; null if there is none.</summary>
    public ListedSocket? Find(FourTuple connection)
    {
        SocketId id = SocketId.Of(connection, 0, AnyCookie);
        byte family = (byte)(connection.IsIPv6 ? Tcp.SocketLevel.AF_INET6 : Tcp.SocketLevel.AF_INET);
        if (Query(family, id, 0) is { } message && IsSynchronised(message) && Read(message) is { } found && found.Connection == connection)
            return found;
        // A socket that is bound to an interface, as each one with link-local addresses is, is found only by its interface.
        foreach (ListedSocket socket in List())
        {
            if (socket.Connection == connection)
                return socket;
        }

        return null;
    }

    /// <summary>Whether this host has a socket of a connection in a state from ESTABLISHED on, TIME_WAIT excepted. It is looked up, not searched for.</summary>
    /// <param name="interfaces">One or more: a socket that is bound to an interface is found by its number only, others by any.</param>
    public bool IsAlive(FourTuple connection, IReadOnlyList<uint> interfaces)
    {
        NetlinkMessage questions = new();
        foreach (uint index in interfaces)
        {
            questions.Begin(SOCK_DIAG_BY_FAMILY, NetlinkFlags.Ack, new Request
            {
                Family = (byte)(connection.IsIPv6 ? Tcp.SocketLevel.AF_INET6 : Tcp.SocketLevel.AF_INET),
                Protocol = Tcp.SocketLevel.IPPROTO_TCP,
                States = uint.MaxValue,
                Id = SocketId.Of(connection, index, AnyCookie),
            }).End();
        }

        List<NetlinkReply> replies = [];
        NetlinkOutcome outcome = _socket.TryTransact(questions, replies);
        if (outcome.Errno is not (Errno.ENOENT or ESTALE))
            outcome.ThrowIfFailed("SOCK_DIAG_BY_FAMILY");
        return replies.Exists(reply => reply.Payload.Length >= MessageBytes && IsSynchronised(reply.Payload)
            && Read(reply.Payload) is { State: not TcpState.TimeWait } found && found.Connection == connection);
    }

    /// <summary>All that the kernel says of a listed socket; null if it is gone.</summary>
    public SocketDetails? Describe(ListedSocket socket)
    {
        byte family = (byte)(socket.IPv6Socket && !socket.V4Mapped ? Tcp.SocketLevel.AF_INET6 : Tcp.SocketLevel.AF_INET);
        return Query(family, SocketId.Of(socket.Connection, socket.InterfaceIndex, socket.Cookie), SocketDetails.Extensions) is { } message
            ? SocketDetails.Read(Read(message), message.AsSpan(MessageBytes))
            : null;
    }

    /// <summary>
    /// Ends a socket whoever holds it: every later call on it fails (ECONNABORTED). An RST leaves, unless the socket is behind the gate.
    /// </summary>
    /// <returns>False if it was gone already.</returns>
    public bool Destroy(ListedSocket socket)
    {
        Request request = new()
        {
            Family = (byte)(socket.IPv6Socket && !socket.V4Mapped ? Tcp.SocketLevel.AF_INET6 : Tcp.SocketLevel.AF_INET),
            Protocol = Tcp.SocketLevel.IPPROTO_TCP,
            States = uint.MaxValue,
            Id = SocketId.Of(socket.Connection, socket.InterfaceIndex, socket.Cookie),
        };
        NetlinkOutcome outcome = _socket.TryTransact(new NetlinkMessage().Begin(SOCK_DESTROY, NetlinkFlags.Ack, request).End());
        if (outcome.Errno is Errno.ENOENT or ESTALE)
            return false;
        outcome.ThrowIfFailed("SOCK_DESTROY", socket.Connection.ToString());
        return true;
    }

    private List<ListedSocket> List(uint states)
    {
        List<ListedSocket> sockets = [];
        foreach (byte family in (byte[])[Tcp.SocketLevel.AF_INET, Tcp.SocketLevel.AF_INET6])
        {
            NetlinkMessage request = new NetlinkMessage()
                .Begin(SOCK_DIAG_BY_FAMILY, NetlinkFlags.Dump,
                    new Request { Family = family, Protocol = Tcp.SocketLevel.IPPROTO_TCP, States = states })
                .End();
            foreach (NetlinkReply reply in _socket.Dump(request, "SOCK_DIAG_BY_FAMILY"))
            {
                if (reply.Payload.Length >= MessageBytes)
                    sockets.Add(Read(reply.Payload));
            }
        }

        return sockets;
    }

    private byte[]? Query(byte family, SocketId id, byte extensions)
    {
        Request request = new()
        {
            Family = family,
            Protocol = Tcp.SocketLevel.IPPROTO_TCP,
            Extensions = extensions,
            States = uint.MaxValue,
            Id = id,
        };
        List<NetlinkReply> replies = [];
        NetlinkOutcome outcome = _socket.TryTransact(new NetlinkMessage().Begin(SOCK_DIAG_BY_FAMILY, NetlinkFlags.Ack, request).End(), replies);
        if (outcome.Errno is Errno.ENOENT or ESTALE)
            return null;
        outcome.ThrowIfFailed("SOCK_DIAG_BY_FAMILY");
        return replies is [{ Payload.Length: >= MessageBytes } reply, ..] ? reply.Payload : null;
    }

    // Where there is no such connection, the kernel answers with the socket that listens; its two addresses may be of different families.
    private static bool IsSynchronised(ReadOnlySpan<byte> message) => (Synchronised & (1u << message[1])) != 0;

    // struct inet_diag_msg: family, state, timer, retrans, then struct inet_diag_sockid, then five counters.
    private static ListedSocket Read(ReadOnlySpan<byte> message)
    {
        bool ipv6 = message[0] == Tcp.SocketLevel.AF_INET6;
        int length = ipv6 ? 16 : 4;
        IPAddress address = new(message.Slice(8, length));
        IPEndPoint local = new(address, BinaryPrimitives.ReadUInt16BigEndian(message[4..]));
        IPAddress peerAddress = new(message.Slice(24, length));
        if (address.IsIPv4MappedToIPv6 && peerAddress.Equals(IPAddress.IPv6Any))
            peerAddress = IPAddress.Any; // it listens
        IPEndPoint peer = new(peerAddress, BinaryPrimitives.ReadUInt16BigEndian(message[6..]));
        uint? mark = null;
        foreach (NetlinkAttribute attribute in new NetlinkAttributes(message[MessageBytes..]))
        {
            if (attribute.Type == INET_DIAG_MARK)
                mark = attribute.AsU32;
        }

        return new ListedSocket(new FourTuple(local, peer), (TcpState)message[1], mark)
        {
            IPv6Socket = ipv6,
            V4Mapped = ipv6 && address.IsIPv4MappedToIPv6,
            Timer = (TcpTimer)message[2],
            Attempts = message[3],
            InterfaceIndex = MemoryMarshal.Read<uint>(message[40..]),
            Cookie = MemoryMarshal.Read<ulong>(message[44..]), // two words, the lower first; the same on both of our little-endian machines
            TimerExpires = TimeSpan.FromMilliseconds(MemoryMarshal.Read<uint>(message[52..])),
            UnreadBytes = MemoryMarshal.Read<uint>(message[56..]),
            UnacknowledgedBytes = MemoryMarshal.Read<uint>(message[60..]),
            UserId = MemoryMarshal.Read<uint>(message[64..]),
            Inode = MemoryMarshal.Read<uint>(message[68..]),
        };
    }

    // struct inet_diag_req_v2
    [KernelHeader("linux/inet_diag.h", Structure = "struct inet_diag_req_v2",
        Fields = "sdiag_family sdiag_protocol idiag_ext pad idiag_states id")]
    [StructLayout(LayoutKind.Sequential)]
    private struct Request
    {
        public byte Family;
        public byte Protocol;
        public byte Extensions;
        public byte Padding;
        public uint States;
        public SocketId Id;
    }

    // struct inet_diag_sockid: ports and addresses in network byte order; the cookie in two words.
    [KernelHeader("linux/inet_diag.h", Structure = "struct inet_diag_sockid",
        Fields = "idiag_sport idiag_dport idiag_src idiag_dst idiag_if idiag_cookie")]
    [StructLayout(LayoutKind.Sequential, Pack = 4)]
    private struct SocketId
    {
        public ushort LocalPort;
        public ushort PeerPort;
        public UInt128Words Local;
        public UInt128Words Peer;
        public uint InterfaceIndex;
        public ulong Cookie;

        public static SocketId Of(FourTuple connection, uint interfaceIndex, ulong cookie) => new()
        {
            LocalPort = BinaryPrimitives.ReverseEndianness((ushort)connection.Local.Port),
            PeerPort = BinaryPrimitives.ReverseEndianness((ushort)connection.Peer.Port),
            Local = UInt128Words.Of(connection.Local.Address),
            Peer = UInt128Words.Of(connection.Peer.Address),
            InterfaceIndex = interfaceIndex,
            Cookie = cookie,
        };
    }

    [StructLayout(LayoutKind.Sequential, Pack = 4)]
    private struct UInt128Words
    {
        public ulong First;
        public ulong Second;

        public static UInt128Words Of(IPAddress address)
        {
            UInt128Words words = default;
            address.TryWriteBytes(MemoryMarshal.AsBytes(new Span<UInt128Words>(ref words)), out _);
            return words;
        }
    }
}
