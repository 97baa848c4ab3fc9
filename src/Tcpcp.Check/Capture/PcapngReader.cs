using System.Buffers.Binary;

namespace Tcpcp.Check.Capture;

/// <summary>
/// pcapng (draft-ietf-opsawg-pcapng): sections of either byte order, several interfaces, enhanced, simple and obsolete packet blocks,
/// drop counts. Unknown blocks are skipped.
/// </summary>
internal sealed class PcapngReader(CaptureBuffer input) : CaptureReader(input)
{
    private const uint SectionHeader = 0x0A0D0D0A;
    private const int BlockOverhead = 12; // type, length, and the length again at the end

    private readonly List<CaptureInterface> _interfaces = [];
    private ByteOrder _order;
    private long _droppedInEarlierSections;
    private long _lastTime;

    public override long DroppedPackets
    {
        get
        {
            ulong dropped = 0;
            foreach (CaptureInterface item in _interfaces)
                dropped += Math.Max(item.DroppedInStatistics, item.DroppedBetweenPackets);
            return _droppedInEarlierSections + (long)Math.Min(dropped, long.MaxValue / 4);
        }
    }

    public override bool TryRead(out CapturedPacket packet)
    {
        packet = default;
        while (TryReadBlock(out uint type, out ReadOnlySpan<byte> body, out long offset))
        {
            switch (type)
            {
                case SectionHeader: BeginSection(body, offset); break;
                case 1: DescribeInterface(body, offset); break;
                case 2: packet = ObsoletePacket(body, offset); return true;
                case 3: packet = SimplePacket(body, offset); return true;
                case 5: Statistics(body, offset); break;
                case 6: packet = EnhancedPacket(body, offset); return true;
                default: break; // name resolution, secrets, comments, and whatever comes
            }
        }
        return false;
    }

    private bool TryReadBlock(out uint type, out ReadOnlySpan<byte> body, out long offset)
    {
        type = 0;
        body = default;
        offset = Input.Offset;
        ReadOnlySpan<byte> head = Input.Peek(12);
        if (head.IsEmpty)
            return false;
        if (head.Length < 12)
            throw CutOff("a block's header");
        type = BinaryPrimitives.ReadUInt32BigEndian(head);
        if (type == SectionHeader)
        {
            // The same number in both byte orders; what follows the length tells which one this section has.
            _order = BinaryPrimitives.ReadUInt32BigEndian(head[8..]) switch
            {
                0x1A2B3C4D => new ByteOrder(isBigEndian: true),
                0x4D3C2B1A => new ByteOrder(isBigEndian: false),
                uint magic => throw new CaptureFormatException(offset + 8, $"byte-order magic 0x{magic:X8} is not that of pcapng",
                    "The file is damaged or no capture; capture again."),
            };
        }
        else
        {
            type = _order.UInt32(head);
        }
        uint length = _order.UInt32(head[4..]);
        if (length < BlockOverhead || length % 4 != 0 || length > MaxRecordLength)
            throw new CaptureFormatException(offset + 4, $"a block of {length} bytes", "The file is damaged from here on; capture again.");
        ReadOnlySpan<byte> block = Input.Peek((int)length);
        if (block.Length < length)
            throw CutOff("a block");
        if (_order.UInt32(block[^4..]) != length)
            throw new CaptureFormatException(offset, $"the two lengths of a block differ ({length} and {_order.UInt32(block[^4..])})",
                "The file is damaged from here on; capture again.");
        body = block[8..^4];
        Input.Skip((int)length);
        return true;
    }

    private void BeginSection(ReadOnlySpan<byte> body, long offset)
    {
        Require(body, 16, offset, "section header");
        ushort major = _order.UInt16(body[4..]);
        if (major != 1)
            throw new CaptureFormatException(offset + 12, $"pcapng version {major}, and only version 1 is known",
                "Convert it: editcap -F pcap OLD NEW.");
        _droppedInEarlierSections = DroppedPackets;
        _interfaces.Clear();
    }

    private void DescribeInterface(ReadOnlySpan<byte> body, long offset)
    {
        Require(body, 8, offset, "interface description");
        byte resolution = CaptureInterface.Microseconds;
        long offsetSeconds = 0;
        PcapngOptions options = new(body[8..], _order);
        while (options.MoveNext())
        {
            if (options.Code == 9 && options.Value.Length >= 1)
                resolution = options.Value[0];
            else if (options.Code == 14 && options.Value.Length >= 8)
                offsetSeconds = unchecked((long)_order.UInt64(options.Value));
        }
        _interfaces.Add(new CaptureInterface((LinkType)_order.UInt16(body), _order.UInt32(body[4..]), resolution, offsetSeconds));
    }

    private CapturedPacket EnhancedPacket(ReadOnlySpan<byte> body, long offset)
    {
        Require(body, 20, offset, "enhanced packet");
        CaptureInterface from = Interface(_order.UInt32(body), offset);
        ulong stamp = ((ulong)_order.UInt32(body[4..]) << 32) | _order.UInt32(body[8..]);
        ReadOnlySpan<byte> data = Data(body[20..], _order.UInt32(body[12..]), offset);
        PcapngOptions options = new(body[20..][Math.Min((data.Length + 3) & ~3, body.Length - 20)..], _order);
        while (options.MoveNext())
        {
            if (options.Code == 4 && options.Value.Length >= 8)
                from.DroppedBetweenPackets = Sum(from.DroppedBetweenPackets, _order.UInt64(options.Value));
        }
        return Packet(data, _order.UInt32(body[16..]), _lastTime = from.ToNanoseconds(stamp), from);
    }

    private CapturedPacket ObsoletePacket(ReadOnlySpan<byte> body, long offset)
    {
        Require(body, 20, offset, "packet");
        CaptureInterface from = Interface(_order.UInt16(body), offset);
        ushort drops = _order.UInt16(body[2..]);
        if (drops != ushort.MaxValue) // "unknown"
            from.DroppedBetweenPackets = Sum(from.DroppedBetweenPackets, drops);
        ulong stamp = ((ulong)_order.UInt32(body[4..]) << 32) | _order.UInt32(body[8..]);
        ReadOnlySpan<byte> data = Data(body[20..], _order.UInt32(body[12..]), offset);
        return Packet(data, _order.UInt32(body[16..]), _lastTime = from.ToNanoseconds(stamp), from);
    }

    // Without a time of its own: it gets that of the packet before it.
    private CapturedPacket SimplePacket(ReadOnlySpan<byte> body, long offset)
    {
        Require(body, 4, offset, "simple packet");
        CaptureInterface from = Interface(0, offset);
        uint original = _order.UInt32(body);
        uint captured = from.SnapshotLength == 0 ? original : Math.Min(original, from.SnapshotLength);
        return Packet(Data(body[4..], captured, offset), original, _lastTime, from);
    }

    private void Statistics(ReadOnlySpan<byte> body, long offset)
    {
        Require(body, 12, offset, "interface statistics");
        CaptureInterface from = Interface(_order.UInt32(body), offset);
        ulong dropped = 0;
        PcapngOptions options = new(body[12..], _order);
        while (options.MoveNext())
        {
            if (options.Code is 5 or 7 && options.Value.Length >= 8) // isb_ifdrop, isb_osdrop
                dropped = Sum(dropped, _order.UInt64(options.Value));
        }
        from.DroppedInStatistics = dropped;
    }

    private CaptureInterface Interface(uint index, long offset) => index < _interfaces.Count
        ? _interfaces[(int)index]
        : throw new CaptureFormatException(offset, $"a block of interface {index}, which was not described before it",
            "The file is damaged; capture again, or repair it with editcap.");

    private static CapturedPacket Packet(ReadOnlySpan<byte> data, uint original, long time, CaptureInterface from) =>
        new(data, (int)Math.Min(original, MaxRecordLength), time, from.LinkType);

    private static ReadOnlySpan<byte> Data(ReadOnlySpan<byte> rest, uint captured, long offset) => captured <= rest.Length
        ? rest[..(int)captured]
        : throw new CaptureFormatException(offset, $"a packet of {captured} bytes in a block with room for {rest.Length}",
            "The file is damaged from here on; capture again.");

    private static void Require(ReadOnlySpan<byte> body, int length, long offset, string what)
    {
        if (body.Length < length)
            throw new CaptureFormatException(offset, $"{what} block of {body.Length} bytes, and it has at least {length}",
                "The file is damaged from here on; capture again.");
    }

    private static ulong Sum(ulong left, ulong right) => left > ulong.MaxValue - right ? ulong.MaxValue : left + right;
}
