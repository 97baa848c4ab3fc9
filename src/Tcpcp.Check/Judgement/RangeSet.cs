using System.Runtime.InteropServices;

namespace Tcpcp.Check.Judgement;

/// <summary>Half-open ranges [From, To) of stream offsets, disjoint and in order; touching ones are merged.</summary>
internal sealed class RangeSet
{
    private readonly List<Range64> _ranges = [];

    public bool IsEmpty => _ranges.Count == 0;

    public ReadOnlySpan<Range64> All => CollectionsMarshal.AsSpan(_ranges);

    /// <summary>Bytes of [from, to) that are in the set.</summary>
    public long CountIn(long from, long to)
    {
        long count = 0;
        for (int i = FirstEndingAfter(from); i < _ranges.Count && _ranges[i].From < to; i++)
            count += Math.Min(to, _ranges[i].To) - Math.Max(from, _ranges[i].From);
        return count;
    }

    /// <summary>Adds to <paramref name="result"/> what of [from, to) is not in the set.</summary>
    public void Complement(long from, long to, List<Range64> result)
    {
        for (int i = FirstEndingAfter(from); i < _ranges.Count && _ranges[i].From < to && from < to; i++)
        {
            if (_ranges[i].From > from)
                result.Add(new Range64(from, _ranges[i].From));
            from = Math.Max(from, _ranges[i].To);
        }
        if (from < to)
            result.Add(new Range64(from, to));
    }

    public void Add(long from, long to)
    {
        if (from >= to)
            return;
        int first = FirstEndingAfter(from - 1);
        int after = first;
        for (; after < _ranges.Count && _ranges[after].From <= to; after++)
        {
            from = Math.Min(from, _ranges[after].From);
            to = Math.Max(to, _ranges[after].To);
        }
        _ranges.RemoveRange(first, after - first);
        _ranges.Insert(first, new Range64(from, to));
    }

    public void Remove(long from, long to)
    {
        if (from >= to)
            return;
        int first = FirstEndingAfter(from);
        int after = first;
        Range64 before = default;
        Range64 behind = default;
        for (; after < _ranges.Count && _ranges[after].From < to; after++)
        {
            if (_ranges[after].From < from)
                before = new Range64(_ranges[after].From, from);
            if (_ranges[after].To > to)
                behind = new Range64(to, _ranges[after].To);
        }
        _ranges.RemoveRange(first, after - first);
        if (behind.Length > 0)
            _ranges.Insert(first, behind);
        if (before.Length > 0)
            _ranges.Insert(first, before);
    }

    private int FirstEndingAfter(long offset)
    {
        // Nearly every call concerns the end of the stream.
        if (_ranges.Count == 0 || _ranges[^1].To <= offset)
            return _ranges.Count;
        int low = 0;
        int high = _ranges.Count - 1;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (_ranges[middle].To > offset)
                high = middle;
            else
                low = middle + 1;
        }
        return low;
    }
}

/// <summary>Half-open range of 64-bit stream offsets.</summary>
internal readonly record struct Range64(long From, long To)
{
    public long Length => To - From;
}
