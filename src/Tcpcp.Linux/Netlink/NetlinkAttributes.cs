using System.Runtime.InteropServices;
using System.Text;

namespace Tcpcp.Linux.Netlink;

/// <summary>Walks the attributes of a netlink answer: <c>foreach (NetlinkAttribute attribute in new NetlinkAttributes(payload))</c>.
/// A broken length ends the walk.</summary>
internal ref struct NetlinkAttributes(ReadOnlySpan<byte> attributes)
{
    private ReadOnlySpan<byte> _rest = attributes;

    public NetlinkAttribute Current { get; private set; }

    public readonly NetlinkAttributes GetEnumerator() => this;

    public bool MoveNext()
    {
        if (_rest.Length < 4)
            return false;
        int length = MemoryMarshal.Read<ushort>(_rest);
        if (length < 4 || length > _rest.Length)
            return false;
        Current = new NetlinkAttribute((ushort)(MemoryMarshal.Read<ushort>(_rest[2..]) & 0x3fff), _rest[4..length]);
        _rest = _rest[Math.Min((length + 3) & ~3, _rest.Length)..];
        return true;
    }
}

/// <summary>One attribute; the flags are taken off its type.</summary>
internal readonly ref struct NetlinkAttribute(ushort type, ReadOnlySpan<byte> value)
{
    public ushort Type { get; } = type;

    public ReadOnlySpan<byte> Value { get; } = value;

    public uint AsU32 => MemoryMarshal.Read<uint>(Value);

    /// <summary>The text without its terminating zero.</summary>
    public string AsString => Encoding.UTF8.GetString(Value.TrimEnd((byte)0));

    /// <summary>The attributes in this one.</summary>
    public NetlinkAttributes Nested => new(Value);
}
