namespace Tcpcp.Check.Judgement;

/// <summary>
/// What one end has sent, as seen in the capture. Offsets are 64 bits wide and their lower half is the sequence number of the header, so
/// that the wrap (RFC 9293, 3.4) is nowhere else.
/// <code>
///        Start                 AckedTo               End
///  ........|#####...unseen...###|######...unseen...####|
///  not in  |  seen once or more |                      | not sent yet, as far as the capture knows
/// </code>
/// A capture that begins in the middle does not know what was sent before: until <see cref="IsCertain"/>, a jump ahead is taken for that.
/// </summary>
internal sealed class SentStream
{
    private readonly RangeSet _unseen = new();
    private readonly List<Range64> _overlap = [];
    private long _ackedTo;

    /// <summary>True once a sequence number or an acknowledgement gave the stream a place.</summary>
    public bool IsKnown { get; private set; }

    /// <summary>True once <see cref="End"/> is what the end has sent, and not just what the capture could see of it.</summary>
    public bool IsCertain { get; private set; }

    /// <summary>Offset of the SYN; null if the capture lacks it.</summary>
    public long? SynOffset { get; private set; }

    public long Start { get; private set; }

    /// <summary>Behind the highest byte or FIN that was seen: SND.NXT of this end.</summary>
    public long End { get; private set; }

    /// <summary>Behind the highest payload byte.</summary>
    public long DataEnd { get; private set; }

    /// <summary>Offset of the first FIN that was seen.</summary>
    public long? FinOffset { get; set; }

    /// <summary>Bytes that the other end acknowledged and the capture does not have: the capture has holes.</summary>
    public long UnseenAcknowledged { get; private set; }

    /// <summary>Payload bytes of different offsets.</summary>
    public long DistinctBytes { get; private set; }

    /// <summary>The parts of the last <see cref="TakeData"/> that had been seen before.</summary>
    public List<Range64> Overlap => _overlap;

    /// <summary>The offset nearest to what is known that has this sequence number.</summary>
    public long Unwrap(uint sequence) => IsKnown ? End + unchecked((int)(sequence - (uint)End)) : (1L << 32) + sequence;

    public bool HasUnseenIn(long from, long to) => _unseen.CountIn(from, to) > 0;

    /// <summary>True if all of [from, to) is unseen or beyond the end.</summary>
    public bool IsUnseen(long from, long to) => _unseen.CountIn(from, Math.Min(to, End)) == Math.Max(0, Math.Min(to, End) - from);

    public void BeginAt(long offset)
    {
        if (IsKnown)
            return;
        IsKnown = true;
        Start = End = DataEnd = _ackedTo = offset;
    }

    public void TakeSyn(long offset)
    {
        if (SynOffset is not null)
            return;
        BeginAt(offset + 1);
        SynOffset = offset;
        IsCertain = true;
    }

    /// <summary>Takes a payload; returns how many of its bytes had been seen before, and leaves them in <see cref="Overlap"/>.</summary>
    public long TakeData(long from, long to)
    {
        _overlap.Clear();
        if (from >= to)
            return 0;
        BeginAt(from);
        long overlap = Take(from, to, isPayload: true);
        if (FinOffset >= from && FinOffset < to)
            overlap -= LeaveOutOfOverlap(FinOffset.Value);
        DistinctBytes += to - from - overlap;
        DataEnd = Math.Max(DataEnd, to);
        return overlap;
    }

    public void TakeFin(long offset)
    {
        BeginAt(offset);
        FinOffset ??= offset;
        List<Range64> kept = [.. _overlap];
        Take(offset, offset + 1, isPayload: false);
        _overlap.Clear();
        _overlap.AddRange(kept);
    }

    /// <summary>The end itself says that it has sent everything below <paramref name="offset"/>; the capture may lack it.</summary>
    public void ClaimSent(long offset)
    {
        BeginAt(offset);
        if (offset > End)
            ExtendTo(offset);
    }

    /// <summary>The other end acknowledged everything below <paramref name="ack"/>.</summary>
    public void TakeAcknowledgement(long ack)
    {
        BeginAt(ack);
        if (ack <= _ackedTo)
            return;
        UnseenAcknowledged += _unseen.CountIn(_ackedTo, ack);
        _ackedTo = ack;
    }

    // The place of a FIN was seen, but no byte there; only data that contradicts the FIN comes here.
    private long LeaveOutOfOverlap(long offset)
    {
        int index = _overlap.FindIndex(range => range.From <= offset && offset < range.To);
        if (index < 0)
            return 0;
        Range64 range = _overlap[index];
        _overlap.RemoveAt(index);
        if (offset + 1 < range.To)
            _overlap.Insert(index, new Range64(offset + 1, range.To));
        if (range.From < offset)
            _overlap.Insert(index, new Range64(range.From, offset));
        return 1;
    }

    private long Take(long from, long to, bool isPayload)
    {
        if (from >= End)
        {
            if (from > End)
                ExtendTo(from);
            else
                IsCertain |= isPayload;
            End = to;
            return 0;
        }
        if (from < Start)
        {
            // Sent before the capture began; seen now for the first time.
            _unseen.Add(from, Start);
            Start = from;
        }
        _unseen.Complement(from, Math.Min(to, End), _overlap);
        _unseen.Remove(from, Math.Min(to, End));
        End = Math.Max(End, to);
        long overlap = 0;
        foreach (Range64 range in _overlap)
            overlap += range.Length;
        return overlap;
    }

    private void ExtendTo(long offset)
    {
        if (IsCertain)
        {
            _unseen.Add(End, offset);
            // Acknowledged before it was known to exist: counted at once, for the acknowledgement will not come again.
            UnseenAcknowledged += Math.Max(0, Math.Min(_ackedTo, offset) - End);
        }
        else
        {
            Start = DataEnd = offset;
        }
        End = offset;
    }
}
