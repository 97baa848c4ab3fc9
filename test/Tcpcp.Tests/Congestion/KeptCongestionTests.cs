using System.Diagnostics;
using System.Text;
using Tcpcp.Core;
using Tcpcp.Linux.Congestion;
using Tcpcp.Linux.Tcp;
using Tcpcp.Restore;
using static Tcpcp.Linux.Tcp.SocketLevel;
using static Tcpcp.Linux.Tcp.TcpOption;

namespace Tcpcp.Tests.Congestion;

public sealed class KeptCongestionTests(FarPeerLab lab) : IClassFixture<FarPeerLab>
{
    private const int Attempts = 3; // another program on this machine's processors can only make it slower

    private static readonly TimeSpan s_second = TimeSpan.FromSeconds(1);

    [Theory]
    [InlineData("cubic")]
    [InlineData("bbr")]
    public async Task A_drained_sender_goes_on_at_its_rate_and_without_it_does_not(string algorithm)
    {
        RequireKeep(algorithm);
        (TimeSpan kept, TimeSpan pause) = await PassDrainedAsync(algorithm, CongestionStart.Keep);
        for (int attempt = 1; attempt < Attempts && kept > 1.5 * pause; attempt++)
            (kept, pause) = await PassDrainedAsync(algorithm, CongestionStart.Keep);
        (TimeSpan otherwise, _) = await PassDrainedAsync(algorithm, CongestionStart.Default);
        string what = $"{algorithm}: of the first second {kept.TotalMilliseconds:f0} ms were lost, without it {otherwise.TotalMilliseconds:f0} ms, after a pause of {pause.TotalMilliseconds:f0} ms";
        TestContext.Current.TestOutputHelper!.WriteLine(what);
        Assert.True(kept <= 1.5 * pause, what);
        Assert.True(otherwise > 2 * kept, what);
    }

    private void RequireKeep(string algorithm)
    {
        Assert.SkipUnless(File.ReadAllText("/proc/sys/net/ipv4/tcp_available_congestion_control").Split().Contains(algorithm), $"The kernel has no {algorithm}.");
        Assert.Null(lab.Origin.Run(KeptCongestion.FindObstacle)); // first asked where there is a BPF file system
        Assert.Null(KeptCongestion.FindEcnObstacle()); // the slow start threshold
    }

    // How much of the first second after the pass is lost at the rate from before, and how long the sender was silent.
    private async Task<(TimeSpan Lost, TimeSpan Pause)> PassDrainedAsync(string algorithm, CongestionStart start)
    {
        await using LivePair pair = LivePair.Connect(lab, isCaptured: false,
            listener: socket => SocketOption.SetBytes(socket.SafeHandle, IPPROTO_TCP, TCP_CONGESTION, Encoding.ASCII.GetBytes(algorithm)));
        using Traffic service = Traffic.Start(pair.Service, 2 * FarPeerLab.BytesPerSecond);
        using Traffic peer = Traffic.Start(pair.Peer, bytesPerSecond: 0);
        double rate = 0;
        for (int i = 0; i < 15 && rate < 0.9 * FarPeerLab.BytesPerSecond; i++)
            rate = await ReceivedInASecondAsync(pair);
        Assert.True(rate > 0.8 * FarPeerLab.BytesPerSecond, $"The path carries {rate / 1e6:f1} MB/s.");

        service.Pause();
        await Until.True(() => SocketState.Unacknowledged(pair.Service.Socket) == 0);
        long drained = Stopwatch.GetTimestamp();
        ConnectionSnapshot snapshot = pair.Take();
        DormantConnection dormant = pair.RestoreAt(pair.ServiceHost == lab.Origin ? lab.Destination : lab.Origin,
            snapshot with { Congestion = snapshot.Congestion with { Start = start } });
        Assert.Null(dormant.KeepObstacle);
        pair.Activate(dormant);
        TimeSpan pause = FarPeerLab.RoundTrip + Stopwatch.GetElapsedTime(drained); // the last byte left a round trip before it was acknowledged
        Assert.Equal(start == CongestionStart.Keep, MaxPacingRate(pair) < ulong.MaxValue);
        Assert.Equal(ulong.MaxValue, SocketState.Options(pair.Service.Socket).MaxPacingRate); // what a further pass captures
        service.Resume();
        double after = await ReceivedInASecondAsync(pair);
        TcpInfo info = SocketState.Info(pair.Service.Socket);
        TestContext.Current.TestOutputHelper!.WriteLine(
            $"{start}: {info.tcpi_total_retrans} retransmitted, window {info.tcpi_snd_cwnd}, threshold {info.tcpi_snd_ssthresh}; {rate / 1e6:f1} MB/s before, {after / 1e6:f1} after");
        await Until.True(() => MaxPacingRate(pair) == ulong.MaxValue); // the limit ends
        service.Pause();
        peer.Pause();
        await pair.ExchangeAsync();
        return (s_second * (1 - (after / rate)), pause);
    }

    private static ulong MaxPacingRate(LivePair pair)
    {
        SocketOption.Get(pair.Service.Socket.SafeHandle, SOL_SOCKET, SO_MAX_PACING_RATE, out ulong rate);
        return rate;
    }

    // The rate, in bytes a second.
    private static async Task<double> ReceivedInASecondAsync(LivePair pair)
    {
        (long started, long before) = (Stopwatch.GetTimestamp(), pair.Peer.Received);
        await Until.True(() => Stopwatch.GetElapsedTime(started) >= s_second);
        return (pair.Peer.Received - before) / Stopwatch.GetElapsedTime(started).TotalSeconds;
    }
}
