using Tcpcp.Check.Packets;

namespace Tcpcp.Check.Judgement.Rules;

/// <summary>Acknowledgement numbers never step back, and never cover what the peer has not sent (RFC 9293, 3.4 and 3.10.7.4).</summary>
internal sealed class AcknowledgementRule(Connection connection) : Rule(connection)
{
    // An acknowledgement of unsent bytes may be a hole in the capture: the peer's next segments tell. If it goes on behind the acknowledged
    // bytes without ever sending them, they were sent and the capture lacks them.
    private readonly List<(long From, long To, Contradiction Finding)> _pending = [];
    private long _reportedTo;

    public override void FromService(in Segment segment, in Moment moment)
    {
        if (!segment.Has(TcpFlags.Ack))
            return;
        if (Connection.Service.AckMax is long highest && moment.Acknowledgement < highest && !moment.IsLate)
            Report(ContradictionKind.AcknowledgementSteppedBack, moment,
                $"acknowledges {segment.Acknowledgement}, {highest - moment.Acknowledgement} bytes below the {Number(highest)} acknowledged before.");
        SentStream peer = Connection.Peer.Sent;
        if (!peer.IsCertain || moment.Acknowledgement <= Math.Max(peer.End, _reportedTo))
            return;
        _reportedTo = moment.Acknowledgement;
        _pending.Add((peer.End, moment.Acknowledgement, Connection.Findings.Make(ContradictionKind.AcknowledgedUnsentData, moment,
            $"acknowledges {segment.Acknowledgement}, {moment.Acknowledgement - peer.End} bytes beyond the {Number(peer.End)} up to which the " +
            "peer has sent.")));
    }

    public override void FromPeer(in Segment segment, in Moment moment)
    {
        for (int i = _pending.Count - 1; i >= 0; i--)
        {
            (long from, long to, Contradiction finding) = _pending[i];
            bool isUnseen = Connection.Peer.Sent.IsUnseen(from, to);
            if (isUnseen && moment.Sequence < to)
                continue;
            _pending.RemoveAt(i);
            if (!isUnseen)
                Connection.Findings.Add(finding);
        }
    }

    public override void Finish()
    {
        foreach ((_, _, Contradiction finding) in _pending)
            Connection.Findings.Add(finding);
        _pending.Clear();
    }
}
