using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Tcpcp.Lab;
using Tcpcp.Linux.Packets;

namespace Tcpcp.Tests.HostileSnapshots;

/// <summary>Counts the IP packets on a host's interface, whoever's they are. Markers (UDP, port 9) tell that all before them were seen.</summary>
internal sealed class SilentInterface(Host host) : IDisposable
{
    private const int MarkerPort = 9;

    private readonly PacketSocket _socket = host.Run(() => PacketSocket.Open(Host.InterfaceName));
    private int _markers;

    public int TcpPackets { get; private set; }

    /// <summary>Returns when everything that the host has sent until now is counted.</summary>
    public async Task SettleAsync(IPAddress other)
    {
        using (Socket marker = host.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp)))
            marker.SendTo([0], new IPEndPoint(other, MarkerPort));
        int before = _markers;
        await Until.True(() =>
        {
            Count();
            return _markers > before;
        });
    }

    public void Dispose() => _socket.Dispose();

    private void Count()
    {
        while (_socket.TryReceive(out _, out ReadOnlySpan<byte> frame))
        {
            bool isIPv4 = frame.Length >= 42 && BinaryPrimitives.ReadUInt16BigEndian(frame[12..]) == 0x0800;
            bool isIPv6 = frame.Length >= 62 && BinaryPrimitives.ReadUInt16BigEndian(frame[12..]) == 0x86dd;
            if (isIPv4 && frame[23] == 17 && BinaryPrimitives.ReadUInt16BigEndian(frame[36..]) == MarkerPort)
                _markers++;
            if ((isIPv4 && frame[23] == 6) || (isIPv6 && frame[20] == 6))
                TcpPackets++;
        }
    }
}
