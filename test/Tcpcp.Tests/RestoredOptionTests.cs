using System.Net;
using System.Net.Sockets;
using Tcpcp.Core;
using Tcpcp.Lab;
using Tcpcp.Linux.Diagnostics;
using Tcpcp.Linux.Tcp;
using static Tcpcp.Linux.Tcp.SocketLevel;

namespace Tcpcp.Tests;

/// <summary>A restored socket is like the captured one in every respect.</summary>
public sealed class RestoredOptionTests(PassLab lab) : IClassFixture<PassLab>
{
    [Theory]
    [InlineData(IPKind.IPv4, false)]
    [InlineData(IPKind.IPv4, true)]
    [InlineData(IPKind.IPv6, true)]
    [InlineData(IPKind.V4Mapped, true)]
    public async Task All_options_are_those_of_the_origin(IPKind kind, bool allSet)
    {
        // On the listener, whose sockets inherit them: the peer sees the same TTL from the start.
        await using LivePair pair = LivePair.Connect(lab, kind, listener: allSet ? ThawTests.SetOptions : null);
        TcpSocketOptions before = SocketState.Options(pair.Service.Socket);
        pair.PassTo(lab.Destination);
        TcpSocketOptions after = SocketState.Options(pair.Service.Socket);
        // Where the application has not set them, the buffers are the kernel's business: a new socket's, and growing.
        if (!allSet)
            after = after with { SendBufferBytes = before.SendBufferBytes, ReceiveBufferBytes = before.ReceiveBufferBytes };
        Assert.Equal(before, after);
        await pair.ExchangeAsync();
        await pair.JudgeAsync();
    }

    [Theory]
    [InlineData(IPKind.IPv4)]
    [InlineData(IPKind.IPv6)]
    public async Task A_receive_buffer_that_the_kernel_has_grown_is_as_large_and_goes_on_growing(IPKind kind)
    {
        await using LivePair pair = LivePair.Connect(lab, kind);
        foreach (int bytes in (int[])[1 << 20, 1])
            pair.Service.Socket.SetRawSocketOption(SOL_SOCKET, SO_RCVLOWAT, BitConverter.GetBytes(bytes));
        TcpSocketOptions before = SocketState.Options(pair.Service.Socket);
        Assert.Equal((2 << 20, false), (before.ReceiveBufferBytes, before.ReceiveBufferLocked));
        pair.PassTo(lab.Destination);
        TcpSocketOptions after = SocketState.Options(pair.Service.Socket);
        Assert.Equal((2 << 20, false), (after.ReceiveBufferBytes, after.ReceiveBufferLocked));
        await pair.ExchangeAsync();
        await pair.JudgeAsync();
    }

    [Theory]
    [InlineData(IPKind.IPv4)]
    [InlineData(IPKind.IPv6)]
    [InlineData(IPKind.V4Mapped)]
    public async Task What_the_SYN_exchange_agreed_on_is_kept_and_the_MSS_is_right_at_once(IPKind kind)
    {
        await using LivePair pair = LivePair.Connect(lab, kind);
        await pair.ExchangeAsync();
        TcpInfo before = SocketState.Info(pair.Service.Socket);
        pair.PassTo(lab.Destination);
        AssertAsNegotiated(before, SocketState.Info(pair.Service.Socket));
        await pair.ExchangeAsync();
        await pair.JudgeAsync();
    }

    [Theory]
    [InlineData("tcp_timestamps", true)]
    [InlineData("tcp_timestamps", false)]
    [InlineData("tcp_sack", true)]
    [InlineData("tcp_sack", false)]
    [InlineData("tcp_window_scaling", true)]
    [InlineData("tcp_window_scaling", false)]
    public async Task Without_a_TCP_option_it_stays_without_whatever_the_destination_would_do(string sysctl, bool alsoAtDestination)
    {
        Host[] hosts = alsoAtDestination ? [lab.Peer, lab.Origin, lab.Destination] : [lab.Peer, lab.Origin];
        SetAll(hosts, sysctl, "0");
        try
        {
            await using LivePair pair = LivePair.Connect(lab);
            await pair.ExchangeAsync();
            TcpInfo before = SocketState.Info(pair.Service.Socket);
            Assert.NotEqual(7, before.tcpi_options & 7);
            ConnectionSnapshot snapshot;
            using (lab.LoseToPeer(lab.Origin))
            {
                pair.Service.Send(50_000);
                pair.Peer.Send(5000);
                await Until.True(() => pair.Service.Socket.Available == 5000);
                snapshot = pair.Take();
            }

            await AssertPassKeepsAsync(before, pair, snapshot);
        }
        finally
        {
            SetAll(hosts, sysctl, "1");
        }
    }

    [Theory]
    [InlineData("tcp_timestamps")]
    [InlineData("tcp_sack")]
    [InlineData("tcp_window_scaling")]
    public async Task With_a_TCP_option_it_stays_with_it_at_a_destination_that_would_not_offer_it(string sysctl)
    {
        SetAll([lab.Destination], sysctl, "0");
        try
        {
            await using LivePair pair = LivePair.Connect(lab);
            await pair.ExchangeAsync();
            TcpInfo before = SocketState.Info(pair.Service.Socket);
            await AssertPassKeepsAsync(before, pair, pair.Take());
        }
        finally
        {
            SetAll([lab.Destination], sysctl, "1");
        }
    }

    [Fact]
    public async Task The_timestamp_clock_never_steps_back_and_stands_still_for_no_time()
    {
        await using LivePair pair = LivePair.Connect(lab);
        using Wiretap tap = pair.Tap();
        await pair.ExchangeAsync(1000);
        ConnectionSnapshot snapshot = pair.Take();
        SeenSegment last = tap.FromService[^1];
        pair.Activate(pair.RestoreAt(lab.Destination, snapshot));
        pair.Service.Send(1);
        await Until.True(() => tap.FromService[^1].End.IsAfter(snapshot.SndNxt));
        SeenSegment first = tap.FromService.First(segment => segment.Time > last.Time);
        // TSval counts milliseconds here: as many as have really passed, or more where the last one was ahead of the clock.
        double lead = snapshot.Timestamps.Ahead.TotalMilliseconds;
        Assert.InRange((first.TsVal - last.TsVal) - ((first.Time - last.Time) / 1e6), -2 - lead, 3 + lead);
    }

    [Fact]
    public async Task A_paced_connection_whose_timestamps_are_ahead_of_its_clock_is_not_dropped_by_the_peer()
    {
        await using LivePair pair = LivePair.Connect(lab);
        using Wiretap tap = pair.Tap();
        await pair.ExchangeAsync();
        SocketState.Set(pair.Service.Socket, SocketLevel.SOL_SOCKET, SocketLevel.SO_MAX_PACING_RATE, 1_000_000);
        long began = Environment.TickCount64;
        pair.Service.Send(200_000);
        await Until.True(() => tap.FromService[^1].Length > 0);
        pair.Peer.Send(100_000); // is acknowledged at once, stamped with the time of the next paced segment
        await Until.True(() => tap.FromService.Any(segment => segment.Acknowledgement == tap.FromPeer[^1].End));
        ConnectionSnapshot snapshot = pair.PassTo(lab.Destination);
        Assert.True(snapshot.Unsent.Length > 0, $"All was sent in {Environment.TickCount64 - began} ms: too slow for this test.");
        await pair.ExchangeAsync();
        await pair.JudgeAsync();
    }

    [Fact]
    public async Task Buffers_that_the_application_has_not_set_are_not_locked_and_grow()
    {
        await using LivePair pair = LivePair.Connect(lab);
        pair.PassTo(lab.Destination);
        Assert.Equal(0, SocketState.LockedBuffers(pair.Service.Socket));
        TcpSocketOptions before = SocketState.Options(pair.Service.Socket);
        await pair.ExchangeAsync(32 << 20);
        TcpSocketOptions after = SocketState.Options(pair.Service.Socket);
        Assert.True(after.SendBufferBytes > before.SendBufferBytes, $"The send buffer stays at {after.SendBufferBytes} bytes.");
        Assert.True(after.ReceiveBufferBytes > before.ReceiveBufferBytes, $"The receive buffer stays at {after.ReceiveBufferBytes} bytes.");
    }

    [Fact]
    public async Task Buffers_that_the_captured_queues_do_not_fit_are_not_locked_either()
    {
        // Large buffers that are not locked, as autotuning makes them in time.
        await using LivePair pair = LivePair.Connect(lab, listener: socket => SocketState.Set(socket, SOL_SOCKET, SO_RCVBUFFORCE, 4 << 20));
        SocketState.Set(pair.Service.Socket, SOL_SOCKET, SO_SNDBUFFORCE, 4 << 20);
        SocketState.Set(pair.Service.Socket, SOL_SOCKET, SO_BUF_LOCK, 0);
        int left = 1 << 20;
        await Until.True(() => (left -= pair.Peer.Send(left)) >= 0 && pair.Service.Socket.Available > 300_000);
        ConnectionSnapshot snapshot;
        using (lab.LoseToPeer(lab.Origin))
        {
            await Until.True(() =>
            {
                pair.Service.Send(1 << 20);
                return SocketState.Unsent(pair.Service.Socket) > 100_000;
            });
            snapshot = pair.Take(); // while nothing is acknowledged, or the queue would run empty
        }

        pair.Activate(pair.RestoreAt(lab.Destination, snapshot));
        Assert.True(snapshot.Unread.Length > 300_000 && snapshot.Unsent.Length > 100_000, $"{snapshot.Unread.Length} {snapshot.Unsent.Length}");
        Assert.Equal(0, SocketState.LockedBuffers(pair.Service.Socket));
        await pair.ExchangeAsync();
        await pair.JudgeAsync();
    }

    [Fact]
    public async Task A_listener_on_the_same_port_is_no_obstacle_and_can_be_restarted_at_any_time()
    {
        await using LivePair pair = LivePair.Connect(lab);
        int port = pair.Connection.Local.Port;
        Socket listener = lab.Destination.Run(() => LivePair.Listen(IPKind.IPv4, IPAddress.Any, port));
        pair.PassTo(lab.Destination);
        await pair.ExchangeAsync();

        using (RestartListener(listener, port)) // while the connection lives
        {
            await pair.ExchangeAsync();
            pair.Service.Socket.Shutdown(SocketShutdown.Both);
            pair.Peer.Socket.Shutdown(SocketShutdown.Both);
            pair.Service.Socket.Dispose();
            await Until.True(() => StateAtDestination(pair.Connection) == TcpState.TimeWait);
            using (RestartListener(listener, port))
                Assert.Equal(TcpState.TimeWait, StateAtDestination(pair.Connection));
        }

        Socket RestartListener(Socket old, int at)
        {
            old.Dispose();
            listener = lab.Destination.Run(() => LivePair.Listen(IPKind.IPv4, IPAddress.Any, at));
            using Socket client = lab.Peer.Run(() =>
            {
                Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
                socket.Connect(lab.Destination.IPv4, at);
                return socket;
            });
            using Socket accepted = listener.Accept();
            return listener;
        }
    }

    [Fact]
    public async Task The_listener_can_be_restarted_beside_a_thawed_connection()
    {
        await using LivePair pair = LivePair.Connect(lab);
        pair.Freeze().Thaw();
        using Socket listener = lab.Origin.Run(() => LivePair.Listen(IPKind.IPv4, IPAddress.Any, pair.Connection.Local.Port));
        await pair.ExchangeAsync();
    }

    private TcpState? StateAtDestination(FourTuple connection)
    {
        using SocketDiagnostics sockets = lab.Destination.Run(() => new SocketDiagnostics());
        return sockets.List().Where(socket => socket.Connection == connection).Select(socket => (TcpState?)socket.State).FirstOrDefault();
    }

    private async Task AssertPassKeepsAsync(TcpInfo before, LivePair pair, ConnectionSnapshot snapshot)
    {
        using Wiretap tap = pair.Tap();
        pair.Activate(pair.RestoreAt(lab.Destination, snapshot));
        AssertAsNegotiated(before, SocketState.Info(pair.Service.Socket), sameMss: false);
        await pair.ExchangeAsync();
        // tcpi_snd_mss is off by the 12 bytes of the timestamps where the destination's default is another; what counts is on the wire.
        Assert.Contains(tap.FromService, segment => segment.Length > 0 && segment.Length % before.tcpi_snd_mss == 0);
        await pair.JudgeAsync();
    }

    private static void AssertAsNegotiated(TcpInfo before, TcpInfo after, bool sameMss = true)
    {
        const int Negotiated = TcpOption.TCPI_OPT_SACK | TcpOption.TCPI_OPT_TIMESTAMPS | TcpOption.TCPI_OPT_WSCALE;
        if (sameMss)
            Assert.Equal(before.tcpi_snd_mss, after.tcpi_snd_mss);
        Assert.Equal((before.SndWscale, before.RcvWscale), (after.SndWscale, after.RcvWscale));
        // The kernel says WSCALE of a restored socket always, with shift counts of 0 where there was none.
        Assert.Equal(before.tcpi_options & Negotiated & ~TcpOption.TCPI_OPT_WSCALE, after.tcpi_options & Negotiated & ~TcpOption.TCPI_OPT_WSCALE);
    }

    private static void SetAll(Host[] hosts, string sysctl, string value)
    {
        foreach (Host host in hosts)
            host.Run(() => Sysctl.Write($"net/ipv4/{sysctl}", value));
    }
}
