using Tcpcp.Core;
using Tcpcp.Gate;
using Tcpcp.Lab;
using Tcpcp.Linux.Tcp;

namespace Tcpcp.Tests;

/// <summary>
/// Connections that are watched for ten seconds, all at the same time: ten periods of the shortest keep-alive that the kernel allows, and more than ten
/// times the retransmission time of each of them.
/// </summary>
public sealed class SilenceScenarios : IAsyncLifetime
{
    private static readonly TimeSpan s_tenPeriods = TimeSpan.FromSeconds(10);

    private readonly PassLab _lab = new();
    private readonly List<Watched> _watched = [];

    internal Watched FrozenWithKeepAlive { get; private set; } = null!;

    internal Watched FrozenWithDataInFlight { get; private set; } = null!;

    internal Watched FrozenWithClosedWindow { get; private set; } = null!;

    internal Watched DormantWithDataInFlight { get; private set; } = null!;

    internal Watched Released { get; private set; } = null!;

    internal Watched InRepairModeWithKeepAlive { get; private set; } = null!;

    internal Watched InRepairModeWithDataInFlight { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        await _lab.InitializeAsync();
        FrozenWithKeepAlive = await FreezeAsync(SocketState.SetKeepAlive);
        FrozenWithDataInFlight = await FreezeAsync(SocketState.SetKeepAlive, SendUnanswered);
        FrozenWithClosedWindow = await FreezeAsync(SocketState.SetKeepAlive, FillPeer);
        DormantWithDataInFlight = await LeaveDormantAsync();
        Released = await ReleaseAsync();
        InRepairModeWithKeepAlive = await EnterRepairModeAsync(SocketState.SetKeepAlive);
        InRepairModeWithDataInFlight = await EnterRepairModeAsync(null, SendUnanswered);
        foreach (Watched watched in _watched)
            watched.Begin();
    }

    /// <summary>Returns when ten periods have passed since the last of the scenarios began.</summary>
    internal async Task EndAsync() => await Task.WhenAll(_watched.Select(watched => watched.EndAsync(s_tenPeriods)));

    public async ValueTask DisposeAsync()
    {
        foreach (Watched watched in _watched)
            await watched.Pair.DisposeAsync();
        await _lab.DisposeAsync();
    }

    private async Task<Watched> FreezeAsync(Action<System.Net.Sockets.Socket> configure, Func<LivePair, Task>? before = null)
    {
        LivePair pair = await PrepareAsync(configure, before);
        return await WatchAsync(pair, _lab.Origin, pair.Freeze());
    }

    private async Task<Watched> LeaveDormantAsync()
    {
        LivePair pair = await PrepareAsync(SocketState.SetKeepAlive, SendUnanswered);
        ConnectionSnapshot snapshot = pair.Take();
        Assert.NotEqual(0, snapshot.Sent.Length);
        return await WatchAsync(pair, _lab.Destination, pair.RestoreAt(_lab.Destination, snapshot));
    }

    private async Task<Watched> ReleaseAsync()
    {
        LivePair pair = await PrepareAsync(SocketState.SetKeepAlive, null);
        pair.Take();
        Watched watched = await WatchAsync(pair, _lab.Origin, null);
        pair.Peer.Send(1000); // is sent again and again
        return watched;
    }

    private async Task<Watched> EnterRepairModeAsync(Action<System.Net.Sockets.Socket>? configure, Func<LivePair, Task>? before = null)
    {
        LivePair pair = await PrepareAsync(configure, before);
        RepairMode.Enter(pair.Service.Socket.SafeHandle);
        return await WatchAsync(pair, _lab.Origin, null);
    }

    private async Task<LivePair> PrepareAsync(Action<System.Net.Sockets.Socket>? configure, Func<LivePair, Task>? before)
    {
        LivePair pair = LivePair.Connect(_lab, peer: socket => socket.ReceiveBufferSize = 8192);
        await pair.ExchangeAsync(1000);
        if (before is not null)
            await before(pair);
        configure?.Invoke(pair.Service.Socket);
        return pair;
    }

    private async Task<Watched> WatchAsync(LivePair pair, Host host, IDisposable? scope)
    {
        Wiretap tap = pair.Tap();
        await tap.BeginAfterAsync(host);
        Watched watched = new(pair, tap, scope);
        _watched.Add(watched);
        return watched;
    }

    private async Task SendUnanswered(LivePair pair)
    {
        using IDisposable loss = _lab.LoseToPeer(_lab.Origin);
        pair.Service.Send(1000);
        await Until.True(() => SocketState.Unsent(pair.Service.Socket) == 0);
    }

    private static async Task FillPeer(LivePair pair)
    {
        pair.Service.Send(100_000);
        await Until.True(() => SocketState.Unacknowledged(pair.Service.Socket) is > 0 and { } left && left == SocketState.Unsent(pair.Service.Socket));
    }

    /// <summary>One of the connections.</summary>
    internal sealed record Watched(LivePair Pair, Wiretap Tap, IDisposable? Scope)
    {
        private long _began;

        public FrozenConnection Frozen => (FrozenConnection)Scope!;

        public DormantConnection Dormant => (DormantConnection)Scope!;

        public void Begin() => _began = Environment.TickCount64;

        public Task EndAsync(TimeSpan period) =>
            Until.True(() => Environment.TickCount64 - _began > period.TotalMilliseconds, TimeSpan.FromSeconds(60));
    }
}
