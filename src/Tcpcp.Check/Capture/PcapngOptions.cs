namespace Tcpcp.Check.Capture;

/// <summary>Walks the options at the end of a pcapng block. A damaged list ends early: no option is needed to read the packets.</summary>
internal ref struct PcapngOptions(ReadOnlySpan<byte> bytes, ByteOrder order)
{
    private ReadOnlySpan<byte> _rest = bytes;

    public ushort Code { get; private set; }

    public ReadOnlySpan<byte> Value { get; private set; }

    public bool MoveNext()
    {
        if (_rest.Length < 4)
            return false;
        Code = order.UInt16(_rest);
        int length = order.UInt16(_rest[2..]);
        if (Code == 0 || _rest.Length - 4 < length)
            return false;
        Value = _rest.Slice(4, length);
        _rest = _rest[Math.Min(4 + ((length + 3) & ~3), _rest.Length)..];
        return true;
    }
}
