namespace Tcpcp.Check.Judgement;

/// <summary>
/// The bytes that the service sent, as they were sent first: from a margin below what the peer acknowledged to the end of the stream, and
/// never more than the limit. Chunks sit in a circle indexed by stream offset.
/// </summary>
internal sealed class SentBytes(ChunkPool pool, int limitBytes)
{
    private byte[]?[] _circle = new byte[]?[4];
    private RangeSet? _blank;
    private long _firstChunk;
    private long _lastChunk = -1; // none yet

    /// <summary>Bytes that came again and were equal or not: compared at all.</summary>
    public long Compared { get; private set; }

    /// <summary>Bytes that came again and whose first copy is not retained, or was not captured.</summary>
    public long NotCompared { get; private set; }

    /// <summary>Retains bytes seen for the first time; those of <paramref name="length"/> beyond the span were not captured.</summary>
    public void Write(long offset, ReadOnlySpan<byte> bytes, long length)
    {
        MakeRoom(offset >> ChunkPool.ChunkBits, (offset + length - 1) >> ChunkPool.ChunkBits);
        MarkBlank(offset + bytes.Length, offset + length);
        _blank?.Remove(offset, offset + bytes.Length);
        while (!bytes.IsEmpty)
        {
            int inChunk = (int)(offset & (ChunkPool.ChunkLength - 1));
            int count = Math.Min(bytes.Length, ChunkPool.ChunkLength - inChunk);
            if (offset >> ChunkPool.ChunkBits >= _firstChunk)
            {
                byte[]? chunk = Slot(offset) ??= pool.Rent();
                if (chunk is null)
                    MarkBlank(offset, offset + count);
                else
                    bytes[..count].CopyTo(chunk.AsSpan(inChunk));
            }
            bytes = bytes[count..];
            offset += count;
        }
    }

    /// <summary>Compares bytes sent again with the first ones. Returns the offset of the first that differs, or -1.</summary>
    public long FirstDifference(long offset, ReadOnlySpan<byte> bytes)
    {
        long difference = -1;
        while (!bytes.IsEmpty)
        {
            int inChunk = (int)(offset & (ChunkPool.ChunkLength - 1));
            int count = Math.Min(bytes.Length, ChunkPool.ChunkLength - inChunk);
            byte[]? chunk = IsRetained(offset) ? Slot(offset) : null;
            if (chunk is null)
                NotCompared += count;
            else
                CompareInChunk(offset, bytes[..count], chunk.AsSpan(inChunk, count), ref difference);
            bytes = bytes[count..];
            offset += count;
        }
        return difference;
    }

    /// <summary>Counts bytes that came again and were cut off by the snapshot length.</summary>
    public void CountNotCaptured(long count) => NotCompared += count;

    /// <summary>Lets go of what lies below <paramref name="offset"/>.</summary>
    public void ReleaseBelow(long offset)
    {
        long chunk = Math.Min(offset >> ChunkPool.ChunkBits, _lastChunk + 1);
        if (chunk <= _firstChunk || _lastChunk < 0)
            return;
        for (; _firstChunk < chunk; _firstChunk++)
            Release(ref _circle[_firstChunk & (_circle.Length - 1)]);
        _blank?.Remove(0, _firstChunk << ChunkPool.ChunkBits);
    }

    /// <summary>Lets go of everything; later comparisons count as not possible.</summary>
    public void ReleaseAll() => ReleaseBelow(long.MaxValue);

    private void CompareInChunk(long offset, ReadOnlySpan<byte> again, ReadOnlySpan<byte> first, ref long difference)
    {
        long blank = _blank?.CountIn(offset, offset + again.Length) ?? 0;
        NotCompared += blank;
        Compared += again.Length - blank;
        if (again.SequenceEqual(first))
            return;
        for (int i = again.CommonPrefixLength(first); difference < 0 && i < again.Length; i++)
        {
            if (again[i] != first[i] && (blank == 0 || _blank!.CountIn(offset + i, offset + i + 1) == 0))
                difference = offset + i;
        }
    }

    private void MakeRoom(long first, long last)
    {
        if (_lastChunk < 0)
        {
            _firstChunk = first;
            _lastChunk = first - 1;
        }
        if (last <= _lastChunk)
            return;
        long limit = Math.Max(1, limitBytes >> ChunkPool.ChunkBits);
        ReleaseBelow((last + 1 - limit) << ChunkPool.ChunkBits);
        _firstChunk = Math.Max(_firstChunk, last + 1 - limit);
        _lastChunk = last;
        long needed = _lastChunk - _firstChunk + 1;
        if (needed <= _circle.Length)
            return;
        byte[]?[] larger = new byte[]?[(int)System.Numerics.BitOperations.RoundUpToPowerOf2((ulong)needed)];
        for (long chunk = _firstChunk; chunk < _firstChunk + _circle.Length; chunk++)
            larger[chunk & (larger.Length - 1)] = _circle[chunk & (_circle.Length - 1)];
        _circle = larger;
    }

    private void MarkBlank(long from, long to)
    {
        if (from < to)
            (_blank ??= new RangeSet()).Add(from, to);
    }

    private bool IsRetained(long offset) => offset >> ChunkPool.ChunkBits is long chunk && chunk >= _firstChunk && chunk <= _lastChunk;

    private ref byte[]? Slot(long offset) => ref _circle[(offset >> ChunkPool.ChunkBits) & (_circle.Length - 1)];

    private void Release(ref byte[]? chunk)
    {
        if (chunk is not null)
            pool.Return(chunk);
        chunk = null;
    }
}
