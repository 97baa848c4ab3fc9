using System.Net.Sockets;
using Tcpcp.Core;
using static Tcpcp.Linux.Tcp.IpOption;
using static Tcpcp.Linux.Tcp.SocketLevel;
using static Tcpcp.Linux.Tcp.TcpOption;

namespace Tcpcp.Tests;

public sealed class ThawTests(PassLab lab) : IClassFixture<PassLab>
{
    [Theory]
    [InlineData(IPKind.IPv4)]
    [InlineData(IPKind.IPv6)]
    [InlineData(IPKind.V4Mapped)]
    public async Task A_thawed_connection_goes_on_in_both_directions(IPKind kind)
    {
        await using LivePair pair = LivePair.Connect(lab, kind);
        await pair.ExchangeAsync();
        FrozenConnection frozen = pair.Freeze();
        frozen.Capture();
        frozen.Thaw();
        await pair.ExchangeAsync();
        await pair.JudgeAsync();
    }

    [Fact]
    public async Task A_connection_frozen_with_data_in_flight_and_unsent_goes_on()
    {
        await using LivePair pair = LivePair.Connect(lab);
        using (lab.LoseToPeer(lab.Origin))
        {
            pair.Service.Send(100_000);
            using FrozenConnection frozen = pair.Freeze();
            ConnectionSnapshot snapshot = frozen.Capture();
            Assert.True(snapshot.Sent.Length > 0 && snapshot.Unsent.Length > 0);
        }

        await pair.ExchangeAsync();
        await pair.JudgeAsync();
    }

    [Fact]
    public async Task What_the_peer_sent_to_a_frozen_connection_arrives_after_the_thaw()
    {
        await using LivePair pair = LivePair.Connect(lab);
        FrozenConnection frozen = pair.Freeze();
        pair.Peer.Send(50_000);
        frozen.Thaw();
        await pair.ExchangeAsync();
        await pair.JudgeAsync();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_thawed_connection_has_all_its_options(bool allSet)
    {
        await using LivePair pair = LivePair.Connect(lab);
        Socket socket = pair.Service.Socket;
        if (allSet)
            SetOptions(socket);
        TcpSocketOptions before = SocketState.Options(socket);
        FrozenConnection frozen = pair.Freeze();
        frozen.Capture();
        Assert.NotEqual(before.Mark, SocketState.Options(socket).Mark);
        frozen.Thaw();
        Assert.Equal(before, SocketState.Options(socket));
        await pair.ExchangeAsync();
    }

    [Fact]
    public async Task A_corked_connection_stays_corked()
    {
        await using LivePair pair = LivePair.Connect(lab);
        Set(pair.Service.Socket, IPPROTO_TCP, TCP_CORK, 1);
        pair.Service.Send(100);
        Wiretap tap = pair.Tap();
        FrozenConnection frozen = pair.Freeze();
        Assert.Equal(100, frozen.Capture().Unsent.Length);
        frozen.Thaw();
        Assert.True(SocketState.Options(pair.Service.Socket).Cork);
        Set(pair.Service.Socket, IPPROTO_TCP, TCP_CORK, 0);
        await pair.ExchangeAsync();
        Assert.Equal(100, tap.FromService.First(segment => segment.Length > 0).Length % 1448);
    }

    [Fact]
    public async Task Fifty_freezes_under_traffic_leave_no_trace_in_the_bytes_nor_in_the_socket()
    {
        const int Freezes = 50;
        await using LivePair pair = LivePair.Connect(lab);
        SetOptions(pair.Service.Socket);
        Set(pair.Service.Socket, SOL_SOCKET, SO_OOBINLINE, 0);
        Set(pair.Service.Socket, IPPROTO_IP, IP_TTL, 64); // what the peer sees stays as it was in the handshake
        Set(pair.Service.Socket, IPPROTO_IP, IP_TOS, 0);
        using Traffic peer = Traffic.Start(pair.Peer);
        using Traffic service = Traffic.Start(pair.Service);
        for (int i = 0; i < Freezes; i++)
        {
            (long atPeer, long atService) = (pair.Peer.Received, pair.Service.Received);
            await Until.True(() => pair.Peer.Received > atPeer && pair.Service.Received > atService);
            // An application that knows nothing of it goes on reading and writing: its calls fail while the connection is frozen, so it is stopped.
            service.Pause();
            TcpSocketOptions before = SocketState.Options(pair.Service.Socket);
            FrozenConnection frozen = pair.Freeze();
            ConnectionSnapshot first = frozen.Capture();
            ConnectionSnapshot second = frozen.Capture();
            AssertSame(first, second);
            frozen.Thaw();
            Assert.Equal(before, SocketState.Options(pair.Service.Socket));
            Assert.False(Linux.Tcp.RepairMode.IsOn(pair.Service.Socket.SafeHandle));
            service.Resume();
        }

        service.Pause();
        peer.Pause();
        await pair.ExchangeAsync();
        await pair.JudgeAsync();
    }

    [Fact]
    public async Task Leaving_the_scope_thaws()
    {
        await using LivePair pair = LivePair.Connect(lab);
        using (FrozenConnection frozen = pair.Freeze())
            frozen.Capture();
        await pair.ExchangeAsync();
    }

    [Fact]
    public async Task Leaving_the_scope_after_MarkSent_keeps_the_connection_frozen()
    {
        await using LivePair pair = LivePair.Connect(lab);
        FrozenConnection frozen = pair.Freeze();
        frozen.MarkSent();
        frozen.Dispose();
        Wiretap tap = pair.Tap();
        pair.Peer.Send(100);
        await Until.True(() => tap.PeerRetransmitted || tap.FromService.Count > 0);
        Assert.Empty(tap.FromService);
        Assert.True(Linux.Tcp.RepairMode.IsOn(pair.Service.Socket.SafeHandle));
    }

    [Fact]
    public async Task After_a_refusal_a_connection_whose_snapshot_was_sent_can_be_thawed()
    {
        await using LivePair pair = LivePair.Connect(lab);
        FrozenConnection frozen = pair.Freeze();
        frozen.MarkSent();
        frozen.Thaw();
        await pair.ExchangeAsync();
    }

    [Fact]
    public async Task After_Release_nothing_else_is_allowed()
    {
        await using LivePair pair = LivePair.Connect(lab);
        FrozenConnection frozen = pair.Freeze();
        Assert.Throws<InvalidOperationException>(frozen.OpenGate);
        frozen.Release();
        Assert.Throws<InvalidOperationException>(() => frozen.Capture());
        Assert.Throws<InvalidOperationException>(frozen.MarkSent);
        Assert.Throws<InvalidOperationException>(frozen.Release);
        frozen.Thaw(); // nothing left to thaw
        Wiretap tap = pair.Tap();
        pair.Peer.Send(100);
        await Until.True(() => tap.PeerRetransmitted || tap.FromService.Count > 0);
        Assert.Empty(tap.FromService);
    }

    // All but the clock, which runs.
    private static void AssertSame(ConnectionSnapshot one, ConnectionSnapshot other)
    {
        Assert.True(one.Sent.Span.SequenceEqual(other.Sent.Span) && one.Unsent.Span.SequenceEqual(other.Unsent.Span)
            && one.Unread.Span.SequenceEqual(other.Unread.Span));
        Assert.Equal(
            one with { Sent = default, Unsent = default, Unread = default, Timestamps = default, Congestion = other.Congestion },
            other with { Sent = default, Unsent = default, Unread = default, Timestamps = default });
    }

    /// <summary>Every option that a pass keeps, another value than the default.</summary>
    internal static void SetOptions(Socket socket)
    {
        Set(socket, IPPROTO_TCP, TCP_NODELAY, 1);
        SocketState.SetKeepAlive(socket);
        Set(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, 54_321);
        Set(socket, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 16_384);
        Set(socket, SOL_SOCKET, SO_MAX_PACING_RATE, 50_000_000);
        Set(socket, SOL_SOCKET, SO_MARK, 0x42);
        Set(socket, SOL_SOCKET, SO_OOBINLINE, 1);
        Set(socket, SOL_SOCKET, SO_SNDBUF, 300_000);
        Set(socket, SOL_SOCKET, SO_RCVBUF, 200_000);
        Set(socket, IPPROTO_IP, IP_TOS, 0x28); // also on an IPv6 socket, which may carry IPv4
        Set(socket, IPPROTO_IP, IP_TTL, 33);
        if (socket.AddressFamily == AddressFamily.InterNetworkV6)
        {
            Set(socket, IPPROTO_IPV6, IPV6_TCLASS, 0x28);
            Set(socket, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 33);
        }

        Set(socket, SOL_SOCKET, SO_PRIORITY, 5);
        socket.LingerState = new LingerOption(true, 0);
    }

    private static void Set(Socket socket, int level, int option, int value) => SocketState.Set(socket, level, option, value);
}
