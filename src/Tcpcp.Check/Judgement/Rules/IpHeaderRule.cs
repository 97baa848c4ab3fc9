using Tcpcp.Check.Packets;

namespace Tcpcp.Check.Judgement.Rules;

/// <summary>TTL and DSCP are constant over the connection; the IPv6 flow label may change (RFC 6437) and is counted.</summary>
internal sealed class IpHeaderRule(Connection connection, bool dscpMayChange) : Rule(connection)
{
    private byte? _ttl;
    private int? _dscp;
    private uint? _flowLabel;

    public long FlowLabelChanges { get; private set; }

    public override void FromService(in Segment segment, in Moment moment)
    {
        if (_flowLabel is uint label && label != segment.FlowLabel)
            FlowLabelChanges++;
        _flowLabel = segment.FlowLabel;
        // Not the connection's socket answers in TIME-WAIT, nor in FIN-WAIT-2 after a close, but a remainder with the system's TTL.
        bool isRemainder = Connection.Service.Sent.FinOffset is not null && segment.PayloadLength == 0 && !segment.Has(TcpFlags.Fin);
        if (isRemainder)
            return;
        if (_ttl is byte ttl && ttl != segment.Ttl)
            Report(ContradictionKind.TtlChanged, moment, $"{(segment.IsIPv6 ? "hop limit" : "TTL")} {segment.Ttl}, and it was {ttl} before.");
        if (_dscp is int dscp && dscp != segment.Dscp && !dscpMayChange)
            Report(ContradictionKind.DscpChanged, moment, $"DSCP {segment.Dscp}, and it was {dscp} before.");
        _ttl = segment.Ttl;
        _dscp = segment.Dscp;
    }
}
