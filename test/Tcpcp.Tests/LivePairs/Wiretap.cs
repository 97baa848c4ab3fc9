using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Tcpcp.Core;
using Tcpcp.Lab;
using Tcpcp.Linux.Packets;

namespace Tcpcp.Tests;

/// <summary>Lists the segments of one connection that pass the peer's interface, as they come: for conditions to wait on.</summary>
internal sealed class Wiretap : IDisposable
{
    private const int MarkerPort = 9;

    private readonly Host _peer;
    private readonly FourTuple _connection;
    private readonly PacketSocket _socket;
    private readonly List<SeenSegment> _segments = [];
    private int _markers;

    public Wiretap(Host peer, FourTuple connection)
    {
        _peer = peer;
        _connection = connection;
        _socket = peer.Run(() => PacketSocket.Open(Host.InterfaceName));
    }

    /// <summary>All until now, in the order in which they came.</summary>
    public IReadOnlyList<SeenSegment> Segments
    {
        get
        {
            while (_socket.TryReceive(out PacketInfo info, out ReadOnlySpan<byte> frame))
            {
                if (SeenSegment.Parse(info.Timestamp, frame, _connection) is { } segment)
                    _segments.Add(segment);
                else if (IsMarker(frame))
                    _markers++;
            }

            return _segments;
        }
    }

    public IReadOnlyList<SeenSegment> FromService => [.. Segments.Where(segment => segment.FromService)];

    public IReadOnlyList<SeenSegment> FromPeer => [.. Segments.Where(segment => !segment.FromService)];

    /// <summary>True once the peer has sent data again: it had no answer.</summary>
    public bool PeerRetransmitted => FromPeer.Where(segment => segment.Length > 0).GroupBy(segment => segment.Sequence).Any(group => group.Count() > 1);

    /// <summary>Returns when everything that the host has sent until now has arrived, and forgets it all.</summary>
    public async Task BeginAfterAsync(Host host)
    {
        await SettleAsync(host);
        _segments.Clear();
    }

    /// <summary>Returns when everything that the host has sent until now has arrived.</summary>
    public async Task SettleAsync(Host host)
    {
        using (Socket marker = host.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp)))
            marker.SendTo([0], new IPEndPoint(_peer.IPv4, MarkerPort));
        int before = _markers;
        await Until.True(() => Segments is not null && _markers > before);
    }

    public override string ToString() => string.Join('\n', Segments.Select(segment => string.Create(CultureInfo.InvariantCulture,
        $"{(segment.FromService ? "service" : "peer   ")} {segment.Time / 1000 % 100_000_000} flags {segment.Flags:x2} seq {segment.Sequence} ack {segment.Acknowledgement} win {segment.Window} len {segment.Length} ts {segment.TsVal}/{segment.TsEcr}")));

    public void Dispose() => _socket.Dispose();

    private static bool IsMarker(ReadOnlySpan<byte> frame) =>
        frame.Length >= 42 && frame[12] == 8 && frame[13] == 0 && frame[23] == 17 && BinaryPrimitives.ReadUInt16BigEndian(frame[36..]) == MarkerPort;
}
