using System.Buffers.Binary;
using System.Net;
using Tcpcp.Lab;
using Tcpcp.Linux.Packets;

namespace Tcpcp.Agent.Tests.Conversations;

/// <summary>The TCP packets from one IPv4 address to another on one interface, from now on.</summary>
internal sealed class FrameLog : IDisposable
{
    private const int EthernetBytes = 14;
    private const int ChecksumOffset = 16; // of the TCP header
    private const byte Tcp = 6;

    private readonly PacketSocket _socket;
    private readonly IPAddress _from;
    private readonly IPAddress _to;

    private FrameLog(PacketSocket socket, IPAddress from, IPAddress to) => (_socket, _from, _to) = (socket, from, to);

    public static FrameLog Start(Host host, string interfaceName, IPAddress from, IPAddress to) =>
        new(host.Run(() => PacketSocket.Open(interfaceName)), from, to);

    /// <summary>All packets until now, in their order.</summary>
    public IReadOnlyList<LoggedPacket> Take()
    {
        List<LoggedPacket> packets = [];
        while (_socket.TryReceive(out PacketInfo info, out ReadOnlySpan<byte> frame))
        {
            if (Read(frame) is { } content)
                packets.Add(new LoggedPacket(info.Timestamp, info.IsOutgoing, content));
        }

        _socket.UpdateStatistics();
        Assert.Equal(0UL, _socket.Drops);
        return packets;
    }

    public void Dispose() => _socket.Dispose();

    // Without the checksum, which a host may leave to the hardware.
    private string? Read(ReadOnlySpan<byte> frame)
    {
        if (frame.Length < EthernetBytes + 40 || BinaryPrimitives.ReadUInt16BigEndian(frame[12..]) != 0x0800)
            return null;
        byte[] packet = frame[EthernetBytes..].ToArray();
        if (packet[9] != Tcp || !new IPAddress(packet.AsSpan(12, 4)).Equals(_from) || !new IPAddress(packet.AsSpan(16, 4)).Equals(_to))
            return null;
        packet.AsSpan(((packet[0] & 0xf) * 4) + ChecksumOffset, 2).Clear();
        return Convert.ToHexString(packet.AsSpan(0, BinaryPrimitives.ReadUInt16BigEndian(packet.AsSpan(2)))); // without padding
    }
}

/// <param name="Timestamp">When the kernel handled it, nanoseconds since 1970.</param>
/// <param name="Content">The IP packet, in hexadecimal.</param>
internal readonly record struct LoggedPacket(long Timestamp, bool IsOutgoing, string Content);
