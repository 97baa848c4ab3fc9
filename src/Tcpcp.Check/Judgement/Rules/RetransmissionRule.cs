using Tcpcp.Check.Packets;

namespace Tcpcp.Check.Judgement.Rules;

/// <summary>
/// Bytes sent again equal the first ones (RFC 9293, 3.7). Runs after the stream has taken the segment, because the stream finds out which
/// bytes are new.
/// </summary>
internal sealed class RetransmissionRule(Connection connection, SentBytes bytes) : Rule(connection)
{
    /// <summary>Kept below what the peer has acknowledged, in bytes: a retransmission may cross the acknowledgement.</summary>
    private const long Margin = 4 << 20;

    private readonly List<Range64> _fresh = [];

    public override void FromService(in Segment segment, in Moment moment)
    {
        if (segment.PayloadLength == 0 || moment.IsProbe) // a keep-alive's byte is garbage by design (RFC 9293, 3.8.4)
            return;
        List<Range64> overlap = Connection.Service.Sent.Overlap;
        if (overlap.Count == 0)
        {
            bytes.Write(moment.PayloadFrom, segment.Payload, segment.PayloadLength);
            return;
        }
        long difference = -1;
        _fresh.Clear();
        long from = moment.PayloadFrom;
        foreach (Range64 again in overlap)
        {
            if (again.From > from)
                _fresh.Add(new Range64(from, again.From));
            from = again.To;
            long found = Compare(again, segment, moment);
            difference = difference < 0 ? found : difference;
        }
        if (from < moment.PayloadTo)
            _fresh.Add(new Range64(from, moment.PayloadTo));
        foreach (Range64 range in _fresh)
            bytes.Write(range.From, Captured(range, segment, moment), range.Length);
        if (difference >= 0)
            Report(ContradictionKind.RetransmissionDiffers, moment,
                $"sends {Number(moment.PayloadFrom)} to {Number(moment.PayloadTo)} again, and the byte at {Number(difference)} is " +
                $"0x{segment.Payload[(int)(difference - moment.PayloadFrom)]:x2}, another one than at first.");
    }

    public override void FromPeer(in Segment segment, in Moment moment)
    {
        if (segment.Has(TcpFlags.Ack))
            bytes.ReleaseBelow(moment.Acknowledgement - Margin);
    }

    private long Compare(Range64 again, in Segment segment, in Moment moment)
    {
        ReadOnlySpan<byte> captured = Captured(again, segment, moment);
        bytes.CountNotCaptured(again.Length - captured.Length);
        return bytes.FirstDifference(again.From, captured);
    }

    private static ReadOnlySpan<byte> Captured(Range64 range, in Segment segment, in Moment moment)
    {
        int from = (int)Math.Min(range.From - moment.PayloadFrom, segment.Payload.Length);
        int to = (int)Math.Min(range.To - moment.PayloadFrom, segment.Payload.Length);
        return segment.Payload[from..to];
    }
}
