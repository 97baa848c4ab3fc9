using System.Buffers.Binary;
using Tcpcp.Core;
using Tcpcp.Linux.Tcp;

namespace Tcpcp.Linux.Packets;

/// <summary>
/// A segment as the peer would send it, for this host's own stack (<see cref="PeerSegmentSocket"/>). It is how a restored socket gets what no socket option
/// can set: the peer's FIN, and the acknowledgement of its own.
/// </summary>
/// <param name="Sequence">SEG.SEQ.</param>
/// <param name="Acknowledgement">SEG.ACK.</param>
/// <param name="Window">SEG.WND as it is in the header: shifted already.</param>
/// <param name="Fin">With a FIN.</param>
/// <param name="DataBytes">0 or 1 byte of data, a zero.</param>
internal readonly record struct PeerSegment(SequenceNumber Sequence, SequenceNumber Acknowledgement, ushort Window, bool Fin = false, int DataBytes = 0)
{
    public const int MaxPacketBytes = IPv6HeaderBytes + HeaderBytes + 1;

    private const int IPv4HeaderBytes = 20;
    private const int IPv6HeaderBytes = 40;
    private const int HeaderBytes = 20;
    private const byte FinFlag = 0x01;
    private const byte AckFlag = 0x10;
    private const byte Ttl = 64;

    /// <summary>The whole packet, for a connection as this host names it.</summary>
    /// <returns>The bytes used of <paramref name="packet"/>, at most <see cref="MaxPacketBytes"/>.</returns>
    public ReadOnlySpan<byte> Write(Span<byte> packet, FourTuple connection)
    {
        int ipBytes = connection.IsIPv6 ? IPv6HeaderBytes : IPv4HeaderBytes;
        packet = packet[..(ipBytes + HeaderBytes + DataBytes)];
        packet.Clear();
        WriteIp(packet, connection);
        WriteTcp(packet[ipBytes..], connection);
        return packet;
    }

    private static void WriteIp(Span<byte> packet, FourTuple connection)
    {
        if (connection.IsIPv6)
        {
            packet[0] = 6 << 4;
            BinaryPrimitives.WriteUInt16BigEndian(packet[4..], (ushort)(packet.Length - IPv6HeaderBytes));
            (packet[6], packet[7]) = (SocketLevel.IPPROTO_TCP, Ttl);
            connection.Peer.Address.TryWriteBytes(packet[8..], out _);
            connection.Local.Address.TryWriteBytes(packet[24..], out _);
            return;
        }

        // The kernel fills in the header's checksum, length and identification.
        packet[0] = (4 << 4) | 5;
        (packet[8], packet[9]) = (Ttl, SocketLevel.IPPROTO_TCP);
        connection.Peer.Address.TryWriteBytes(packet[12..], out _);
        connection.Local.Address.TryWriteBytes(packet[16..], out _);
    }

    private void WriteTcp(Span<byte> segment, FourTuple connection)
    {
        BinaryPrimitives.WriteUInt16BigEndian(segment, (ushort)connection.Peer.Port);
        BinaryPrimitives.WriteUInt16BigEndian(segment[2..], (ushort)connection.Local.Port);
        BinaryPrimitives.WriteUInt32BigEndian(segment[4..], Sequence.Value);
        BinaryPrimitives.WriteUInt32BigEndian(segment[8..], Acknowledgement.Value);
        segment[12] = (HeaderBytes / 4) << 4;
        segment[13] = (byte)(AckFlag | (Fin ? FinFlag : 0));
        BinaryPrimitives.WriteUInt16BigEndian(segment[14..], Window);
        BinaryPrimitives.WriteUInt16BigEndian(segment[16..], Checksum(segment, connection));
    }

    // RFC 9293, 3.1: over the pseudo-header and the segment.
    private static ushort Checksum(ReadOnlySpan<byte> segment, FourTuple connection)
    {
        Span<byte> addresses = stackalloc byte[32];
        connection.Peer.Address.TryWriteBytes(addresses, out int length);
        connection.Local.Address.TryWriteBytes(addresses[length..], out _);
        uint sum = (uint)(SocketLevel.IPPROTO_TCP + segment.Length) + Sum(addresses[..(2 * length)]) + Sum(segment);
        while (sum > ushort.MaxValue)
            sum = (sum & ushort.MaxValue) + (sum >> 16);
        return (ushort)~sum;
    }

    private static uint Sum(ReadOnlySpan<byte> bytes)
    {
        uint sum = 0;
        int i = 0;
        for (; i + 1 < bytes.Length; i += 2)
            sum += BinaryPrimitives.ReadUInt16BigEndian(bytes[i..]);
        return i < bytes.Length ? sum + ((uint)bytes[i] << 8) : sum;
    }
}
