using Tcpcp.Check.Packets;

namespace Tcpcp.Check.Judgement.Rules;

/// <summary>The right edge of the window that the service announces never moves left (RFC 9293, 3.8.6.2.1).</summary>
internal sealed class ReceiveWindowRule(Connection connection) : Rule(connection)
{
    /// <summary>Windows closed because the receive memory was used up.</summary>
    public long Closures { get; private set; }

    public override void FromService(in Segment segment, in Moment moment)
    {
        if (!segment.Has(TcpFlags.Ack) || moment.IsLate || Connection.Service.RightEdge is not long furthest)
            return;
        // The peer takes no window from an acknowledgement that is older than its last (RFC 9293, 3.10.7.4); that is another contradiction.
        if (moment.Acknowledgement < Connection.Service.AckMax)
            return;
        // When the peer's FIN is acknowledged, there is nothing left to come: TIME-WAIT announces what it likes.
        if (Connection.Peer.Sent.FinOffset < Connection.Service.AckMax)
            return;
        int? scale = Connection.ServiceScale;
        if (Endpoint.EdgeOf(segment, moment, scale) is not long edge || edge >= furthest - Tolerance(scale ?? 0))
            return;
        Connection.Service.MoveRightEdge(edge);
        if (IsOutOfMemory(segment, moment))
            Closures++;
        else
            Report(ContradictionKind.WindowShrank, moment,
                $"announces {Number(edge)} as the right edge of the window (ack {segment.Acknowledgement} + {segment.Window} << {scale ?? 0}), " +
                $"{furthest - edge} bytes left of the {Number(furthest)} announced before.");
    }

    // A receiver that has no memory for a segment in its window drops it and closes the window (Linux: ICSK_ACK_NOMEM in
    // tcp_select_window).
    private bool IsOutOfMemory(in Segment segment, in Moment moment) => segment.Window == 0
        && Connection.Peer.Sent.End > moment.Acknowledgement && Connection.MayForgive(moment.Time);

    // The SYN's window is in bytes and every later one in units of 2^scale: less than a unit may be lost in between (RFC 7323, 2.4). Linux
    // rounds down again when it leaves a closed socket's answers to FIN-WAIT-2 and TIME-WAIT.
    private long Tolerance(int scale) =>
        Connection.Service.RightEdgeIsOfSyn || Connection.Service.Sent.FinOffset is not null ? (1L << scale) - 1 : 0;
}
