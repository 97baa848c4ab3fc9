using Tcpcp.Check.Packets;

namespace Tcpcp.Check.Judgement.Rules;

/// <summary>The options stay as the handshake negotiated them (RFC 7323, 3.2; RFC 2018, 2; RFC 9293, 3.7.1).</summary>
internal sealed class OptionsRule(Connection connection) : Rule(connection)
{
    private bool? _hasTimestamps;

    public override void FromService(in Segment segment, in Moment moment)
    {
        if (segment.Has(TcpFlags.Syn))
            return;
        SynFacts? answer = Connection.SynAnswer;
        // Without a handshake the first segment tells.
        bool expected = answer?.HasTimestamps ?? (_hasTimestamps ??= segment.Options.HasTimestamps);
        if (segment.Options.HasTimestamps != expected)
            Report(ContradictionKind.OptionsChanged, moment,
                expected ? "has no timestamps, and this connection has them." : "has timestamps, and this connection has none.");
        if (answer is { SackPermitted: false } && segment.Options.SackBlockCount > 0)
            Report(ContradictionKind.OptionsChanged, moment, "has SACK blocks, and the handshake did not permit SACK.");
        if (segment.Options.Mss != 0)
            Report(ContradictionKind.OptionsChanged, moment, $"has an MSS option ({segment.Options.Mss}), which belongs to a SYN.");
        if (segment.Options.WindowScale >= 0)
            Report(ContradictionKind.OptionsChanged, moment, $"has a window scale option ({segment.Options.WindowScale}), which belongs to a SYN.");
        if (segment.Options.SackPermitted)
            Report(ContradictionKind.OptionsChanged, moment, "has a SACK-permitted option, which belongs to a SYN.");
    }
}
