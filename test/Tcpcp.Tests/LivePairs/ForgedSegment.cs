using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Tcpcp.Core;

namespace Tcpcp.Tests;

/// <summary>A segment that the peer's kernel did not send: sent from the peer's host by a raw socket. IPv4.</summary>
internal static class ForgedSegment
{
    /// <param name="like">The peer's last segment: its numbers are taken, the acknowledgement apart.</param>
    public static void SendAcknowledgement(PassLab lab, FourTuple connection, SeenSegment like, SequenceNumber acknowledgement)
    {
        byte[] segment = Header(connection, like.End, acknowledgement, bytes: 32, flags: 0x10);
        BinaryPrimitives.WriteUInt16BigEndian(segment.AsSpan(14), like.Window);
        (segment[20], segment[21], segment[22], segment[23]) = (1, 1, 8, 10); // timestamp option (RFC 7323, 3.2)
        BinaryPrimitives.WriteUInt32BigEndian(segment.AsSpan(24), like.TsVal);
        BinaryPrimitives.WriteUInt32BigEndian(segment.AsSpan(28), like.TsEcr);
        Send(lab, connection, segment);
    }

    public static void SendSyn(PassLab lab, FourTuple connection) =>
        Send(lab, connection, Header(connection, new SequenceNumber(1000), default, bytes: 20, flags: 0x02));

    private static byte[] Header(FourTuple connection, SequenceNumber sequence, SequenceNumber acknowledgement, int bytes, byte flags)
    {
        byte[] segment = new byte[bytes];
        BinaryPrimitives.WriteUInt16BigEndian(segment, (ushort)connection.Peer.Port);
        BinaryPrimitives.WriteUInt16BigEndian(segment.AsSpan(2), (ushort)connection.Local.Port);
        BinaryPrimitives.WriteUInt32BigEndian(segment.AsSpan(4), sequence.Value);
        BinaryPrimitives.WriteUInt32BigEndian(segment.AsSpan(8), acknowledgement.Value);
        segment[12] = (byte)(bytes / 4 << 4);
        segment[13] = flags;
        return segment;
    }

    private static void Send(PassLab lab, FourTuple connection, byte[] segment)
    {
        BinaryPrimitives.WriteUInt16BigEndian(segment.AsSpan(16), Checksum(connection, segment));
        using Socket raw = lab.Peer.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Raw, ProtocolType.Tcp));
        raw.SendTo(segment, new IPEndPoint(connection.Local.Address, 0));
    }

    // RFC 9293, 3.1: over the pseudo-header and the segment.
    private static ushort Checksum(FourTuple connection, ReadOnlySpan<byte> segment)
    {
        Span<byte> bytes = stackalloc byte[12 + segment.Length];
        connection.Peer.Address.TryWriteBytes(bytes, out _);
        connection.Local.Address.TryWriteBytes(bytes[4..], out _);
        bytes[9] = 6;
        BinaryPrimitives.WriteUInt16BigEndian(bytes[10..], (ushort)segment.Length);
        segment.CopyTo(bytes[12..]);
        uint sum = 0;
        for (int i = 0; i < bytes.Length; i += 2)
            sum += BinaryPrimitives.ReadUInt16BigEndian(bytes[i..]);
        while (sum > 0xffff)
            sum = (sum & 0xffff) + (sum >> 16);
        return (ushort)~sum;
    }
}
