using System.Buffers.Binary;
using System.Net;
using Tcpcp.Core;

namespace Tcpcp.Tests;

/// <summary>A TCP segment as it passed the peer's interface.</summary>
/// <param name="Time">Nanoseconds since 1970, UTC.</param>
/// <param name="FromService">Else the peer sent it.</param>
/// <param name="Flags">The control bits (RFC 9293, 3.1).</param>
/// <param name="Length">Bytes of payload.</param>
/// <param name="TsVal">0 without the timestamp option.</param>
internal readonly record struct SeenSegment(
    long Time, bool FromService, byte Flags, SequenceNumber Sequence, SequenceNumber Acknowledgement, ushort Window, int Length, uint TsVal, uint TsEcr)
{
    public bool IsReset => (Flags & 0x04) != 0;

    public bool IsFin => (Flags & 0x01) != 0;

    public SequenceNumber End => Sequence + Length;

    /// <summary>Reads an Ethernet frame; null if it is not a segment of the connection.</summary>
    public static SeenSegment? Parse(long time, ReadOnlySpan<byte> frame, FourTuple connection)
    {
        int headers = connection.IsIPv6 ? 54 : 34;
        int addressBytes = connection.IsIPv6 ? 16 : 4;
        if (frame.Length < headers + 20 || BinaryPrimitives.ReadUInt16BigEndian(frame[12..]) != (connection.IsIPv6 ? 0x86DD : 0x0800))
            return null;
        ReadOnlySpan<byte> ip = frame[14..];
        if (ip[connection.IsIPv6 ? 6 : 9] != 6)
            return null;
        ReadOnlySpan<byte> tcp = frame[headers..];
        IPEndPoint source = EndPointAt(ip[(connection.IsIPv6 ? 8 : 12)..], addressBytes, tcp);
        IPEndPoint target = EndPointAt(ip[(connection.IsIPv6 ? 24 : 16)..], addressBytes, tcp[2..]);
        bool fromService = source.Equals(connection.Local) && target.Equals(connection.Peer);
        if (!fromService && !(source.Equals(connection.Peer) && target.Equals(connection.Local)))
            return null;
        int header = (tcp[12] >> 4) * 4;
        int total = connection.IsIPv6 ? BinaryPrimitives.ReadUInt16BigEndian(ip[4..]) : BinaryPrimitives.ReadUInt16BigEndian(ip[2..]) - 20;
        (uint tsVal, uint tsEcr) = Timestamps(tcp[20..header]);
        return new SeenSegment(time, fromService, tcp[13], new SequenceNumber(BinaryPrimitives.ReadUInt32BigEndian(tcp[4..])),
            new SequenceNumber(BinaryPrimitives.ReadUInt32BigEndian(tcp[8..])), BinaryPrimitives.ReadUInt16BigEndian(tcp[14..]), total - header, tsVal,
            tsEcr);
    }

    private static IPEndPoint EndPointAt(ReadOnlySpan<byte> address, int addressBytes, ReadOnlySpan<byte> port) =>
        new(new IPAddress(address[..addressBytes]), BinaryPrimitives.ReadUInt16BigEndian(port));

    private static (uint TsVal, uint TsEcr) Timestamps(ReadOnlySpan<byte> options)
    {
        while (!options.IsEmpty && options[0] != 0)
        {
            if (options[0] == 8)
                return (BinaryPrimitives.ReadUInt32BigEndian(options[2..]), BinaryPrimitives.ReadUInt32BigEndian(options[6..]));
            options = options[(options[0] == 1 ? 1 : options[1])..];
        }

        return (0, 0);
    }
}
