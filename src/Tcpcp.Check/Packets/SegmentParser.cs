using System.Buffers.Binary;
using Tcpcp.Check.Capture;

namespace Tcpcp.Check.Packets;

/// <summary>
/// From a captured frame to a TCP segment. Lengths come from the IP header, so that Ethernet padding is no payload; where it says 0 (BIG
/// TCP: a super-segment beyond 64 KiB, before the device cuts it) they come from the frame. Checksums are not verified: offloading leaves
/// them unfinished in captures.
/// </summary>
internal static class SegmentParser
{
    private const byte Tcp = 6;
    private const int MinTcpHeader = 20;
    private const int MaxExtensionHeaders = 16;

    public static ParseOutcome Parse(scoped in CapturedPacket packet, out Segment segment)
    {
        segment = default;
        if (!LinkLayer.TryParse(packet, out int linkLength, out segment.SourceMac) || packet.Data.Length <= linkLength)
            return ParseOutcome.NotTcp;
        ReadOnlySpan<byte> ip = packet.Data[linkLength..];
        int frameLength = packet.OriginalLength - linkLength;
        return (ip[0] >> 4) switch
        {
            4 => ParseIPv4(ip, frameLength, ref segment),
            6 => ParseIPv6(ip, frameLength, ref segment),
            _ => ParseOutcome.NotTcp,
        };
    }

    private static ParseOutcome ParseIPv4(ReadOnlySpan<byte> ip, int frameLength, ref Segment segment)
    {
        if (ip.Length < 20 || ip[9] != Tcp)
            return ParseOutcome.NotTcp;
        segment.SourceAddress = Addresses.FromIPv4(ip[12..]);
        segment.DestinationAddress = Addresses.FromIPv4(ip[16..]);
        segment.TrafficClass = ip[1];
        segment.Identification = BinaryPrimitives.ReadUInt16BigEndian(ip[4..]);
        segment.Ttl = ip[8];
        int headerLength = (ip[0] & 0x0F) * 4;
        int totalLength = BinaryPrimitives.ReadUInt16BigEndian(ip[2..]);
        if (totalLength == 0)
            totalLength = frameLength;
        if ((BinaryPrimitives.ReadUInt16BigEndian(ip[6..]) & 0x3FFF) != 0) // more fragments, or an offset
            return ParseOutcome.Fragment;
        return headerLength < 20 ? ParseOutcome.Unreadable : ParseTcp(ip, headerLength, totalLength, ref segment);
    }

    private static ParseOutcome ParseIPv6(ReadOnlySpan<byte> ip, int frameLength, ref Segment segment)
    {
        if (ip.Length < 40)
            return ParseOutcome.NotTcp;
        uint first = BinaryPrimitives.ReadUInt32BigEndian(ip);
        segment.IsIPv6 = true;
        segment.SourceAddress = BinaryPrimitives.ReadUInt128BigEndian(ip[8..]);
        segment.DestinationAddress = BinaryPrimitives.ReadUInt128BigEndian(ip[24..]);
        segment.TrafficClass = (byte)(first >> 20);
        segment.FlowLabel = first & 0xFFFFF;
        segment.Ttl = ip[7];
        int payloadLength = BinaryPrimitives.ReadUInt16BigEndian(ip[4..]);
        int totalLength = payloadLength == 0 ? frameLength : 40 + payloadLength;
        byte next = ip[6];
        int offset = 40;
        bool isFragment = false;
        for (int headers = 0; next != Tcp; headers++)
        {
            if (headers == MaxExtensionHeaders || ip.Length < offset + 8)
                return ParseOutcome.NotTcp;
            int length = ExtensionLength(next, ip[offset..]);
            if (length == 0)
                return ParseOutcome.NotTcp;
            // A fragment header with offset 0 and no more to come is an atomic fragment (RFC 6946): a whole packet.
            if (next == 44)
                isFragment |= (BinaryPrimitives.ReadUInt16BigEndian(ip[(offset + 2)..]) & 0xFFF9) != 0;
            next = ip[offset];
            offset += length;
            if (isFragment)
                return next == Tcp ? ParseOutcome.Fragment : ParseOutcome.NotTcp;
        }
        return ParseTcp(ip, offset, totalLength, ref segment);
    }

    private static int ExtensionLength(byte kind, ReadOnlySpan<byte> header) => kind switch
    {
        0 or 43 or 60 or 135 or 139 or 140 => (header[1] + 1) * 8,
        44 => 8,
        51 => (header[1] + 2) * 4, // authentication header (RFC 4302)
        _ => 0,
    };

    private static ParseOutcome ParseTcp(ReadOnlySpan<byte> ip, int offset, int totalLength, ref Segment segment)
    {
        if (ip.Length < offset + MinTcpHeader)
            return ParseOutcome.Unreadable;
        ReadOnlySpan<byte> tcp = ip[offset..];
        int headerLength = (tcp[12] >> 4) * 4;
        if (headerLength < MinTcpHeader || tcp.Length < headerLength || totalLength < offset + headerLength
            || !TcpOptions.TryParse(tcp[MinTcpHeader..headerLength], out segment.Options))
            return ParseOutcome.Unreadable;
        segment.SourcePort = BinaryPrimitives.ReadUInt16BigEndian(tcp);
        segment.DestinationPort = BinaryPrimitives.ReadUInt16BigEndian(tcp[2..]);
        segment.Sequence = BinaryPrimitives.ReadUInt32BigEndian(tcp[4..]);
        segment.Acknowledgement = BinaryPrimitives.ReadUInt32BigEndian(tcp[8..]);
        segment.Flags = (TcpFlags)(tcp[13] & 0x3F);
        segment.Window = BinaryPrimitives.ReadUInt16BigEndian(tcp[14..]);
        segment.PayloadLength = totalLength - offset - headerLength;
        segment.Payload = tcp.Slice(headerLength, Math.Min(tcp.Length - headerLength, segment.PayloadLength));
        return ParseOutcome.Segment;
    }
}
