namespace Tcpcp.Check.Capture;

/// <summary>The classic format: a 24-byte header, then records of 16 bytes and the packet (draft-ietf-opsawg-pcap).</summary>
internal sealed class PcapReader : CaptureReader
{
    private const int FileHeaderLength = 24;
    private const int RecordHeaderLength = 16;

    private readonly ByteOrder _order;
    private readonly long _nanosecondsPerFraction;
    private readonly LinkType _linkType;

    public PcapReader(CaptureBuffer input, bool isBigEndian, bool isNanoseconds)
        : base(input)
    {
        _order = new ByteOrder(isBigEndian);
        _nanosecondsPerFraction = isNanoseconds ? 1 : 1000;
        ReadOnlySpan<byte> header = input.Peek(FileHeaderLength);
        if (header.Length < FileHeaderLength)
            throw CutOff("the pcap header");
        ushort major = _order.UInt16(header[4..]);
        if (major != 2)
            throw new CaptureFormatException(4, $"pcap version {major}, and only version 2 is known",
                "Convert it: editcap -F pcap OLD NEW.");
        // The upper bits say whether frames end with a checksum; the IP length leaves it out anyway.
        _linkType = (LinkType)(_order.UInt32(header[20..]) & 0xFFFF);
        if (!Enum.IsDefined(_linkType))
            throw new CaptureFormatException(20, $"link type {(ushort)_linkType} is not understood",
                "Capture on an Ethernet, veth, loopback, tun or 'any' interface.");
        input.Skip(FileHeaderLength);
    }

    public override bool TryRead(out CapturedPacket packet)
    {
        packet = default;
        ReadOnlySpan<byte> header = Input.Peek(RecordHeaderLength);
        if (header.IsEmpty)
            return false;
        if (header.Length < RecordHeaderLength)
            throw CutOff("a packet's record header");
        uint captured = _order.UInt32(header[8..]);
        if (captured > MaxRecordLength)
            throw new CaptureFormatException(Input.Offset, $"a packet of {captured} bytes",
                "The file is damaged from here on; capture again.");
        int length = RecordHeaderLength + (int)captured;
        ReadOnlySpan<byte> record = Input.Peek(length);
        if (record.Length < length)
            throw CutOff("a packet");
        long time = (_order.UInt32(record) * 1_000_000_000L) + (_order.UInt32(record[4..]) * _nanosecondsPerFraction);
        int original = (int)Math.Min(_order.UInt32(record[12..]), MaxRecordLength);
        packet = new CapturedPacket(record[RecordHeaderLength..], original, time, _linkType);
        Input.Skip(length);
        return true;
    }
}
