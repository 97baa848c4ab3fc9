using Tcpcp.Check.Packets;

namespace Tcpcp.Check.Judgement.Rules;

/// <summary>TSval never steps back (RFC 7323, 5.2), TSecr is one that the peer sent (RFC 7323, 3.2); both modulo 2^32.</summary>
internal sealed class TimestampRule(Connection connection) : Rule(connection)
{
    /// <summary>Echoes of 0 after the handshake: a restored socket does that until the peer's next segment. No contradiction.</summary>
    public long ZeroEchoes { get; private set; }

    public override void FromService(in Segment segment, in Moment moment)
    {
        if (!segment.Options.HasTimestamps)
            return;
        uint value = segment.Options.TsVal;
        uint echo = segment.Options.TsEcr;
        if (Connection.Service.TsVal is uint latest && unchecked((int)(value - latest)) < 0 && !moment.IsLate)
            Report(ContradictionKind.TimestampSteppedBack, moment,
                $"TSval {value}, {unchecked(latest - value)} below the {latest} sent before.");
        if (!segment.Has(TcpFlags.Ack))
            return;
        if (echo == 0)
            ZeroEchoes += segment.Has(TcpFlags.Syn) ? 0 : 1;
        else if (Connection.Peer.TsVal is uint sent && unchecked((int)(echo - sent)) > 0)
            Report(ContradictionKind.EchoedUnsentTimestamp, moment, $"TSecr {echo}, and the peer's latest TSval is {sent}.");
    }
}
