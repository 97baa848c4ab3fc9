using System.Buffers.Binary;

namespace Tcpcp.Check.Tests.Wire;

/// <summary>Ethernet frames with IPv4 or IPv6 and TCP; checksums stay 0, as offloading leaves them.</summary>
internal static class FrameBuilder
{
    public static byte[] Ethernet(Conversation conversation, ResolvedSegment segment)
    {
        byte[] ip = Ip(conversation, segment);
        byte mac = segment.Segment.Mac != 0 ? segment.Segment.Mac : segment.Segment.FromService ? (byte)1 : (byte)9;
        return EthernetFrame(ip, mac);
    }

    public static byte[] EthernetFrame(byte[] ip, byte sourceMac = 1) =>
        [2, 0, 0, 0, 0, 0xff, 2, 0, 0, 0, 0, sourceMac, .. ip[0] >> 4 == 4 ? new byte[] { 8, 0 } : [0x86, 0xdd], .. ip];

    public static byte[] Ip(Conversation conversation, ResolvedSegment resolved)
    {
        TestSegment segment = resolved.Segment;
        byte[] tcp = Tcp(conversation, resolved);
        byte[] source = (segment.FromService ? conversation.Service : conversation.Peer).GetAddressBytes();
        byte[] destination = (segment.FromService ? conversation.Peer : conversation.Service).GetAddressBytes();
        return source.Length == 4
            ? [.. IPv4Header(segment, tcp.Length, resolved.Identification), .. source, .. destination, .. tcp]
            : [.. IPv6Header(segment, tcp.Length, 6), .. source, .. destination, .. tcp];
    }

    public static byte[] IPv6Header(TestSegment segment, int payloadLength, byte next)
    {
        byte[] header = new byte[8];
        BinaryPrimitives.WriteUInt32BigEndian(header, (6u << 28) | ((uint)segment.Tos << 20) | segment.FlowLabel);
        BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(4), (ushort)(segment.HasNoLength ? 0 : payloadLength));
        header[6] = next;
        header[7] = segment.Ttl;
        return header;
    }

    public static byte[] Tcp(Conversation conversation, ResolvedSegment resolved)
    {
        TestSegment segment = resolved.Segment;
        byte[] options = Options(resolved);
        byte[] tcp = new byte[20 + options.Length + segment.Data.Length];
        BinaryPrimitives.WriteUInt16BigEndian(tcp, segment.FromService ? conversation.ServicePort : conversation.PeerPort);
        BinaryPrimitives.WriteUInt16BigEndian(tcp.AsSpan(2), segment.FromService ? conversation.PeerPort : conversation.ServicePort);
        BinaryPrimitives.WriteUInt32BigEndian(tcp.AsSpan(4), resolved.Sequence);
        BinaryPrimitives.WriteUInt32BigEndian(tcp.AsSpan(8), resolved.Acknowledgement);
        tcp[12] = (byte)((20 + options.Length) / 4 << 4);
        foreach (char flag in segment.Flags)
            tcp[13] |= flag switch { 'F' => 1, 'S' => 2, 'R' => 4, 'P' => 8, 'A' => 16, _ => 0 };
        BinaryPrimitives.WriteUInt16BigEndian(tcp.AsSpan(14), segment.Window);
        options.CopyTo(tcp, 20);
        segment.Data.CopyTo(tcp, 20 + options.Length);
        return tcp;
    }

    private static byte[] IPv4Header(TestSegment segment, int payloadLength, ushort identification)
    {
        byte[] header = new byte[12];
        header[0] = 0x45;
        header[1] = segment.Tos;
        BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(2), (ushort)(segment.HasNoLength ? 0 : 20 + payloadLength));
        BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(4), identification);
        header[6] = 0x40;
        header[8] = segment.Ttl;
        header[9] = 6;
        return header;
    }

    private static byte[] Options(ResolvedSegment resolved)
    {
        TestSegment segment = resolved.Segment;
        List<byte> options = [];
        if (segment.Mss > 0)
            options.AddRange([2, 4, (byte)(segment.Mss >> 8), (byte)segment.Mss]);
        if (segment.WindowScale >= 0)
            options.AddRange([3, 3, (byte)segment.WindowScale]);
        if (segment.SackPermitted)
            options.AddRange([4, 2]);
        if (segment.HasTimestamps)
            options.AddRange([8, 10, .. BigEndian(resolved.TsVal), .. BigEndian(resolved.TsEcr)]);
        if (resolved.Sack.Length > 0)
        {
            options.AddRange([5, (byte)(2 + (resolved.Sack.Length * 8))]);
            foreach ((uint left, uint right) in resolved.Sack)
                options.AddRange([.. BigEndian(left), .. BigEndian(right)]);
        }
        while (options.Count % 4 != 0)
            options.Add(1);
        return [.. options];
    }

    private static byte[] BigEndian(uint value)
    {
        byte[] bytes = new byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, value);
        return bytes;
    }
}
