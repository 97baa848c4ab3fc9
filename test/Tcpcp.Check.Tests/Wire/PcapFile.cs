namespace Tcpcp.Check.Tests.Wire;

/// <summary>Writes pcap and pcapng of either byte order, byte by byte.</summary>
internal static class PcapFile
{
    public static byte[] Write(IEnumerable<CapturedFrame> frames, bool isBigEndian = false, bool isNanoseconds = false, uint linkType = 1)
    {
        Bytes file = new(isBigEndian);
        file.U32(isNanoseconds ? 0xA1B23C4D : 0xA1B2C3D4).U16(2).U16(4).U32(0).U32(0).U32(262144).U32(linkType);
        foreach (CapturedFrame frame in frames)
        {
            long ticks = (frame.Time - DateTimeOffset.UnixEpoch).Ticks;
            uint fraction = (uint)(ticks % TimeSpan.TicksPerSecond);
            file.U32((uint)(ticks / TimeSpan.TicksPerSecond)).U32(isNanoseconds ? fraction * 100 : fraction / 10)
                .U32((uint)frame.Data.Length).U32((uint)frame.OriginalLength).Raw(frame.Data);
        }
        return file.ToArray();
    }
}

/// <summary>The blocks of pcapng.</summary>
internal sealed class PcapngFile(bool isBigEndian = false)
{
    private readonly Bytes _file = new(isBigEndian);

    public byte[] ToArray() => _file.ToArray();

    public PcapngFile Section() => Block(0x0A0D0D0A, new Bytes(isBigEndian).U32(0x1A2B3C4D).U16(1).U16(0).U64(ulong.MaxValue));

    public PcapngFile Interface(ushort linkType = 1, byte? resolution = null, long? offsetSeconds = null, uint snapshotLength = 0)
    {
        Bytes body = new Bytes(isBigEndian).U16(linkType).U16(0).U32(snapshotLength);
        if (resolution is byte exponent)
            body.Option(9, [exponent]);
        if (offsetSeconds is long seconds)
            body.U16(14).U16(8).U64((ulong)seconds);
        return Block(1, body.U16(0).U16(0));
    }

    public PcapngFile Enhanced(CapturedFrame frame, ulong stamp, uint from = 0, ulong? dropped = null)
    {
        Bytes body = new Bytes(isBigEndian).U32(from).U32((uint)(stamp >> 32)).U32((uint)stamp).U32((uint)frame.Data.Length)
            .U32((uint)frame.OriginalLength).Raw(frame.Data).Pad();
        if (dropped is ulong count)
            body.U16(4).U16(8).U64(count).U16(0).U16(0);
        return Block(6, body);
    }

    public PcapngFile Simple(CapturedFrame frame) =>
        Block(3, new Bytes(isBigEndian).U32((uint)frame.OriginalLength).Raw(frame.Data).Pad());

    public PcapngFile Obsolete(CapturedFrame frame, ulong stamp, ushort dropped) =>
        Block(2, new Bytes(isBigEndian).U16(0).U16(dropped).U32((uint)(stamp >> 32)).U32((uint)stamp).U32((uint)frame.Data.Length)
            .U32((uint)frame.OriginalLength).Raw(frame.Data).Pad());

    public PcapngFile Statistics(ulong droppedByInterface, ulong droppedBySystem) => Block(5, new Bytes(isBigEndian).U32(0).U64(0)
        .U16(5).U16(8).U64(droppedByInterface).U16(7).U16(8).U64(droppedBySystem).U16(0).U16(0));

    public PcapngFile Unknown() => Block(0x0BAD, new Bytes(isBigEndian).U32(1).U32(2));

    private PcapngFile Block(uint type, Bytes body)
    {
        byte[] content = body.ToArray();
        _file.U32(type).U32((uint)content.Length + 12).Raw(content).U32((uint)content.Length + 12);
        return this;
    }
}

internal sealed class Bytes(bool isBigEndian)
{
    private readonly List<byte> _bytes = [];

    public byte[] ToArray() => [.. _bytes];

    public Bytes U16(ushort value) => Number(value, 2);

    public Bytes U32(uint value) => Number(value, 4);

    public Bytes U64(ulong value) => Number(value, 8);

    public Bytes Raw(byte[] bytes)
    {
        _bytes.AddRange(bytes);
        return this;
    }

    public Bytes Option(ushort code, byte[] value) => U16(code).U16((ushort)value.Length).Raw(value).Pad();

    public Bytes Pad()
    {
        while (_bytes.Count % 4 != 0)
            _bytes.Add(0);
        return this;
    }

    private Bytes Number(ulong value, int length)
    {
        for (int i = 0; i < length; i++)
            _bytes.Add((byte)(value >> (8 * (isBigEndian ? length - 1 - i : i))));
        return this;
    }
}
