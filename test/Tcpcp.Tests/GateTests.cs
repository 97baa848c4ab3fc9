using System.Net.Sockets;
using Tcpcp.Core;
using Tcpcp.Gate;
using Tcpcp.Lab;
using Tcpcp.Linux.Tcp;

namespace Tcpcp.Tests;

public sealed class GateTests(PassLab lab) : IClassFixture<PassLab>
{
    /// <summary>What an application may do with its socket, whether it knows of the pass or not.</summary>
    public static TheoryData<string> Ends => [.. s_ends.Keys];

    private static readonly Dictionary<string, Action<Socket>> s_ends = new(StringComparer.Ordinal)
    {
        ["nothing"] = _ => { },
        ["Dispose"] = socket => socket.Dispose(),
        ["Close(0)"] = socket => socket.Close(0),
        ["Shutdown and Dispose"] = socket =>
        {
            Record.Exception(() => socket.Shutdown(SocketShutdown.Both));
            socket.Dispose();
        },
    };

    [Theory]
    [MemberData(nameof(Ends))]
    public async Task A_released_connection_draws_no_RST_whatever_becomes_of_its_socket(string end)
    {
        await using LivePair pair = LivePair.Connect(lab);
        pair.Take();
        Wiretap tap = pair.Tap();
        await tap.BeginAfterAsync(lab.Origin);
        s_ends[end](pair.Service.Socket);
        await SendUntilRepeatedAsync(pair, tap);
        Assert.Empty(tap.FromService);
    }

    [Theory]
    [MemberData(nameof(Ends))]
    public async Task A_frozen_connection_sends_no_FIN_or_RST_whatever_becomes_of_its_socket(string end)
    {
        await using LivePair pair = LivePair.Connect(lab);
        FrozenConnection frozen = pair.Freeze();
        frozen.Capture();
        frozen.MarkSent();
        Wiretap tap = pair.Tap();
        await tap.BeginAfterAsync(lab.Origin);
        s_ends[end](pair.Service.Socket);
        await SendUntilRepeatedAsync(pair, tap);
        Assert.Empty(tap.FromService);
    }

    [Fact]
    public async Task After_OpenGate_with_the_address_gone_there_is_no_RST()
    {
        await using LivePair pair = LivePair.Connect(lab);
        FrozenConnection frozen = pair.Freeze();
        frozen.Capture();
        frozen.MarkSent();
        frozen.Release();
        PassLab.Remove(pair.Connection.Local.Address, lab.Origin);
        frozen.OpenGate();
        Wiretap tap = pair.Tap();
        await tap.BeginAfterAsync(lab.Origin);
        await SendUntilRepeatedAsync(pair, tap);
        Assert.Empty(tap.FromService);
    }

    [Fact]
    public async Task After_OpenGate_with_the_address_still_there_the_peer_gets_an_RST()
    {
        await using LivePair pair = LivePair.Connect(lab);
        FrozenConnection frozen = pair.Freeze();
        frozen.Release();
        frozen.OpenGate();
        Wiretap tap = pair.Tap();
        pair.Peer.Send(1000);
        await Until.True(() => tap.FromService.Any(segment => segment.IsReset));
    }

    [Fact]
    public async Task A_dormant_connection_answers_nothing()
    {
        await using LivePair pair = LivePair.Connect(lab);
        pair.RestoreAt(lab.Destination, pair.Take());
        Wiretap tap = pair.Tap();
        await tap.BeginAfterAsync(lab.Destination);
        await SendUntilRepeatedAsync(pair, tap);
        Assert.Empty(tap.FromService);
    }

    [Fact]
    public async Task A_discarded_dormant_connection_draws_no_RST_and_can_be_restored_again()
    {
        await using LivePair pair = LivePair.Connect(lab);
        ConnectionSnapshot snapshot = pair.Take();
        pair.RestoreAt(lab.Destination, snapshot).Dispose();
        Wiretap tap = pair.Tap();
        await tap.BeginAfterAsync(lab.Destination);
        await SendUntilRepeatedAsync(pair, tap);
        Assert.Empty(tap.FromService);

        using DormantConnection again = lab.Destination.Run(() => DormantConnection.Restore(snapshot, TimeSpan.Zero));
        pair.Activate(again);
        await pair.ExchangeAsync();
        await pair.JudgeAsync();
    }

    [Fact]
    public async Task A_closed_gate_drops_one_connection_and_no_other()
    {
        await using LivePair one = LivePair.Connect(lab);
        await using LivePair other = LivePair.Connect(lab);
        one.Freeze();
        await other.ExchangeAsync();
        one.Peer.Send(100);
        Wiretap tap = one.Tap();
        await Until.True(() => tap.FromPeer.Count > 0);
        Assert.Equal(0, one.Service.Socket.Available);
    }

    [Theory]
    [InlineData("10.0.0.2:80-10.0.0.1:5000")]
    [InlineData("[fd00::2]:80-[fd00::1]:5000")]
    public void A_gate_closes_once_and_opens_once(string text)
    {
        FourTuple connection = FourTuple.Parse(text);
        using ConnectionGate gate = lab.Origin.Run(() => ConnectionGate.Open());
        using ConnectionGate same = lab.Origin.Run(() => ConnectionGate.Open());
        Assert.True(gate.Close(connection));
        Assert.False(same.Close(connection));
        Assert.True(same.Open(connection));
        Assert.False(gate.Open(connection));
    }

    [Fact]
    public void Each_host_has_a_gate_of_its_own()
    {
        FourTuple connection = FourTuple.Parse("10.0.0.2:80-10.0.0.1:5001");
        using ConnectionGate origin = lab.Origin.Run(() => ConnectionGate.Open());
        using ConnectionGate destination = lab.Destination.Run(() => ConnectionGate.Open());
        Assert.True(origin.Close(connection));
        Assert.True(destination.Close(connection));
    }

    [Fact]
    public async Task Freezing_from_another_network_namespace_is_an_error_that_says_so()
    {
        await using LivePair pair = LivePair.Connect(lab);
        InvalidOperationException wrong = Assert.Throws<InvalidOperationException>(() => FrozenConnection.Freeze(pair.Service.Socket));
        Assert.Contains("network namespace", wrong.Message, StringComparison.Ordinal);
        await pair.ExchangeAsync();
    }

    [Fact]
    public async Task A_write_to_a_frozen_connection_fails_instead_of_vanishing()
    {
        await using LivePair pair = LivePair.Connect(lab);
        pair.Freeze().Capture();
        pair.Service.Socket.Send([1], SocketFlags.None, out SocketError error);
        Assert.Equal(SocketError.InvalidArgument, error);
    }

    // Segments that had no answer are sent again.
    private static async Task SendUntilRepeatedAsync(LivePair pair, Wiretap tap)
    {
        pair.Peer.Send(1000);
        await Until.True(() => tap.PeerRetransmitted || tap.FromService.Count > 0);
    }

    [Theory]
    [InlineData(IPKind.IPv4)]
    [InlineData(IPKind.IPv6)]
    public async Task The_gate_notes_how_far_the_timestamps_of_a_paced_connection_were_ahead_of_its_clock(IPKind kind)
    {
        await using LivePair pair = LivePair.Connect(lab, kind);
        await pair.ExchangeAsync();
        SocketState.Set(pair.Service.Socket, SocketLevel.SOL_SOCKET, SocketLevel.SO_MAX_PACING_RATE, 1_000_000);
        pair.Service.Send(200_000);
        FrozenConnection frozen = pair.Freeze();
        using ConnectionGate gate = lab.Origin.Run(() => ConnectionGate.Open());
        uint noted = Assert.NotNull(gate.KeptTimestamp(pair.Connection));
        TimestampClock clock = frozen.Capture().Timestamps;
        // A segment of some kilobytes at 1 MB/s, or of 64 KiB, was let go before; the probe bears the time at which the next may leave.
        Assert.InRange(unchecked((int)(noted - clock.Value)), -50, 500);
        Assert.Equal(Math.Max(0, unchecked((int)(noted - clock.Value))), clock.Ahead.TotalMilliseconds);
    }
}
