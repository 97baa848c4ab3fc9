namespace Tcpcp.Relay.Loops;

/// <summary>Buffers that are lent while bytes are under way. Of one loop's thread; a buffer that has come back is the next one lent, which the processor's cache still has.</summary>
internal sealed class ChunkBuffers(int bytes)
{
    private const int MaxKept = 64;

    private readonly Stack<byte[]> _kept = new();

    /// <summary>Of each buffer.</summary>
    public int Bytes => bytes;

    public byte[] Rent() => _kept.TryPop(out byte[]? buffer) ? buffer : GC.AllocateUninitializedArray<byte>(bytes);

    public void Return(byte[] buffer)
    {
        if (_kept.Count < MaxKept && buffer.Length == bytes)
            _kept.Push(buffer);
    }
}
