using System.Buffers.Binary;
using Tcpcp.Check.Capture;

namespace Tcpcp.Check.Packets;

/// <summary>Finds the IP packet behind the link-layer header.</summary>
internal static class LinkLayer
{
    private const int MaxVlanTags = 4;

    /// <summary>The length of the link-layer header and the sender's MAC address (0 for none); false if what follows is not IP.</summary>
    public static bool TryParse(scoped in CapturedPacket packet, out int headerLength, out ulong sourceMac)
    {
        ReadOnlySpan<byte> data = packet.Data;
        sourceMac = 0;
        headerLength = 0;
        switch (packet.LinkType)
        {
            case LinkType.Ethernet when data.Length >= 14:
                sourceMac = Mac(data[6..]);
                headerLength = 14;
                return SkipTags(data, BinaryPrimitives.ReadUInt16BigEndian(data[12..]), ref headerLength);
            case LinkType.LinuxSll when data.Length >= 16:
                sourceMac = BinaryPrimitives.ReadUInt16BigEndian(data[4..]) == 6 ? Mac(data[6..]) : 0;
                headerLength = 16;
                return SkipTags(data, BinaryPrimitives.ReadUInt16BigEndian(data[14..]), ref headerLength);
            case LinkType.LinuxSll2 when data.Length >= 20:
                sourceMac = data[11] == 6 ? Mac(data[12..]) : 0;
                headerLength = 20;
                return SkipTags(data, BinaryPrimitives.ReadUInt16BigEndian(data), ref headerLength);
            case LinkType.Null or LinkType.Loop when data.Length >= 4:
                headerLength = 4; // the family's number differs from system to system: the IP version tells
                return true;
            case LinkType.Raw or LinkType.RawBsd or LinkType.RawOpenBsd or LinkType.IPv4 or LinkType.IPv6:
                return true;
            default:
                return false;
        }
    }

    private static bool SkipTags(ReadOnlySpan<byte> data, ushort protocol, ref int headerLength)
    {
        for (int tags = 0; protocol is 0x8100 or 0x88A8 or 0x9100; tags++)
        {
            if (tags == MaxVlanTags || data.Length < headerLength + 4)
                return false;
            protocol = BinaryPrimitives.ReadUInt16BigEndian(data[(headerLength + 2)..]);
            headerLength += 4;
        }
        return protocol is 0x0800 or 0x86DD;
    }

    private static ulong Mac(ReadOnlySpan<byte> bytes) =>
        ((ulong)BinaryPrimitives.ReadUInt16BigEndian(bytes) << 32) | BinaryPrimitives.ReadUInt32BigEndian(bytes[2..]);
}
