namespace Tcpcp.Check.Judgement;

/// <summary>
/// The memory for sent bytes of all connections of a capture, in chunks. When it is used up, closed connections give theirs back first;
/// then nothing more is retained, which <see cref="SentBytes"/> counts as not comparable.
/// </summary>
internal sealed class ChunkPool(long limitBytes)
{
    public const int ChunkBits = 14;
    public const int ChunkLength = 1 << ChunkBits;

    private readonly Stack<byte[]> _free = new();
    private readonly Queue<SentBytes> _closed = new();
    private long _remaining = limitBytes / ChunkLength;

    public byte[]? Rent()
    {
        while (_free.Count == 0 && _remaining == 0 && _closed.TryDequeue(out SentBytes? oldest))
            oldest.ReleaseAll();
        if (_free.TryPop(out byte[]? chunk))
            return chunk;
        if (_remaining == 0)
            return null;
        _remaining--;
        return GC.AllocateUninitializedArray<byte>(ChunkLength);
    }

    public void Return(byte[] chunk) => _free.Push(chunk);

    /// <summary>The connection is over: its bytes may go when room is needed.</summary>
    public void MarkClosed(SentBytes bytes) => _closed.Enqueue(bytes);
}
