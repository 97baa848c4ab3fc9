using Tcpcp.Check.Packets;

namespace Tcpcp.Check.Judgement.Rules;

/// <summary>
/// SACK blocks lie within what the peer has sent (RFC 2018, 3). A block below the acknowledgement is a D-SACK (RFC 2883), and one that is
/// not repeated is reneging, which is legal (RFC 2018, 8).
/// </summary>
internal sealed class SackRule(Connection connection) : Rule(connection)
{
    public override void FromService(in Segment segment, in Moment moment)
    {
        SentStream peer = Connection.Peer.Sent;
        for (int i = 0; i < segment.Options.SackBlockCount; i++)
        {
            (uint left, uint right) = segment.Options.SackBlock(i);
            if (unchecked((int)(right - left)) <= 0)
                Report(ContradictionKind.SackOfUnsentData, moment, $"SACK block {left} to {right} is empty or reversed.");
            else if (peer.IsCertain && peer.Unwrap(right) > peer.End)
                Report(ContradictionKind.SackOfUnsentData, moment,
                    $"SACK block {left} to {right}, and the peer has sent up to {Number(peer.End)}.");
        }
    }
}
