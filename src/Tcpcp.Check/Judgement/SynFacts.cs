using Tcpcp.Check.Packets;

namespace Tcpcp.Check.Judgement;

/// <summary>What an end offered in its SYN (RFC 9293, 3.7.1; RFC 7323; RFC 2018).</summary>
/// <param name="Sequence">ISS, as it stands in the header.</param>
/// <param name="IsAnswer">True for SYN-ACK: its options are then those negotiated.</param>
/// <param name="Mss">0 if not given.</param>
/// <param name="WindowScale">-1 if not offered.</param>
/// <param name="HasTimestamps">RFC 7323 timestamps offered.</param>
/// <param name="SackPermitted">SACK offered.</param>
internal sealed record SynFacts(uint Sequence, bool IsAnswer, ushort Mss, int WindowScale, bool HasTimestamps, bool SackPermitted)
{
    public static SynFacts Of(in Segment segment) => new(segment.Sequence, segment.Has(TcpFlags.Ack), segment.Options.Mss,
        segment.Options.WindowScale, segment.Options.HasTimestamps, segment.Options.SackPermitted);
}
