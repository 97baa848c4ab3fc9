using System.Net.Sockets;
using Tcpcp.Linux.Tcp;

namespace Tcpcp.Traffic;

/// <summary>What the peer's TCP had to do again so far.</summary>
/// <param name="Resent">Segments of its connection that it sent again.</param>
/// <param name="Probes">Tail loss probes of its host (RFC 8985, 7): new data, or the last segment again, when it has heard nothing for about two round trips. Every silence has one.</param>
/// <param name="TimeOuts">Retransmission timers of its host that have run out.</param>
internal readonly record struct PeerCounters(long Resent, long Probes, long TimeOuts)
{
    /// <summary>Nothing was sent again.</summary>
    public bool IsNothing => Resent == 0 && TimeOuts == 0;

    /// <summary>Nothing was sent again but by tail loss probes: nothing was lost, or taken for lost.</summary>
    public bool IsNoLoss => Resent <= Probes && TimeOuts == 0;

    public static PeerCounters Read(TcpStatistics peer, Socket socket)
    {
        SocketOption.Get(socket.SafeHandle, SocketLevel.IPPROTO_TCP, TcpOption.TCP_INFO, out TcpInfo info);
        return new PeerCounters(info.tcpi_total_retrans, peer["TCPLossProbes"], peer["TCPTimeouts"]);
    }

    public static PeerCounters operator -(PeerCounters after, PeerCounters before) => new(after.Resent - before.Resent, after.Probes - before.Probes, after.TimeOuts - before.TimeOuts);
}
