namespace Tcpcp.Tests;

/// <summary>An endless stream of random bytes that can be had from any position: a block of a prime length, repeated.</summary>
internal sealed class ByteStream
{
    private const int BlockBytes = 1_048_573;

    private readonly byte[] _block = new byte[BlockBytes];

    public ByteStream(int seed) => new Random(seed).NextBytes(_block);

    public void Read(long position, Span<byte> destination)
    {
        for (int done = 0; done < destination.Length;)
        {
            ReadOnlySpan<byte> piece = Piece(position + done, destination.Length - done);
            piece.CopyTo(destination[done..]);
            done += piece.Length;
        }
    }

    public byte[] Read(long position, int count)
    {
        byte[] bytes = new byte[count];
        Read(position, bytes);
        return bytes;
    }

    private ReadOnlySpan<byte> Piece(long position, int count)
    {
        int start = (int)(position % BlockBytes);
        return _block.AsSpan(start, Math.Min(count, BlockBytes - start));
    }
}
