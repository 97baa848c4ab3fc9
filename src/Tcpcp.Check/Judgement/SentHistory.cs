using Tcpcp.Check.Packets;

namespace Tcpcp.Check.Judgement;

/// <summary>
/// The service's last segments, to tell a segment that the path delivered late from a sender that contradicts itself. Late is what fits in
/// between earlier segments by everything that only grows at the sender: acknowledgement, TSval, IPv4 identification.
/// </summary>
internal sealed class SentHistory
{
    private const int MaxLength = 256;

    private Mark[] _marks = [];
    private long _count;

    public void Remember(in Segment segment, in Moment moment)
    {
        if (_count == _marks.Length && _marks.Length < MaxLength)
            Array.Resize(ref _marks, Math.Max(8, _marks.Length * 2));
        _marks[_count++ & (_marks.Length - 1)] = new Mark(moment.Acknowledgement, segment.Options.TsVal, segment.Options.HasTimestamps,
            segment.Identification, segment.SourceMac);
    }

    /// <param name="segment">The segment with older numbers than those before it.</param>
    /// <param name="acknowledgement">Its acknowledgement as an offset.</param>
    /// <param name="fillsGap">It carries bytes that were missing: evidence that it was sent before those that are there already.</param>
    public bool FitsBetween(in Segment segment, long acknowledgement, bool fillsGap)
    {
        Mark mark = new(acknowledgement, segment.Options.TsVal, segment.Options.HasTimestamps, segment.Identification, segment.SourceMac);
        long oldest = Math.Max(0, _count - _marks.Length);
        for (long i = _count - 1; i >= oldest; i--)
        {
            Mark earlier = _marks[i & (_marks.Length - 1)];
            if (earlier.SourceMac != mark.SourceMac)
                return false;
            if (earlier.IsBeforeOrAt(mark))
                return i < _count - 1 && (fillsGap || HasWitness(mark, _marks[(_count - 1) & (_marks.Length - 1)]));
            if (!mark.IsBeforeOrAt(earlier))
                return false;
        }
        return false;
    }

    // The acknowledgement alone proves nothing: a stale copy of the socket would send the same.
    private static bool HasWitness(in Mark mark, in Mark newest) => Mark.BothHaveIdentification(mark, newest)
        || (mark.HasTimestamps && newest.HasTimestamps && unchecked((int)(mark.TsVal - newest.TsVal)) < 0);

    private readonly record struct Mark(long Acknowledgement, uint TsVal, bool HasTimestamps, ushort Identification, ulong SourceMac)
    {
        public static bool BothHaveIdentification(in Mark left, in Mark right) => left.Identification != 0 && right.Identification != 0;

        public bool IsBeforeOrAt(in Mark other) => Acknowledgement <= other.Acknowledgement
            && (!HasTimestamps || !other.HasTimestamps || unchecked((int)(TsVal - other.TsVal)) <= 0)
            && (!BothHaveIdentification(this, other) || unchecked((short)(Identification - other.Identification)) <= 0);
    }
}
