using System.Net.Sockets;
using Tcpcp.Check;
using Tcpcp.Core;
using Tcpcp.Linux.Tcp;
using Tcpcp.Restore;

namespace Tcpcp.Tests;

public sealed class RestoreTests(PassLab lab) : IClassFixture<PassLab>
{
    private const int Attempts = 3; // another program on this machine's processors can only make it slower

    private static readonly TimeSpan s_atOnce = TimeSpan.FromMilliseconds(50);

    [Theory]
    [InlineData(IPKind.IPv4)]
    [InlineData(IPKind.IPv6)]
    [InlineData(IPKind.V4Mapped)]
    public async Task A_connection_with_empty_queues_goes_on_at_the_destination(IPKind kind)
    {
        await using LivePair pair = LivePair.Connect(lab, kind);
        await pair.ExchangeAsync();
        await Until.True(() => SocketState.Unacknowledged(pair.Service.Socket) == 0);
        ConnectionSnapshot snapshot = pair.PassTo(lab.Destination);
        Assert.Equal((0, 0, 0), (snapshot.Unread.Length, snapshot.Sent.Length, snapshot.Unsent.Length));
        await pair.ExchangeAsync();
        ConnectionReport report = await pair.JudgeAsync();
        Assert.Equal(1, report.MacChanges);
    }

    [Theory]
    [InlineData(IPKind.IPv4, 1)]
    [InlineData(IPKind.IPv4, 60_000)]
    [InlineData(IPKind.IPv6, 60_000)]
    [InlineData(IPKind.V4Mapped, 60_000)]
    [InlineData(IPKind.IPv4, 1 << 20)]
    public async Task Unread_bytes_can_be_read_at_the_destination(IPKind kind, int bytes)
    {
        await using LivePair pair = LivePair.Connect(lab, kind, listener: bytes < 1 << 20 ? null : socket => socket.ReceiveBufferSize = 4 << 20);
        int left = bytes;
        await Until.True(() => (left -= pair.Peer.Send(left)) == 0 && pair.Service.Socket.Available == bytes);
        ConnectionSnapshot snapshot = pair.PassTo(lab.Destination);
        Assert.Equal((bytes, bytes), (snapshot.Unread.Length, pair.Service.Socket.Available));
        await pair.ExchangeAsync();
        await pair.JudgeAsync();
    }

    [Theory]
    [InlineData(IPKind.IPv4, 1000)]
    [InlineData(IPKind.IPv6, 1000)]
    [InlineData(IPKind.V4Mapped, 1000)]
    [InlineData(IPKind.IPv4, 10_000)]
    [InlineData(IPKind.IPv6, 10_000)]
    public async Task Bytes_that_were_lost_are_sent_again_at_once(IPKind kind, int bytes)
    {
        await using LivePair pair = LivePair.Connect(lab, kind);
        await WarmUpAsync(pair);
        ConnectionSnapshot snapshot = TakeWithLostBytes(pair, bytes);
        Assert.Equal(bytes, snapshot.Sent.Length);
        using Wiretap tap = pair.Tap();
        DormantConnection dormant = pair.RestoreAt(lab.Destination, snapshot);
        long activated = UnixNanoseconds();
        pair.Activate(dormant);
        await Until.True(() => pair.Peer.Receive() >= 0 && pair.Peer.Received == pair.Service.Sent);
        TimeSpan first = Since(activated, tap.FromService.First(segment => segment.Length > 0));
        Assert.True(first < s_atOnce, $"The first retransmission left {first.TotalMilliseconds} ms after the activation.");
        TimeSpan last = Since(activated, tap.FromService.Last(segment => segment.Length > 0));
        Assert.True(last < s_atOnce, $"The last retransmission left {last.TotalMilliseconds} ms after the activation.\n{tap}");
        await pair.ExchangeAsync();
        await pair.JudgeAsync();
    }

    [Fact]
    public async Task Many_bytes_that_were_lost_arrive()
    {
        await using LivePair pair = LivePair.Connect(lab);
        ConnectionSnapshot snapshot = await TakeWithManyLostBytesAsync(pair);
        pair.Activate(pair.RestoreAt(lab.Destination, snapshot));
        await pair.ExchangeAsync();
        await pair.JudgeAsync();
    }

    [Theory]
    [InlineData(IPKind.IPv4)]
    [InlineData(IPKind.IPv6)]
    public async Task Many_bytes_that_were_lost_are_sent_again_at_once_where_the_congestion_window_is_kept(IPKind kind)
    {
        Assert.Null(lab.Destination.Run(KeptCongestion.FindObstacle)); // first asked where there is a BPF file system
        (TimeSpan last, string segments) = await SendAgainAsync(kind);
        for (int attempt = 1; attempt < Attempts && last >= s_atOnce; attempt++)
            (last, segments) = await SendAgainAsync(kind);
        Assert.True(last < s_atOnce, $"The last retransmission left {last.TotalMilliseconds} ms after the activation.\n{segments}");
    }

    // From the activation to the last retransmission. The rate that is kept is that which a busy machine's round trips have left.
    private async Task<(TimeSpan Last, string Segments)> SendAgainAsync(IPKind kind)
    {
        await using LivePair pair = LivePair.Connect(lab, kind);
        ConnectionSnapshot snapshot = await TakeWithManyLostBytesAsync(pair);
        using Wiretap tap = pair.Tap();
        DormantConnection dormant = pair.RestoreAt(lab.Destination, snapshot with { Congestion = snapshot.Congestion with { Start = CongestionStart.Keep } });
        Assert.Null(dormant.KeepObstacle);
        long activated = UnixNanoseconds();
        pair.Activate(dormant);
        await Until.True(() => pair.Peer.Receive() >= 0 && pair.Peer.Received == pair.Service.Sent, state: pair.Progress);
        TimeSpan last = Since(activated, tap.FromService.Last(segment => segment.Length > 0));
        string segments = $"{tap}";
        await pair.ExchangeAsync();
        await pair.JudgeAsync();
        return (last, segments);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(1000)]
    [InlineData(10_000)]
    [InlineData(60_000)]
    public async Task Bytes_that_the_peer_has_already_are_settled_at_once(int bytes)
    {
        await using LivePair pair = LivePair.Connect(lab);
        await WarmUpAsync(pair);
        ConnectionSnapshot snapshot;
        using (lab.LoseFromPeer(lab.Origin))
        {
            pair.Service.Send(bytes);
            await Until.True(() => pair.Peer.Receive() >= 0 && (pair.Peer.Received == pair.Service.Sent || SocketState.Unsent(pair.Service.Socket) > 0));
            snapshot = pair.Take();
        }

        Assert.True(snapshot.Sent.Length > 0);
        using Wiretap tap = pair.Tap();
        DormantConnection dormant = pair.RestoreAt(lab.Destination, snapshot);
        long activated = UnixNanoseconds();
        pair.Activate(dormant);
        await Until.True(() => pair.Peer.Receive() >= 0 && SocketState.Unacknowledged(pair.Service.Socket) == 0);
        SeenSegment settled = tap.FromPeer.First(segment => segment.Acknowledgement == snapshot.WriteSeq);
        Assert.True(Since(activated, settled) < 2 * s_atOnce, $"All was acknowledged {Since(activated, settled).TotalMilliseconds} ms after the activation.");
        await pair.ExchangeAsync();
        await pair.JudgeAsync();
    }

    [Fact]
    public async Task Unsent_bytes_leave_when_the_peer_opens_its_window()
    {
        await using LivePair pair = LivePair.Connect(lab, peer: socket => socket.ReceiveBufferSize = 16_384);
        pair.Service.Send(200_000);
        await Until.True(() => SocketState.Unacknowledged(pair.Service.Socket) is > 0 and { } left && left == SocketState.Unsent(pair.Service.Socket));
        ConnectionSnapshot snapshot = pair.PassTo(lab.Destination);
        Assert.Equal(0, snapshot.Sent.Length);
        Assert.NotEqual(0, snapshot.Unsent.Length);
        await pair.ExchangeAsync();
        await pair.JudgeAsync();
    }

    [Theory]
    [InlineData(IPKind.IPv4)]
    [InlineData(IPKind.IPv6)]
    [InlineData(IPKind.V4Mapped)]
    public async Task Lost_unsent_and_unread_bytes_all_arrive(IPKind kind)
    {
        await using LivePair pair = LivePair.Connect(lab, kind, listener: socket => socket.SendBufferSize = 2 << 20);
        pair.Peer.Send(20_000);
        await Until.True(() => pair.Service.Socket.Available == 20_000);
        ConnectionSnapshot snapshot = TakeWithLostBytes(pair, 1 << 20);
        Assert.True(snapshot.Sent.Length > 0 && snapshot.Unsent.Length > 0 && snapshot.Unread.Length > 0);
        pair.Activate(pair.RestoreAt(lab.Destination, snapshot));
        await pair.ExchangeAsync();
        await pair.JudgeAsync();
    }

    [Fact]
    public async Task A_corked_connection_stays_corked_at_the_destination()
    {
        await using LivePair pair = LivePair.Connect(lab);
        SocketState.Set(pair.Service.Socket, SocketLevel.IPPROTO_TCP, TcpOption.TCP_CORK, 1);
        pair.Service.Send(100);
        Assert.Equal(100, pair.PassTo(lab.Destination).Unsent.Length);
        Assert.Equal(100, SocketState.Unsent(pair.Service.Socket));
        SocketState.Set(pair.Service.Socket, SocketLevel.IPPROTO_TCP, TcpOption.TCP_CORK, 0);
        await pair.ExchangeAsync();
        await pair.JudgeAsync();
    }

    [Fact]
    public async Task What_the_peer_sends_meanwhile_arrives()
    {
        await using LivePair pair = LivePair.Connect(lab);
        ConnectionSnapshot snapshot = pair.Take();
        pair.Peer.Send(50_000);
        pair.Activate(pair.RestoreAt(lab.Destination, snapshot));
        await pair.ExchangeAsync();
        await pair.JudgeAsync();
    }

    [Fact]
    public async Task The_activated_socket_blocks_as_any_new_socket_does()
    {
        await using LivePair pair = LivePair.Connect(lab);
        using DormantConnection dormant = pair.RestoreAt(lab.Destination, pair.Take());
        using Socket socket = dormant.Activate();
        Assert.True(socket.Blocking && socket.Connected);
        Task<int> receiving = Task.Run(() => socket.Receive(new byte[1]));
        await Until.True(() => receiving.Status == TaskStatus.Running);
        pair.Peer.Send(1);
        Assert.Equal(1, await receiving.WaitAsync(TimeSpan.FromSeconds(10)));
    }

    [Fact]
    public async Task A_connection_is_activated_once()
    {
        await using LivePair pair = LivePair.Connect(lab);
        DormantConnection dormant = pair.RestoreAt(lab.Destination, pair.Take());
        pair.Activate(dormant);
        Assert.Throws<InvalidOperationException>(dormant.Activate);
        dormant.Dispose();
        await pair.ExchangeAsync();
    }

    /// <summary>So that the congestion window is no limit.</summary>
    internal static async Task WarmUpAsync(LivePair pair)
    {
        await pair.ExchangeAsync(4 << 20);
        await Until.True(() => SocketState.Unacknowledged(pair.Service.Socket) == 0);
    }

    private ConnectionSnapshot TakeWithLostBytes(LivePair pair, int bytes)
    {
        using IDisposable loss = lab.LoseToPeer(lab.Origin);
        Assert.Equal(bytes, pair.Service.Send(bytes));
        return pair.Take();
    }

    private async Task<ConnectionSnapshot> TakeWithManyLostBytesAsync(LivePair pair)
    {
        await WarmUpAsync(pair);
        ConnectionSnapshot snapshot = TakeWithLostBytes(pair, 60_000);
        Assert.True(snapshot.Sent.Length > 10 * snapshot.Negotiated.SendMss, $"{snapshot.Sent.Length} bytes are in flight: too few for this test.");
        return snapshot;
    }

    private static long UnixNanoseconds() => (DateTime.UtcNow - DateTime.UnixEpoch).Ticks * TimeSpan.NanosecondsPerTick;

    private static TimeSpan Since(long nanoseconds, SeenSegment segment) => TimeSpan.FromMicroseconds((segment.Time - nanoseconds) / 1000);
}
