using Tcpcp.Check.Packets;

namespace Tcpcp.Check.Judgement.Rules;

/// <summary>The service sends nothing beyond the window that the peer announced, one byte of a probe aside (RFC 9293, 3.8.6 and
/// 3.8.6.1).</summary>
internal sealed class SendWindowRule(Connection connection) : Rule(connection)
{
    public override void FromService(in Segment segment, in Moment moment)
    {
        Endpoint peer = Connection.Peer;
        if (segment.PayloadLength == 0 || Connection.PeerScale is null || peer.RightEdge is not long edge || moment.PayloadTo <= edge + 1)
            return;
        // Where the capture lacks segments of the peer, it may lack the one that opened the window.
        if (peer.Sent.UnseenAcknowledged > 0)
            return;
        Report(ContradictionKind.SentBeyondWindow, moment,
            $"sends {moment.PayloadTo - edge} bytes beyond the right edge {Number(edge)} of the window that the peer announced.");
    }
}
