using System.Diagnostics;
using System.Runtime.InteropServices;
using Tcpcp.Core;
using Tcpcp.Linux;
using Tcpcp.Linux.Packets;
using Tcpcp.Linux.Tcp;
using static Tcpcp.Linux.Tcp.IpOption;
using static Tcpcp.Linux.Tcp.SocketLevel;
using static Tcpcp.Linux.Tcp.TcpOption;

namespace Tcpcp.Restore;

/// <summary>Makes a socket that stands exactly where the captured one stopped, still in repair mode behind the gate.</summary>
internal static class ConnectionRestore
{
    private const int LongUserTimeoutMilliseconds = 3_600_000;

    /// <summary>How many bytes at the end of the data in flight are left out: whether they go in as sent or as unsent is decided at the activation.</summary>
    public static int TailBytes(ConnectionSnapshot snapshot) => Math.Min(snapshot.Sent.Length, snapshot.Negotiated.SendMss);

    /// <param name="mark">The gate's mark, set before anything can be sent.</param>
    /// <param name="stoodStillSince">Since when the connection has stood still, as <see cref="Stopwatch.GetTimestamp"/> of this host.</param>
    /// <param name="peer">From <see cref="FinRestore.OpenPeer"/>.</param>
    /// <param name="isForeign">The local address is not this host's: another host forwards the packets here.</param>
    /// <param name="kept">What congestion control starts from; null: as a new connection.</param>
    public static RawSocketHandle Restore(
        ConnectionSnapshot snapshot, uint mark, PeerSegmentSocket? peer, long stoodStillSince, bool isForeign, KeptCongestion? kept)
    {
        bool ipv6Socket = snapshot.Connection.IsIPv6 || snapshot.IsV4Mapped;
        RawSocketHandle socket = RawSocket.Create(ipv6Socket);
        try
        {
            if (isForeign)
                SocketOption.Set(socket, ipv6Socket ? IPPROTO_IPV6 : IPPROTO_IP, ipv6Socket ? IPV6_TRANSPARENT : IP_TRANSPARENT, 1);
            Restore(socket, snapshot, ipv6Socket, mark, stoodStillSince, kept);
            FinRestore.WriteDormant(socket, snapshot, peer);
            return socket;
        }
        catch
        {
            kept?.Withdraw();
            socket.Dispose(); // in repair mode: silent
            throw;
        }
    }

    private static void Restore(SafeHandle socket, ConnectionSnapshot snapshot, bool ipv6Socket, uint mark, long stoodStillSince, KeptCongestion? kept)
    {
        using HeldDescriptor.Scope held = HeldDescriptor.Hold(socket);
        SocketOption.Set(socket, SOL_SOCKET, SO_MARK, mark);
        SocketOption.Set(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, LongUserTimeoutMilliseconds);
        RepairMode.Enter(socket);

        (SequenceNumber received, SequenceNumber sent) = FinRestore.QueueStarts(snapshot);
        RepairMode.SelectQueue(socket, TCP_RECV_QUEUE);
        RepairMode.SetQueueSequence(socket, received);
        RepairMode.SelectQueue(socket, TCP_SEND_QUEUE);
        RepairMode.SetQueueSequence(socket, sent);

        kept?.Announce(socket);

        // Repair mode reuses addresses by force: only after it is on can the address be bound beside a listener.
        Place(socket, snapshot.Connection, ipv6Socket);
        RepairMode.SetNegotiated(socket, snapshot.Negotiated);
        if (snapshot.Negotiated.Timestamps)
            RepairMode.SetTimestamp(socket, snapshot.Timestamps.Advanced(Stopwatch.GetElapsedTime(stoodStillSince)), snapshot.Timestamps.Microseconds);

        MssRefresh.Apply(socket, ipv6: ipv6Socket && !snapshot.IsV4Mapped);

        if (!snapshot.Unread.IsEmpty)
        {
            RepairMode.SelectQueue(socket, TCP_RECV_QUEUE);
            QueueWriter.Receive(socket, snapshot.Unread.Span);
        }

        ReadOnlySpan<byte> inFlight = snapshot.Sent.Span[..^TailBytes(snapshot)];
        if (!inFlight.IsEmpty)
        {
            RepairMode.SelectQueue(socket, TCP_SEND_QUEUE);
            QueueWriter.Send(socket, inFlight, queuedBefore: 0);
        }

        RepairMode.SetWindow(socket, FinRestore.Window(snapshot));
        RepairMode.SelectQueue(socket, TCP_NO_QUEUE);
        OptionWriter.WriteDormant(socket, snapshot, ipv6: ipv6Socket && !snapshot.IsV4Mapped, kept);
        kept?.Begin(socket);
    }

    private static void Place(SafeHandle socket, FourTuple connection, bool ipv6Socket)
    {
        try
        {
            RawSocket.Bind(socket, connection.Local, ipv6Socket);
        }
        catch (KernelException e) when (e.Errno == Errno.EADDRNOTAVAIL)
        {
            throw new NotRestorableException(NotRestorableReason.AddressNotHere, connection,
                $"{connection.Local.Address} is not an address of this host. Move the address here first.", e);
        }

        try
        {
            RawSocket.Connect(socket, connection.Peer, ipv6Socket);
        }
        catch (KernelException e) when (e.Errno == Errno.EADDRNOTAVAIL)
        {
            throw new NotRestorableException(NotRestorableReason.AlreadyAlive, connection,
                "it is alive on this host: a socket with the same addresses and ports is open.", e);
        }
    }
}
