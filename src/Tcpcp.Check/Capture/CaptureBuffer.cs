namespace Tcpcp.Check.Capture;

/// <summary>A window over a stream: whole records as spans, without a copy for each, and the offset in the file for messages.</summary>
internal sealed class CaptureBuffer(Stream stream)
{
    private const int InitialCapacity = 256 << 10;

    private byte[] _buffer = new byte[InitialCapacity];
    private int _start;
    private int _end;

    /// <summary>Offset in the file of the next unread byte.</summary>
    public long Offset { get; private set; }

    /// <summary>The next <paramref name="count"/> bytes without taking them; fewer at the end of the file.</summary>
    public ReadOnlySpan<byte> Peek(int count)
    {
        if (_end - _start < count)
            Fill(count);
        return _buffer.AsSpan(_start, Math.Min(count, _end - _start));
    }

    /// <summary>Takes <paramref name="count"/> bytes that were peeked.</summary>
    public void Skip(int count)
    {
        _start += count;
        Offset += count;
    }

    private void Fill(int count)
    {
        if (_start > 0)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            _end -= _start;
            _start = 0;
        }
        while (_end < count)
        {
            // A damaged length must not allocate more than the file can fill: grow only as bytes arrive.
            if (_end == _buffer.Length)
                Array.Resize(ref _buffer, _buffer.Length * 2);
            int read = stream.Read(_buffer, _end, _buffer.Length - _end);
            if (read == 0)
                return;
            _end += read;
        }
    }
}
