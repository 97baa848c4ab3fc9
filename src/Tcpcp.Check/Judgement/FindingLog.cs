using Tcpcp.Core;

namespace Tcpcp.Check.Judgement;

/// <summary>The contradictions of one connection: all counted, the first ones kept.</summary>
internal sealed class FindingLog(FourTuple connection, int maxKept)
{
    private readonly List<Contradiction> _kept = [];
    private readonly long[] _counts = new long[Enum.GetValues<ContradictionKind>().Length];

    public IReadOnlyList<Contradiction> Kept => _kept;

    public long Total { get; private set; }

    public long CountOf(ContradictionKind kind) => _counts[(int)kind];

    public void Add(ContradictionKind kind, in Moment moment, string message) =>
        Add(new Contradiction(kind, moment.PacketNumber, UnixTime.ToDateTime(moment.Time), connection, message));

    /// <summary>Adds one that was held back until it was certain, in the order of the capture.</summary>
    public void Add(Contradiction contradiction)
    {
        Total++;
        _counts[(int)contradiction.Kind]++;
        if (_kept.Count >= maxKept)
            return;
        int at = _kept.Count;
        while (at > 0 && _kept[at - 1].PacketNumber > contradiction.PacketNumber)
            at--;
        _kept.Insert(at, contradiction);
    }

    /// <summary>Takes back every finding that says that the peer never sent something; returns how many.</summary>
    public long WithdrawWhatNeedsAllPackets()
    {
        long withdrawn = 0;
        foreach (ContradictionKind kind in (ReadOnlySpan<ContradictionKind>)
            [
                ContradictionKind.AcknowledgedUnsentData, ContradictionKind.EchoedUnsentTimestamp, ContradictionKind.SackOfUnsentData,
                ContradictionKind.SentBeyondWindow,
            ])
        {
            withdrawn += CountOf(kind);
            _counts[(int)kind] = 0;
            _kept.RemoveAll(finding => finding.Kind == kind);
        }
        Total -= withdrawn;
        return withdrawn;
    }

    public Contradiction Make(ContradictionKind kind, in Moment moment, string message) =>
        new(kind, moment.PacketNumber, UnixTime.ToDateTime(moment.Time), connection, message);
}
