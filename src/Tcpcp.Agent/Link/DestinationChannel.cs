using System.Diagnostics;
using System.Net;
using Tcpcp.Agent.Redirection;
using Tcpcp.Core;
using Tcpcp.Core.Wire;
using OwnedConnection = Tcpcp.Agent.Redirection.OwnedConnection;
using ServicePorts = Tcpcp.Agent.Redirection.ServicePorts;
using ForwardedConnection = Tcpcp.Agent.Redirection.ForwardedConnection;
using FourTuple = Tcpcp.Core.FourTuple;

namespace Tcpcp.Agent.Link;

/// <summary>The way to one destination's agent, kept warm: opened at once, and again with back-off whenever it breaks. Thread-safe.</summary>
/// <param name="ownAddress">The address of this host that links come from; null: any, which may be a service address that moves away.</param>
/// <param name="strays">What a destination is answered that speaks of a pass which has no link; null: nothing.</param>
internal sealed class DestinationChannel(
    DestinationAddress destination, IPAddress? ownAddress, AgentCredentials credentials, LinkObserver observer, StrayAnswer? strays = null) : IHomeAgent, IRedirectorAgent, IDisposable
{
    private static readonly TimeSpan s_firstPause = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan s_longestPause = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_connectTime = TimeSpan.FromSeconds(5);

    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _ending = new();
    private Task<AgentConnection>? _attempt;
    private AgentConnection? _connection;
    private LinkException? _fault;
    private long _failedAt;

    public DestinationAddress Destination => destination;

    /// <summary>Whether a pass could be offered at once.</summary>
    public bool IsConnected => _connection is { IsOpen: true };

    /// <summary>Why the destination was not reached the last time; null if it was.</summary>
    public string? Fault => _fault?.Message;

    /// <summary>Opens it, and from now on opens it again when it breaks.</summary>
    public void KeepWarm() => _ = KeepWarmAsync();

    /// <summary>Opens the link of one pass.</summary>
    /// <exception cref="LinkException">The destination was not reached, or is not who it should be.</exception>
    public async ValueTask<IPassLink> ConnectAsync(PassId pass, CancellationToken cancellationToken)
    {
        AgentConnection? connection = _connection;
        if (connection is not { IsOpen: true })
            connection = await GetAsync(cancellationToken);
        return connection.Open(pass);
    }

    /// <summary>Asks the agent who it is.</summary>
    /// <exception cref="LinkException">There was no answer.</exception>
    public async Task<PingReply> PingAsync(CancellationToken cancellationToken) =>
        await (await GetAsync(cancellationToken)).PingAsync(cancellationToken);

    string IHomeAgent.HomeName => destination.Name;

    public async Task<IReadOnlyList<ForwardedConnection>> ListForwardedAsync(IReadOnlyCollection<FourTuple> named, CancellationToken cancellationToken) =>
        await (await GetAsync(cancellationToken)).ListForwardedAsync(named, cancellationToken);

    public async Task<IReadOnlyList<FourTuple>> EndForwardedAsync(IReadOnlyCollection<ForwardedConnection> ended, CancellationToken cancellationToken) =>
        await (await GetAsync(cancellationToken)).EndForwardedAsync(ended, cancellationToken);

    string IRedirectorAgent.RedirectorName => destination.Name;

    public async Task<(string? Obstacle, ulong LastNumber)> ExamineAsync(IReadOnlyList<FourTuple> connections, OtherHost host, CancellationToken cancellationToken) =>
        await (await GetAsync(cancellationToken)).ExamineAsync(connections, host.Name, cancellationToken);

    public async Task<ulong> RedirectAsync(RedirectOrder order, CancellationToken cancellationToken) =>
        await (await GetAsync(cancellationToken)).RedirectAsync(order, cancellationToken);

    /// <summary>Asks the host for its connections that come by services.</summary>
    /// <exception cref="LinkException">There was no answer.</exception>
    public async Task<IReadOnlyList<OwnedConnection>> ListOwnedAsync(IReadOnlyCollection<ServicePorts> services, CancellationToken cancellationToken) =>
        await (await GetAsync(cancellationToken)).ListOwnedAsync(services, cancellationToken);

    public async Task<RepointAnswer> RepointAsync(RepointOrder order, CancellationToken cancellationToken) =>
        await (await GetAsync(cancellationToken)).RepointAsync(order, cancellationToken);

    /// <inheritdoc cref="AgentConnection.TakeAddressAsync"/>
    public async Task<string?> TakeAddressAsync(
        IPAddress address, AddressPorts ports, IReadOnlyList<FourTuple> staying, bool isQuestion, CancellationToken cancellationToken) =>
        await (await GetAsync(cancellationToken)).TakeAddressAsync(address, ports, staying, isQuestion, cancellationToken);

    public async Task ClaimForwardedAsync(IReadOnlyCollection<FourTuple> connections, CancellationToken cancellationToken) =>
        await (await GetAsync(cancellationToken)).ClaimForwardedAsync(connections, cancellationToken);

    public void Dispose()
    {
        lock (_lock)
        {
            if (_ending.IsCancellationRequested)
                return;
            _ending.Cancel();
        }

        _connection?.Dispose();
    }

    // All who wait share one attempt. Right after one that has failed the next one waits a little: the destination may have come meanwhile.
    private Task<AgentConnection> GetAsync(CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_ending.IsCancellationRequested, this);
            if (_connection is { IsOpen: true } open)
                return Task.FromResult(open);
            if (_attempt is null or { IsCompleted: true })
            {
                TimeSpan pause = _fault is null ? TimeSpan.Zero : s_firstPause - Stopwatch.GetElapsedTime(_failedAt);
                _attempt = Task.Run(() => OpenAsync(pause), CancellationToken.None);
            }

            return _attempt.WaitAsync(cancellationToken);
        }
    }

    private async Task<AgentConnection> OpenAsync(TimeSpan pause)
    {
        using CancellationTokenSource timer = CancellationTokenSource.CreateLinkedTokenSource(_ending.Token);
        timer.CancelAfter(s_connectTime);
        try
        {
            if (pause > TimeSpan.Zero)
                await Task.Delay(pause, timer.Token);
            AgentConnection connection = await AgentConnection.OpenAsync(destination, ownAddress, credentials.Current, strays, timer.Token);
            lock (_lock)
                (_connection, _fault) = (connection, null);
            if (_ending.IsCancellationRequested)
                connection.Dispose();
            else
                observer(new LinkEvent(LinkEventKind.Connected, destination.Name, $"The agent of {destination} was reached."));
            _ = connection.Ended.ContinueWith(
                ended => observer(new LinkEvent(LinkEventKind.Broken, destination.Name, ended.Result.Message)), TaskScheduler.Default);
            return connection;
        }
        catch (OperationCanceledException e)
        {
            throw Failed(new LinkException(_ending.IsCancellationRequested
                ? $"The link to {destination} was closed."
                : $"The agent of {destination} was not reached within {s_connectTime.TotalSeconds} s.", e));
        }
        catch (LinkException e)
        {
            throw Failed(e);
        }
    }

    private LinkException Failed(LinkException fault)
    {
        bool isNews;
        lock (_lock)
        {
            isNews = _fault?.Message != fault.Message && !_ending.IsCancellationRequested;
            (_fault, _failedAt) = (fault, Stopwatch.GetTimestamp());
        }

        if (isNews)
            observer(new LinkEvent(LinkEventKind.Unreachable, destination.Name, fault.Message));
        return fault;
    }

    private async Task KeepWarmAsync()
    {
        TimeSpan pause = s_firstPause;
        while (!_ending.IsCancellationRequested)
        {
            long began = Stopwatch.GetTimestamp();
            try
            {
                AgentConnection connection = await GetAsync(_ending.Token);
                await connection.Ended;
                if (Stopwatch.GetElapsedTime(began) > s_longestPause)
                    pause = s_firstPause;
            }
            catch (Exception e) when (e is LinkException or OperationCanceledException or ObjectDisposedException)
            {
                // Tried again after the pause; it has been reported.
            }

            await Task.Delay(pause, _ending.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            pause = pause * 2 < s_longestPause ? pause * 2 : s_longestPause;
        }
    }
}
