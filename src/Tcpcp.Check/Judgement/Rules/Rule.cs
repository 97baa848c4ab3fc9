using Tcpcp.Check.Packets;

namespace Tcpcp.Check.Judgement.Rules;

/// <summary>
/// One rule for the segments that the service sends. It sees a segment before the connection's state takes it over, so that the state is
/// what the peer knew until then. RSTs go to no rule but the judge itself.
/// </summary>
internal abstract class Rule(Connection connection)
{
    protected Connection Connection { get; } = connection;

    public abstract void FromService(in Segment segment, in Moment moment);

    /// <summary>The peer's segments are no subject, but evidence.</summary>
    public virtual void FromPeer(in Segment segment, in Moment moment)
    {
    }

    /// <summary>The capture is over: what was held back is decided.</summary>
    public virtual void Finish()
    {
    }

    protected void Report(ContradictionKind kind, in Moment moment, string message) => Connection.Findings.Add(kind, moment, message);

    /// <summary>Sequence number of an offset, as in the header.</summary>
    protected static uint Number(long offset) => unchecked((uint)offset);
}
