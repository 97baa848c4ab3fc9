using Tcpcp.Check.Packets;

namespace Tcpcp.Check.Judgement.Rules;

/// <summary>A FIN only where the stream ends, and always there (RFC 9293, 3.6).</summary>
internal sealed class FinRule(Connection connection, long? expectedBytes) : Rule(connection)
{
    public override void FromService(in Segment segment, in Moment moment)
    {
        SentStream sent = Connection.Service.Sent;
        if (sent.FinOffset is long fin && segment.PayloadLength > 0 && moment.PayloadTo > fin && !moment.IsProbe)
            Report(ContradictionKind.UnexpectedFin, moment, $"sends data up to {Number(moment.PayloadTo)}, and a FIN ended the stream at {Number(fin)}.");
        if (!segment.Has(TcpFlags.Fin))
            return;
        if (sent.FinOffset is long first && first != moment.PayloadTo)
            Report(ContradictionKind.UnexpectedFin, moment, $"FIN at {Number(moment.PayloadTo)}, and it was at {Number(first)} before.");
        else if (sent.IsKnown && moment.PayloadTo < sent.DataEnd)
            Report(ContradictionKind.UnexpectedFin, moment,
                $"FIN at {Number(moment.PayloadTo)}, and data up to {Number(sent.DataEnd)} was sent before it.");
        else if (sent.FinOffset is null && expectedBytes is long expected && sent.SynOffset is long syn
            && moment.PayloadTo - syn - 1 != expected)
            Report(ContradictionKind.UnexpectedFin, moment, $"FIN after {moment.PayloadTo - syn - 1} bytes of stream, and {expected} were expected.");
    }
}
