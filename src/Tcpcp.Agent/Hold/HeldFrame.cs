using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Net;
using Tcpcp.Core;
using Tcpcp.Linux.Devices;

namespace Tcpcp.Agent.Hold;

/// <summary>What the hold must know of a held TCP packet: whose it is and what it acknowledges. The frame stands behind struct virtio_net_hdr.</summary>
internal readonly record struct HeldFrame(FourTuple Connection, SequenceNumber? Acknowledgement)
{
    private const int EtherTypeOffset = TapDevice.NetworkOffset - 2;
    private const byte Tcp = 6;
    private const byte AckFlag = 0x10;

    /// <returns>False if it is not a whole TCP header over IPv4 or IPv6.</returns>
    public static bool TryParse(ReadOnlySpan<byte> frame, [NotNullWhen(true)] out HeldFrame? held)
    {
        held = null;
        if (frame.Length < TapDevice.NetworkOffset + 40)
            return false;
        ReadOnlySpan<byte> packet = frame[TapDevice.NetworkOffset..];
        (int addresses, int length, int transport) = BinaryPrimitives.ReadUInt16BigEndian(frame[EtherTypeOffset..]) switch
        {
            0x0800 when packet[9] == Tcp => (12, 4, (packet[0] & 0xf) * 4),
            0x86DD when packet[6] == Tcp => (8, 16, 40),
            _ => (0, 0, 0),
        };
        if (length == 0 || packet.Length < transport + 20)
            return false;
        ReadOnlySpan<byte> header = packet[transport..];
        IPEndPoint peer = new(new IPAddress(packet.Slice(addresses, length)), BinaryPrimitives.ReadUInt16BigEndian(header));
        IPEndPoint local = new(new IPAddress(packet.Slice(addresses + length, length)), BinaryPrimitives.ReadUInt16BigEndian(header[2..]));
        SequenceNumber? acknowledgement = (header[13] & AckFlag) != 0
            ? new SequenceNumber(BinaryPrimitives.ReadUInt32BigEndian(header[8..]))
            : null;
        held = new HeldFrame(new FourTuple(local, peer), acknowledgement);
        return true;
    }
}
