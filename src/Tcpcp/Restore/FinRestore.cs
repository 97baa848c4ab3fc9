using System.Runtime.InteropServices;
using Tcpcp.Core;
using Tcpcp.Linux;
using Tcpcp.Linux.Packets;
using Tcpcp.Linux.Tcp;
using static Tcpcp.Linux.Tcp.SocketLevel;
using static Tcpcp.Linux.Tcp.TcpOption;

namespace Tcpcp.Restore;

/// <summary>
/// Brings a restored socket from ESTABLISHED into the captured state: with the own FIN by <c>shutdown</c>, with the peer's by a segment that this host makes.
/// </summary>
internal static class FinRestore
{
    /// <summary>Where the queues start: a FIN takes a number of its own, and has to come (or to be acknowledged) after <c>connect</c>.</summary>
    public static (SequenceNumber Receive, SequenceNumber Send) QueueStarts(ConnectionSnapshot snapshot) => (
        snapshot.RcvNxt - snapshot.Unread.Length - (snapshot.FinReceived ? 1 : 0),
        snapshot.SndUna - (snapshot.State == TcpState.FinWait2 ? 1 : 0));

    /// <summary>The windows as they were before the peer's FIN; the right edge stays where it is.</summary>
    public static RepairWindow Window(ConnectionSnapshot snapshot) => snapshot.FinReceived && snapshot.Window.RcvWup == snapshot.RcvNxt
        ? snapshot.Window with { RcvWup = snapshot.RcvNxt - 1, RcvWnd = snapshot.Window.RcvWnd + 1 }
        : snapshot.Window;

    /// <summary>What <see cref="WriteDormant"/> and the activation need in every state but ESTABLISHED.</summary>
    public static PeerSegmentSocket? OpenPeer(ConnectionSnapshot snapshot, uint arrivalMark) =>
        snapshot.State == TcpState.Established ? null : PeerSegmentSocket.Open(snapshot.Connection, arrivalMark);

    /// <summary>While the socket is dormant: all but an own FIN that is not acknowledged, and what must come after it.</summary>
    public static void WriteDormant(SafeHandle socket, ConnectionSnapshot snapshot, PeerSegmentSocket? peer)
    {
        switch (snapshot.State)
        {
            case TcpState.FinWait2:
                WriteSentFin(socket);
                peer!.Deliver(Acknowledgement(snapshot, sequence: snapshot.RcvNxt, snapshot.WriteSeq));
                RequireState(socket, TcpState.FinWait2);
                break;
            case TcpState.CloseWait or TcpState.LastAck:
                ReceiveFin(socket, peer!, snapshot, TcpState.CloseWait);
                break;
            default:
                break; // ESTABLISHED; or the own FIN comes first
        }
    }

    /// <summary>In repair mode: the own FIN counts as sent.</summary>
    public static void WriteSentFin(SafeHandle socket)
    {
        RepairMode.SelectQueue(socket, TCP_SEND_QUEUE);
        RawSocket.ShutDownSending(socket);
        RepairMode.SelectQueue(socket, TCP_NO_QUEUE);
    }

    /// <summary>The peer's FIN, behind all its data. It carries the peer's last window: with a larger one this end would send beyond it.</summary>
    /// <remarks>Returns when it has arrived: a segment sent before would acknowledge less than the origin has.</remarks>
    public static void ReceiveFin(SafeHandle socket, PeerSegmentSocket peer, ConnectionSnapshot snapshot, TcpState next)
    {
        peer.Deliver(Acknowledgement(snapshot, snapshot.RcvNxt - 1, snapshot.SndUna) with { Fin = true });
        RequireState(socket, next);
    }

    /// <summary>When the socket lives: the peer's FIN was not acknowledged at the origin, and nothing else would do it before the peer sends it again.</summary>
    public static void AcknowledgeFin(PeerSegmentSocket peer, ConnectionSnapshot snapshot) =>
        peer.Deliver(Acknowledgement(snapshot, snapshot.RcvNxt - 1, snapshot.SndUna)); // old: it is answered at once

    private static PeerSegment Acknowledgement(ConnectionSnapshot snapshot, SequenceNumber sequence, SequenceNumber acknowledged) =>
        new(sequence, acknowledged, (ushort)Math.Min(snapshot.Window.SndWnd >> snapshot.Negotiated.SndWscale, ushort.MaxValue));

    private static void RequireState(SafeHandle socket, TcpState expected)
    {
        if (!SpinWait.SpinUntil(() => StateOf(socket) == expected, PeerSegmentSocket.ArrivalTime))
            throw KernelException.Of("raw segment", Errno.EPROTO,
                $"the socket is in state {StateOf(socket)} and not in {expected}: does a packet filter drop what this host sends itself?");
    }

    private static TcpState StateOf(SafeHandle socket)
    {
        SocketOption.Get(socket, IPPROTO_TCP, TCP_INFO, out TcpInfo info);
        return (TcpState)info.tcpi_state;
    }
}
