using System.Buffers.Binary;
using System.Net;
using System.Runtime.InteropServices;
using Tcpcp.Core;
using Tcpcp.Linux.Netlink;

namespace Tcpcp.Linux.Diagnostics;

/// <summary>A TCP socket as sock_diag lists it.</summary>
/// <param name="Connection">Its four-tuple.</param>
/// <param name="State">Its state.</param>
/// <param name="Mark">SO_MARK; null without CAP_NET_ADMIN.</param>
internal readonly record struct ListedSocket(FourTuple Connection, TcpState State, uint? Mark);

/// <summary>Lists TCP connections (sock_diag(7)), in the network namespace of the thread that opened it.</summary>
[KernelHeader("linux/sock_diag.h", "linux/inet_diag.h")]
internal sealed class SocketDiagnostics : IDisposable
{
    private const ushort SOCK_DIAG_BY_FAMILY = 20; // linux/sock_diag.h
    private const ushort INET_DIAG_MARK = 15; // linux/inet_diag.h
    private const int MessageBytes = 72; // struct inet_diag_msg

    private const uint Synchronised = ~(1u << (int)TcpState.Listen | 1u << (int)TcpState.Closed | 1u << (int)TcpState.SynSent
        | 1u << (int)TcpState.SynReceived);

    private readonly NetlinkSocket _socket = NetlinkSocket.Open(NetlinkSocket.NETLINK_SOCK_DIAG);

    public void Dispose() => _socket.Dispose();

    /// <summary>All connections in the states from ESTABLISHED on; IPv4, IPv6 and v4-mapped.</summary>
    public IReadOnlyList<ListedSocket> List()
    {
        List<ListedSocket> sockets = [];
        foreach (byte family in (byte[])[Tcp.SocketLevel.AF_INET, Tcp.SocketLevel.AF_INET6])
        {
            NetlinkMessage request = new NetlinkMessage()
                .Begin(SOCK_DIAG_BY_FAMILY, NetlinkFlags.Dump, new Request { Family = family, Protocol = Tcp.SocketLevel.IPPROTO_TCP, States = Synchronised })
                .End();
            foreach (NetlinkReply reply in _socket.Dump(request, "SOCK_DIAG_BY_FAMILY"))
            {
                if (reply.Payload.Length >= MessageBytes)
                    sockets.Add(Read(reply.Payload));
            }
        }

        return sockets;
    }

    // struct inet_diag_msg: family, state, timer, retrans, then struct inet_diag_sockid, then five counters.
    private static ListedSocket Read(ReadOnlySpan<byte> message)
    {
        int length = message[0] == Tcp.SocketLevel.AF_INET ? 4 : 16;
        IPEndPoint local = new(new IPAddress(message.Slice(8, length)), BinaryPrimitives.ReadUInt16BigEndian(message[4..]));
        IPEndPoint peer = new(new IPAddress(message.Slice(24, length)), BinaryPrimitives.ReadUInt16BigEndian(message[6..]));
        uint? mark = null;
        foreach (NetlinkAttribute attribute in new NetlinkAttributes(message[MessageBytes..]))
        {
            if (attribute.Type == INET_DIAG_MARK)
                mark = attribute.AsU32;
        }

        return new ListedSocket(new FourTuple(local, peer), (TcpState)message[1], mark);
    }

    // struct inet_diag_req_v2
    [KernelHeader("linux/inet_diag.h", Structure = "struct inet_diag_req_v2",
        Fields = "sdiag_family sdiag_protocol idiag_ext pad idiag_states")]
    [StructLayout(LayoutKind.Sequential, Size = 56)]
    private struct Request
    {
        public byte Family;
        public byte Protocol;
        public byte Extensions;
        public byte Padding;
        public uint States;
    }
}
