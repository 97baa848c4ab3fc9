using System.Buffers.Binary;
using Tcpcp.AspNetCore.Transport;

namespace Tcpcp.AspNetCore.WebSockets;

/// <summary>
/// The bytes of a WebSocket (RFC 6455, 5.2) from a client. A read never goes beyond the frame that it begins in, so that between two messages nothing is in the <c>WebSocket</c>, and
/// the connection knows where that is.
/// </summary>
/// <param name="inner">The server's upgraded stream.</param>
/// <param name="input">That of the connection, which stands between two messages.</param>
internal sealed class MessageStream(Stream inner, ConnectionInput input) : Stream
{
    private const int MaskBytes = 4;
    private const int FirstBytes = 2;

    private readonly byte[] _header = new byte[FirstBytes + sizeof(ulong) + MaskBytes];
    private int _headerLength = FirstBytes; // as far as it is known
    private int _headerRead;
    private ulong _payloadLeft;
    private bool _isInMessage; // a fragment has come, and not the last one

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        ulong allowed = _headerRead < _headerLength ? (ulong)(_headerLength - _headerRead) : _payloadLeft;
        if ((ulong)buffer.Length > allowed)
            buffer = buffer[..(int)allowed];
        int read = await inner.ReadAsync(buffer, cancellationToken);
        Follow(buffer.Span[..read]);
        return read;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) => inner.WriteAsync(buffer, cancellationToken);

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => inner.WriteAsync(buffer, offset, count, cancellationToken);

    public override Task FlushAsync(CancellationToken cancellationToken) => inner.FlushAsync(cancellationToken);

    public override void Flush() => throw new NotSupportedException();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            inner.Dispose();
        base.Dispose(disposing);
    }

    private void Follow(ReadOnlySpan<byte> read)
    {
        if (read.IsEmpty)
            return;
        if (_headerRead == _headerLength)
            _payloadLeft -= (ulong)read.Length;
        else
        {
            read.CopyTo(_header.AsSpan(_headerRead));
            _headerRead += read.Length;
            FollowHeader();
        }

        if (_headerRead == _headerLength && _payloadLeft == 0)
            EndFrame();
    }

    private void FollowHeader()
    {
        if (_headerRead < FirstBytes)
            return;
        byte second = _header[1];
        int length = second & 0x7F;
        int lengthBytes = length switch { 126 => sizeof(ushort), 127 => sizeof(ulong), _ => 0 };
        _headerLength = FirstBytes + lengthBytes + ((second & 0x80) != 0 ? MaskBytes : 0);
        if (_headerRead < _headerLength)
            return;
        _payloadLeft = lengthBytes switch
        {
            sizeof(ushort) => BinaryPrimitives.ReadUInt16BigEndian(_header.AsSpan(FirstBytes)),
            sizeof(ulong) => BinaryPrimitives.ReadUInt64BigEndian(_header.AsSpan(FirstBytes)),
            _ => (ulong)length,
        };
    }

    private void EndFrame()
    {
        byte first = _header[0];
        bool isFinal = (first & 0x80) != 0, isControl = (first & 0x08) != 0;
        (_headerRead, _headerLength) = (0, FirstBytes);
        if (!isControl)
            _isInMessage = !isFinal;
        if (!_isInMessage)
            input.EndMessage();
    }
}
