using System.Net.Sockets;
using Tcpcp.Core;
using Tcpcp.Linux.Tcp;
using Tcpcp.Restore;
using static Tcpcp.Linux.Tcp.SocketLevel;

namespace Tcpcp.Tests.Congestion;

/// <summary>What an application does within the round trips whose pacing rate is limited (CongestionStart.Keep).</summary>
public sealed class PacedRoundTripTests(FarPeerLab lab) : IClassFixture<FarPeerLab>
{
    private const ulong OwnRate = 15_000_000; // less than the path carries
    private const ulong SeedRate = 10_000_000;

    [Theory]
    [InlineData(OwnRate)]
    [InlineData(ulong.MaxValue)]
    public async Task The_applications_own_pacing_rate_is_what_it_was_afterwards(ulong own)
    {
        await using LivePair pair = await PassAsync(own);
        Assert.Equal(SeedRate, MaxPacingRate(pair));
        Assert.Equal(own, SocketState.Options(pair.Service.Socket).MaxPacingRate); // what a further pass captures
        using Traffic service = Traffic.Start(pair.Service), peer = Traffic.Start(pair.Peer, bytesPerSecond: 0);
        await Until.True(() => MaxPacingRate(pair) == own);
        service.Pause();
        peer.Pause();
        await pair.ExchangeAsync();
    }

    [Fact]
    public async Task A_pacing_rate_that_the_application_sets_meanwhile_stays()
    {
        const ulong another = 5_000_000;
        await using LivePair pair = await PassAsync(OwnRate);
        SocketOption.Set(pair.Service.Socket.SafeHandle, SOL_SOCKET, SO_MAX_PACING_RATE, another);
        using Traffic service = Traffic.Start(pair.Service), peer = Traffic.Start(pair.Peer, bytesPerSecond: 0);
        long goal = pair.Peer.Received + (long)(10 * FarPeerLab.RoundTrip.TotalSeconds * another);
        await Until.True(() => pair.Peer.Received >= goal);
        Assert.Equal(another, MaxPacingRate(pair));
    }

    [Fact]
    public async Task A_FIN_comes_behind_all_that_was_written_before_it()
    {
        const int bytes = 400_000; // less than the first window
        await using LivePair pair = await PassAsync(ulong.MaxValue);
        for (int sent = 0; sent < bytes;)
            sent += pair.Service.Send(bytes - sent);
        pair.Service.Socket.Shutdown(SocketShutdown.Send);
        Assert.Equal(SeedRate, MaxPacingRate(pair)); // it is limited still
        await Until.True(() =>
        {
            pair.Peer.Receive();
            return pair.Peer.IsAtEnd;
        });
        Assert.Equal((pair.Service.Sent, pair.Service.SentSum), (pair.Peer.Received, pair.Peer.ReceivedSum));
        Assert.Equal(0U, SocketState.Info(pair.Service.Socket).tcpi_total_retrans);
        pair.Peer.Socket.Shutdown(SocketShutdown.Send);
        await Until.True(() =>
        {
            pair.Service.Receive();
            return pair.Service.IsAtEnd;
        });
    }

    // With a window of which the test knows how large it is, whatever the path has given of late.
    private async Task<LivePair> PassAsync(ulong own)
    {
        Assert.Null(lab.Origin.Run(KeptCongestion.FindObstacle)); // first asked where there is a BPF file system
        LivePair pair = LivePair.Connect(lab, isCaptured: false);
        if (own != ulong.MaxValue)
            SocketOption.Set(pair.Service.Socket.SafeHandle, SOL_SOCKET, SO_MAX_PACING_RATE, own);
        await pair.ExchangeAsync();
        ConnectionSnapshot snapshot = pair.Take();
        Assert.Equal(own, snapshot.Options.MaxPacingRate);
        DormantConnection dormant = pair.RestoreAt(lab.Destination, snapshot with
        {
            Congestion = snapshot.Congestion with { Start = CongestionStart.Keep, WindowSegments = 700, DeliveryRate = SeedRate, MinRtt = FarPeerLab.RoundTrip },
        });
        Assert.Null(dormant.KeepObstacle);
        pair.Activate(dormant);
        return pair;
    }

    private static ulong MaxPacingRate(LivePair pair)
    {
        SocketOption.Get(pair.Service.Socket.SafeHandle, SOL_SOCKET, SO_MAX_PACING_RATE, out ulong rate);
        return rate;
    }
}
