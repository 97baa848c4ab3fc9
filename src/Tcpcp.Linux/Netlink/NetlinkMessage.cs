using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;

namespace Tcpcp.Linux.Netlink;

/// <summary>
/// One or several netlink messages in one buffer, sent to the kernel by one system call. Numbers are in host order unless the
/// method says otherwise; every attribute is padded to four bytes. The buffer grows as needed and can be used again after
/// <see cref="Clear"/>.
/// <code>
/// message.Begin(RTM_NEWLINK, flags, header).String(IFLA_IFNAME, "br0").BeginNested(IFLA_LINKINFO).String(IFLA_INFO_KIND, "bridge")
///     .EndNested().End();
/// </code>
/// </summary>
/// <remarks>Sequence numbers are unique in this process, so a late answer to an abandoned message is never taken for another's.</remarks>
[KernelHeader("linux/netlink.h")]
internal sealed class NetlinkMessage(int capacity = 512)
{
    /// <summary>Size of <c>struct nlmsghdr</c>: length, type, flags, sequence number, port.</summary>
    internal const int HeaderBytes = 16;

    private const ushort NLA_F_NESTED = 0x8000; // linux/netlink.h
    private const int AttributeHeaderBytes = 4;

    private static uint s_sequence;

    private readonly Stack<int> _nests = new(4);
    private byte[] _buffer = new byte[capacity];
    private int _length;
    private int _start = -1;

    /// <summary>The finished messages.</summary>
    public ReadOnlySpan<byte> Bytes =>
        _start < 0 ? _buffer.AsSpan(0, _length) : throw new InvalidOperationException("The last message has no End.");

    /// <summary>Forgets all messages; keeps the buffer.</summary>
    public void Clear()
    {
        _length = 0;
        _start = -1;
        _nests.Clear();
    }

    /// <summary>Instead of what is in it: finished messages, as <see cref="Bytes"/> once gave them, with new sequence numbers.</summary>
    /// <returns>The messages, to be changed as long as their lengths stay.</returns>
    public Span<byte> Repeat(ReadOnlySpan<byte> messages)
    {
        Clear();
        if (messages.Length > _buffer.Length)
            _buffer = new byte[messages.Length];
        messages.CopyTo(_buffer);
        _length = messages.Length;
        Span<byte> copy = _buffer.AsSpan(0, _length);
        for (int at = 0; at < copy.Length; at += MemoryMarshal.Read<int>(copy[at..]))
            MemoryMarshal.Write(copy[(at + 8)..], Interlocked.Increment(ref s_sequence));
        return copy;
    }

    /// <summary>Starts a message; <see cref="NetlinkFlags.Request"/> is added.</summary>
    /// <param name="type">Message type; for nfnetlink the subsystem in the upper byte.</param>
    /// <param name="flags">NLM_F_* flags.</param>
    /// <param name="familyHeader">The protocol's own header: <c>ifinfomsg</c>, <c>nfgenmsg</c> and so on; padded to four bytes.</param>
    public NetlinkMessage Begin(ushort type, NetlinkFlags flags, ReadOnlySpan<byte> familyHeader)
    {
        if (_start >= 0)
            throw new InvalidOperationException("The message before has no End.");
        _start = _length;
        Span<byte> header = Reserve(HeaderBytes);
        MemoryMarshal.Write(header[4..], type);
        MemoryMarshal.Write(header[6..], (ushort)(flags | NetlinkFlags.Request));
        MemoryMarshal.Write(header[8..], Interlocked.Increment(ref s_sequence));
        return Raw(familyHeader);
    }

    /// <inheritdoc cref="Begin(ushort, NetlinkFlags, ReadOnlySpan{byte})"/>
    public NetlinkMessage Begin<T>(ushort type, NetlinkFlags flags, T familyHeader)
        where T : unmanaged => Begin(type, flags, MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in familyHeader)));

    /// <summary>Ends the message: writes its length.</summary>
    public NetlinkMessage End()
    {
        if (_start < 0 || _nests.Count > 0)
            throw new InvalidOperationException(_start < 0 ? "End without Begin." : "A nested attribute has no EndNested.");
        MemoryMarshal.Write(_buffer.AsSpan(_start), _length - _start);
        _start = -1;
        return this;
    }

    /// <summary>Starts an attribute that contains attributes (NLA_F_NESTED is set).</summary>
    public NetlinkMessage BeginNested(ushort type)
    {
        _nests.Push(_length);
        MemoryMarshal.Write(Reserve(AttributeHeaderBytes)[2..], (ushort)(type | NLA_F_NESTED));
        return this;
    }

    /// <summary>Ends the innermost nested attribute.</summary>
    public NetlinkMessage EndNested()
    {
        int start = _nests.Pop();
        WriteAttributeLength(start, _length - start);
        return this;
    }

    public NetlinkMessage U8(ushort type, byte value) => Attribute(type, [value]);

    public NetlinkMessage U16(ushort type, ushort value) => Value(type, value);

    public NetlinkMessage U16BigEndian(ushort type, ushort value) => Value(type, BinaryPrimitives.ReverseEndianness(value));

    public NetlinkMessage U32(ushort type, uint value) => Value(type, value);

    public NetlinkMessage U32BigEndian(ushort type, uint value) => Value(type, BinaryPrimitives.ReverseEndianness(value));

    public NetlinkMessage U64BigEndian(ushort type, ulong value) => Value(type, BinaryPrimitives.ReverseEndianness(value));

    /// <summary>A text with its terminating zero.</summary>
    public NetlinkMessage String(ushort type, string value)
    {
        int start = _length;
        int bytes = AttributeHeaderBytes + Encoding.UTF8.GetByteCount(value) + 1;
        Span<byte> attribute = Reserve(bytes);
        MemoryMarshal.Write(attribute[2..], type);
        Encoding.UTF8.GetBytes(value, attribute[AttributeHeaderBytes..]);
        WriteAttributeLength(start, bytes);
        return this;
    }

    public NetlinkMessage Attribute(ushort type, ReadOnlySpan<byte> value)
    {
        int start = _length;
        Span<byte> attribute = Reserve(AttributeHeaderBytes + value.Length);
        MemoryMarshal.Write(attribute[2..], type);
        value.CopyTo(attribute[AttributeHeaderBytes..]);
        WriteAttributeLength(start, AttributeHeaderBytes + value.Length);
        return this;
    }

    /// <summary>Bytes without an attribute header, padded to four: the few attributes that begin with a structure, such as VETH_INFO_PEER.</summary>
    public NetlinkMessage Raw(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(Reserve(bytes.Length));
        return this;
    }

    private NetlinkMessage Value<T>(ushort type, T value)
        where T : unmanaged => Attribute(type, MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)));

    private void WriteAttributeLength(int start, int bytes) =>
        MemoryMarshal.Write(_buffer.AsSpan(start), checked((ushort)bytes)); // nla_len has 16 bits

    // The bytes are zero and the end is padded to four, as the kernel wants it.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private Span<byte> Reserve(int bytes)
    {
        int start = _length;
        int end = start + ((bytes + 3) & ~3);
        if (end > _buffer.Length)
            Array.Resize(ref _buffer, Math.Max(end, _buffer.Length * 2));
        Span<byte> reserved = _buffer.AsSpan(start, end - start);
        reserved.Clear();
        _length = end;
        return reserved[..bytes];
    }
}
