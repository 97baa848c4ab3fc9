using System.Buffers.Binary;
using System.Net;

namespace Tcpcp.Linux.Packets;

/// <summary>
/// An unsolicited neighbour advertisement (RFC 4861, 4.4 and 7.2.6) in an Ethernet frame to all nodes: who knows the address sends to this hardware
/// address from now on (override flag); who does not know it learns nothing.
/// </summary>
internal static class NeighbourAdvertisement
{
    public const int FrameBytes = 86;

    private const int EthernetBytes = 14;
    private const int IPv6Bytes = 40;
    private const int MessageBytes = 32;
    private const byte NextHeaderIcmp = 58;
    private const byte HopLimit = 255; // another one is not believed
    private const byte TypeAdvertisement = 136;
    private const byte FlagOverride = 0x20;
    private const byte OptionTargetLinkLayerAddress = 2;

    private static ReadOnlySpan<byte> AllNodes => [0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

    private static ReadOnlySpan<byte> AllNodesHardware => [0x33, 0x33, 0, 0, 0, 1]; // RFC 2464, 7

    /// <param name="frame">Of <see cref="FrameBytes"/> bytes.</param>
    public static void Write(Span<byte> frame, ReadOnlySpan<byte> hardwareAddress, IPAddress address)
    {
        frame.Clear();
        AllNodesHardware.CopyTo(frame);
        hardwareAddress.CopyTo(frame[6..]);
        BinaryPrimitives.WriteUInt16BigEndian(frame[12..], 0x86DD);

        Span<byte> header = frame[EthernetBytes..];
        header[0] = 6 << 4;
        BinaryPrimitives.WriteUInt16BigEndian(header[4..], MessageBytes);
        header[6] = NextHeaderIcmp;
        header[7] = HopLimit;
        address.TryWriteBytes(header[8..], out _);
        AllNodes.CopyTo(header[24..]);

        Span<byte> message = header[IPv6Bytes..];
        message[0] = TypeAdvertisement;
        message[4] = FlagOverride;
        address.TryWriteBytes(message[8..], out _);
        message[24] = OptionTargetLinkLayerAddress;
        message[25] = 1; // in units of eight bytes
        hardwareAddress.CopyTo(message[26..]);
        BinaryPrimitives.WriteUInt16BigEndian(message[2..], Checksum(header));
    }

    // RFC 4443, 2.3: over the addresses, the length, the next header and the message.
    private static ushort Checksum(ReadOnlySpan<byte> packet)
    {
        uint sum = MessageBytes + NextHeaderIcmp;
        for (ReadOnlySpan<byte> rest = packet[8..]; rest.Length > 1; rest = rest[2..])
            sum += BinaryPrimitives.ReadUInt16BigEndian(rest);
        while (sum > ushort.MaxValue)
            sum = (sum & ushort.MaxValue) + (sum >> 16);
        return (ushort)~sum;
    }
}
