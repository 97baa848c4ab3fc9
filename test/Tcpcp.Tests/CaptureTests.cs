using System.Net.Sockets;
using System.Text;
using Tcpcp.Core;
using static Tcpcp.Linux.Tcp.SocketLevel;
using static Tcpcp.Linux.Tcp.TcpOption;

namespace Tcpcp.Tests;

public sealed class CaptureTests(PassLab lab) : IClassFixture<PassLab>
{
    private const int LargeBufferBytes = 4 << 20;

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(64 << 10)]
    [InlineData(1 << 20)]
    public async Task Unread_bytes_are_captured_exactly(int bytes)
    {
        await using LivePair pair = LivePair.Connect(lab, listener: socket => socket.ReceiveBufferSize = LargeBufferBytes);
        int left = bytes;
        await Until.True(() => (left -= pair.Peer.Send(left)) == 0 && pair.Service.Socket.Available == bytes);
        ConnectionSnapshot snapshot = pair.Freeze().Capture();
        Assert.Equal(pair.Service.NextToReceive(bytes), snapshot.Unread.ToArray());
        Assert.Equal((0, 0), (snapshot.Sent.Length, snapshot.Unsent.Length));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(10_000)]
    [InlineData(1 << 20)]
    public async Task Sent_and_unsent_bytes_are_captured_exactly_and_apart(int bytes)
    {
        await using LivePair pair = LivePair.Connect(lab, listener: socket => socket.SendBufferSize = LargeBufferBytes);
        using IDisposable loss = lab.LoseFromPeer(lab.Origin); // nothing is acknowledged
        Assert.Equal(bytes, pair.Service.Send(bytes));
        ConnectionSnapshot snapshot = pair.Freeze().Capture();
        Assert.Equal(pair.Service.LastSent(bytes), (byte[])[.. snapshot.Sent.Span, .. snapshot.Unsent.Span]);
        // The initial window is ten segments (RFC 6928), and on a busy machine a tail-loss probe may have gone out too.
        Assert.InRange(snapshot.Sent.Length, Math.Min(bytes, 10 * snapshot.Negotiated.SendMss), Math.Min(bytes, 11 * snapshot.Negotiated.SendMss));
    }

    [Fact]
    public async Task Bytes_that_the_peers_closed_window_holds_back_are_captured_as_unsent()
    {
        await using LivePair pair = LivePair.Connect(lab, peer: socket => socket.ReceiveBufferSize = 16_384);
        pair.Service.Send(100_000);
        await Until.True(() => SocketState.Unacknowledged(pair.Service.Socket) is > 0 and { } left && left == SocketState.Unsent(pair.Service.Socket));
        ConnectionSnapshot snapshot = pair.Freeze().Capture();
        Assert.True(snapshot.Unsent.Length > 0);
        Assert.Equal(0, snapshot.Sent.Length);
        Assert.Equal(pair.Service.LastSent(snapshot.Unsent.Length), snapshot.Unsent.ToArray());
    }

    [Fact]
    public async Task Of_a_segment_that_is_partly_acknowledged_the_rest_is_captured()
    {
        await using LivePair pair = LivePair.Connect(lab);
        using Wiretap tap = pair.Tap();
        await pair.ExchangeAsync(1000);
        await Until.True(() => SocketState.Unacknowledged(pair.Service.Socket) == 0);
        SequenceNumber una = tap.FromPeer[^1].Acknowledgement;
        using IDisposable loss = lab.LoseToPeer(lab.Origin);
        pair.Service.Send(1000);
        ForgedSegment.SendAcknowledgement(lab, pair.Connection, tap.FromPeer[^1], una + 400);
        await Until.True(() => SocketState.Unacknowledged(pair.Service.Socket) == 600);
        ConnectionSnapshot snapshot = pair.Freeze().Capture();
        Assert.Equal(una + 400, snapshot.SndUna);
        Assert.Equal(pair.Service.LastSent(600), snapshot.Sent.ToArray());
    }

    [Fact]
    public async Task Sequence_numbers_are_those_of_the_last_segments()
    {
        await using LivePair pair = LivePair.Connect(lab);
        using Wiretap tap = pair.Tap();
        await pair.ExchangeAsync(5000);
        await Until.True(() => SocketState.Unacknowledged(pair.Service.Socket) == 0);
        using IDisposable loss = lab.LoseFromPeer(lab.Origin);
        pair.Service.Send(100_000);
        await Until.True(() => tap.FromService[^1].Length > 0);
        await tap.SettleAsync(lab.Origin);
        ConnectionSnapshot snapshot = pair.Freeze().Capture();
        SeenSegment furthest = tap.FromService.MaxBy(segment => segment.End - snapshot.SndUna);
        Assert.Equal((furthest.End, furthest.Acknowledgement), (snapshot.SndNxt, snapshot.RcvNxt));
        Assert.Equal(snapshot.SndNxt - snapshot.Sent.Length, snapshot.SndUna);
        Assert.Equal(snapshot.SndNxt + snapshot.Unsent.Length, snapshot.WriteSeq);
        Assert.True(SocketState.Info(pair.Service.Socket).tcpi_unacked > 0);
    }

    [Fact]
    public async Task Options_are_captured_as_the_application_has_set_them()
    {
        await using LivePair pair = LivePair.Connect(lab);
        Socket socket = pair.Service.Socket;
        Set(socket, IPPROTO_TCP, TCP_NODELAY, 1);
        SocketState.SetKeepAlive(socket);
        Set(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, 12_345);
        Set(socket, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 4096);
        Set(socket, SOL_SOCKET, SO_PRIORITY, 5);
        Set(socket, SOL_SOCKET, SO_MARK, 0x42);
        socket.LingerState = new LingerOption(true, 7);
        socket.Ttl = 33;
        Linux.Tcp.SocketOption.SetBytes(socket.SafeHandle, IPPROTO_TCP, TCP_CONGESTION, Encoding.ASCII.GetBytes("reno"));
        ConnectionSnapshot snapshot = pair.Freeze().Capture();
        TcpSocketOptions options = snapshot.Options;
        Assert.True(options is { NoDelay: true, Cork: false, KeepAlive: true, KeepAliveProbes: 3, Priority: 5, Mark: 0x42, TimeToLive: 33, ReuseAddress: true });
        Assert.Equal((1, 1, 12_345), (options.KeepAliveTime.TotalSeconds, options.KeepAliveInterval.TotalSeconds, options.UserTimeout.TotalMilliseconds));
        Assert.Equal((TimeSpan.FromSeconds(7), 4096u, false), (options.Linger, options.NotSentLowWater, options.SendBufferLocked));
        Assert.Equal("reno", snapshot.Congestion.Algorithm);
    }

    [Fact]
    public async Task A_repeated_capture_gives_the_same()
    {
        await using LivePair pair = LivePair.Connect(lab);
        pair.Peer.Send(10);
        await Until.True(() => pair.Service.Socket.Available == 10);
        using IDisposable loss = lab.LoseFromPeer(lab.Origin);
        pair.Service.Send(200_000);
        FrozenConnection frozen = pair.Freeze();
        ConnectionSnapshot first = frozen.Capture();
        for (int i = 0; i < 100; i++)
        {
            ConnectionSnapshot next = frozen.Capture();
            Assert.Equal(first.Sent.ToArray(), next.Sent.ToArray());
            Assert.Equal(first.Unsent.ToArray(), next.Unsent.ToArray());
            Assert.Equal(first.Unread.ToArray(), next.Unread.ToArray());
            Assert.Equal(first, next with
            {
                Sent = first.Sent,
                Unsent = first.Unsent,
                Unread = first.Unread,
                Timestamps = first.Timestamps,
                Congestion = first.Congestion,
            });
        }
    }

    [Fact]
    public async Task Captures_under_traffic_in_both_directions_lose_no_byte()
    {
        const int Captures = 50;
        await using LivePair pair = LivePair.Connect(lab);
        using Traffic peer = Traffic.Start(pair.Peer, bytesPerSecond: 30_000_000);
        using Traffic service = Traffic.Start(pair.Service, bytesPerSecond: 30_000_000);
        for (int i = 0; i < Captures; i++)
        {
            long before = pair.Service.Received;
            await Until.True(() => pair.Service.Received > before + 50_000);
            service.Pause();
            using FrozenConnection frozen = pair.Freeze();
            ConnectionSnapshot snapshot = frozen.Capture();
            Assert.Equal(pair.Service.NextToReceive(snapshot.Unread.Length), snapshot.Unread.ToArray());
            int written = snapshot.Sent.Length + snapshot.Unsent.Length;
            Assert.Equal(pair.Service.LastSent(written), (byte[])[.. snapshot.Sent.Span, .. snapshot.Unsent.Span]);
            frozen.Thaw();
            Assert.True(pair.Service.Socket.Available >= snapshot.Unread.Length);
            service.Resume();
        }

        service.Pause();
        peer.Pause();
        await pair.ExchangeAsync();
        await pair.JudgeAsync();
    }

    private static void Set(Socket socket, int level, int option, int value) => SocketState.Set(socket, level, option, value);
}
