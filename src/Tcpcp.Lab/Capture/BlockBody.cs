using System.Runtime.InteropServices;

namespace Tcpcp.Lab.Capture;

/// <summary>Puts numbers and options of a pcapng block into a buffer that is zero.</summary>
internal readonly ref struct BlockBody(Span<byte> buffer, int length = 0)
{
    private readonly Span<byte> _buffer = buffer;
    private readonly int _length = length;

    public ReadOnlySpan<byte> Written => _buffer[.._length];

    public BlockBody Put<T>(T value)
        where T : unmanaged
    {
        ReadOnlySpan<byte> bytes = MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value));
        bytes.CopyTo(_buffer[_length..]);
        return Skip(bytes.Length);
    }

    public BlockBody Skip(int count) => new(_buffer, _length + count);

    /// <summary>An option: code, length, value, padded to four bytes.</summary>
    public BlockBody PutOption(ushort code, scoped ReadOnlySpan<byte> value)
    {
        BlockBody header = Put(code).Put((ushort)value.Length);
        value.CopyTo(_buffer[header._length..]);
        return header.Skip((value.Length + 3) & ~3);
    }

    public BlockBody PutOption<T>(ushort code, T value)
        where T : unmanaged => PutOption(code, MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)));
}
