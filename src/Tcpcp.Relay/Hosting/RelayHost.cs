using System.Collections.Concurrent;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using Tcpcp.Configuration;
using Tcpcp.Linux;
using Tcpcp.Linux.UnixSockets;
using Tcpcp.Relay.Control;
using Tcpcp.Relay.Listening;
using Tcpcp.Relay.Opening;
using Tcpcp.Relay.Passing;
using Tcpcp.Relay.Servers;
using Tcpcp.Relay.Sessions;
using Tcpcp.Relay.Settings;

namespace Tcpcp.Relay.Hosting;

/// <summary>A relay: its listeners, pools and sessions, its agent and its commands.</summary>
internal sealed class RelayHost : IAsyncDisposable
{
    private static readonly TimeSpan s_endTime = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_passTime = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan s_stayingLook = TimeSpan.FromMilliseconds(200);

    // What is read at the start alone.
    private static readonly string[] s_fixedKeys = ["application", "agent", "control:socket", "control:group", "threads", "buffer-bytes", "metrics:listen", "log-level", "log-sessions"];

    private readonly string _path;
    private readonly ILogger _log;
    private readonly RelayConfiguration _started;
    private readonly ConcurrentDictionary<string, Listener> _listeners = new(StringComparer.OrdinalIgnoreCase);
    private readonly ConcurrentDictionary<string, (ServerPool Pool, ServerChecks Checks)> _pools = new(StringComparer.OrdinalIgnoreCase);
    private readonly SessionOpener _opener;
    private readonly CancellationTokenSource _stopping = new();
    private readonly SemaphoreSlim _oneReload = new(1);
    private readonly SessionReceiver _receiver;
    private readonly TaskCompletionSource _handedOver = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ControlServer? _control;
    private AgentLink? _agent;
    private RelayMetrics? _metrics;
    private readonly TaskCompletionSource<(int Taken, int Staying)> _handed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _isHandingOver;

    private RelayHost(string path, RelayConfiguration configuration, ILogger log)
    {
        (_path, _started, _log) = (path, configuration, log);
        Sessions = new RelaySessions(configuration.Threads, configuration.BufferBytes, configuration.LogsSessions, log);
        Passes = new SessionPasses(configuration.Application, log);
        _opener = new SessionOpener(FindPool, Sessions.Begin, Sessions.NextLoop, Sessions, log);
        _receiver = new SessionReceiver(Passes, Sessions, FindListener, FindPool, log);
    }

    public RelaySessions Sessions { get; }

    public SessionPasses Passes { get; }

    public IEnumerable<Listener> Listeners => _listeners.Values.OrderBy(listener => listener.Name, StringComparer.Ordinal);

    public IEnumerable<ServerPool> Pools => _pools.Values.Select(one => one.Pool).OrderBy(pool => pool.Name, StringComparer.Ordinal);

    /// <summary>The agent of this host; null: it is not reached, or none is configured.</summary>
    public AgentLink? Agent => _agent;

    /// <summary>A new process has all that this one had: nothing is left to be done here.</summary>
    public Task HandedOver => _handedOver.Task;

    /// <summary>With all listeners listening.</summary>
    /// <param name="path">The configuration's file, for reading it again.</param>
    /// <param name="takesOver">Listening sockets and sessions are those of the process of the relay that runs here.</param>
    /// <exception cref="IOException">Something cannot be listened on, or there is nothing to take over.</exception>
    public static async Task<RelayHost> StartAsync(string path, RelayConfiguration configuration, ILogger log, bool takesOver = false)
    {
        RelayHost relay = new(path, configuration, log);
        try
        {
            if (takesOver)
                await relay.SucceedAsync(configuration);
            relay.Follow(configuration);
            await relay.OpenAsync();
            return relay;
        }
        catch
        {
            await relay.DisposeAsync();
            throw;
        }
    }

    /// <summary>
    /// Gives everything to a new process of the relay on this host. What that one cannot take goes on here to its end; <see cref="HandedOver"/> says when.
    /// </summary>
    /// <returns>Null if it was done; else why not: then all goes on here.</returns>
    public async Task<string?> HandOverAsync(ControlConversation conversation)
    {
        if (Interlocked.Exchange(ref _isHandingOver, 1) != 0)
            return "Another new process takes over already.";
        await _oneReload.WaitAsync(); // for ever, if it is done
        Passes.IsClosed = true;
        Handover handover = new(this, conversation, _log);
        try
        {
            long began = TimeProvider.System.GetTimestamp();
            while (Passes.Standing + _receiver.Expected > 0)
            {
                if (TimeProvider.System.GetElapsedTime(began) > s_passTime)
                    throw new IOException($"{Passes.Standing + _receiver.Expected} sessions are in passes that do not come to an end: see tcpcp resolve.");
                await Task.Delay(s_look);
            }

            await CloseAsync();
            await handover.RunAsync();
        }
        catch (Exception e) when (e is KernelException or IOException or Google.Protobuf.InvalidProtocolBufferException)
        {
            _log.NotHandedOver(Sessions.Count, e.Message);
            Passes.IsClosed = false;
            foreach (Listener listener in Listeners)
            {
                await listener.PauseAsync();
                listener.Resume();
            }

            if (_control is null)
                await OpenAsync();
            _oneReload.Release();
            Volatile.Write(ref _isHandingOver, 0);
            return e.Message;
        }

        foreach (Listener listener in Listeners)
            listener.Leave();
        _log.HandedOver(handover.Taken, handover.Staying);
        _handed.TrySetResult((handover.Taken, handover.Staying));
        _ = EndAsync(handover);
        return null;
    }

    /// <summary>How many sessions a new process has taken, and how many stay here, when all that can be handed over is.</summary>
    public Task<(int Taken, int Staying)> UntilHandedOverAsync() => _handed.Task;

    /// <summary>Something that is to be said before the process ends, when it has handed over.</summary>
    public Task LastWord { get; set; } = Task.CompletedTask;

    public Listener? FindListener(string name) => _listeners.GetValueOrDefault(name);

    public ServerPool? FindPool(string name) => _pools.GetValueOrDefault(name).Pool;

    /// <summary>Reads the configuration again; sessions are not touched. A fault in the file is in the log, and changes nothing; so is an address that cannot be listened on.</summary>
    public async Task ReloadAsync()
    {
        await _oneReload.WaitAsync();
        try
        {
            RelayConfiguration read = RelayConfiguration.Read(_path);
            Follow(read);
            string[] waiting = [.. s_fixedKeys.Where(key => _started.Values.GetValueOrDefault(key) != read.Values.GetValueOrDefault(key))];
            _log.Reloaded(waiting.Length == 0 ? "" : $"These count from the next start: {string.Join(", ", waiting)}.");
        }
        catch (Exception e) when (e is ConfigurationException or IOException)
        {
            _log.NotReloaded(e.Message);
        }
        finally
        {
            _oneReload.Release();
        }
    }

    /// <summary>Accepts nothing more, and ends all sessions.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        foreach (Listener listener in _listeners.Values)
            listener.Dispose();
        foreach ((_, ServerChecks checks) in _pools.Values)
            checks.Dispose();
        if (_control is not null)
            await _control.DisposeAsync();
        if (_metrics is not null)
            await _metrics.DisposeAsync();
        if (_agent is not null)
            await _agent.DisposeAsync();
        await Sessions.EndAllAsync(SessionEnd.Shutdown, s_endTime);
        Sessions.Dispose();
        _oneReload.Dispose();
    }

    // Where it is reached: by commands, metrics, its agent.
    private async Task OpenAsync()
    {
        _control = ControlServer.Start(this, _started.ControlSocket, UserGroup.Find(_started.ControlGroup), _log);
        if (_started.MetricsListen is { } metrics)
            _metrics = await RelayMetrics.StartAsync(this, metrics);
        if (_started.AgentSocket is { } agent)
            _agent = await AgentLink.StartAsync(agent, _started.Application, _receiver, _log);
        _log.Ready(_started.Application, _started.Listeners.Count, _started.Pools.Count, _started.ControlSocket);
    }

    private async Task CloseAsync()
    {
        if (_agent is not null)
            await _agent.DisposeAsync();
        if (_metrics is not null)
            await _metrics.DisposeAsync();
        _control?.StopListening();
        (_agent, _metrics, _control) = (null, null, null);
    }

    private async Task SucceedAsync(RelayConfiguration configuration)
    {
        FollowPools(configuration);
        foreach (ListenerSettings settings in configuration.Listeners)
            _listeners[settings.Name] = NewListener(settings);
        Succession succession = new(_receiver, FindListener);
        await succession.RunAsync(configuration.ControlSocket);
        _log.TookOver(succession.Listeners, succession.Sessions);
    }

    private async Task EndAsync(Handover handover)
    {
        await LastWord.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        while (handover.Staying > 0)
            await Task.Delay(s_stayingLook);
        _handedOver.TrySetResult();
    }

    private Listener NewListener(ListenerSettings settings) => new(settings, Open, reason => _log.NotAccepted(settings.Name, reason));

    // Pools first: a listener finds its own at once.
    private void Follow(RelayConfiguration configuration)
    {
        FollowPools(configuration);
        FollowListeners(configuration);
    }

    private void FollowPools(RelayConfiguration configuration)
    {
        foreach (PoolSettings settings in configuration.Pools)
        {
            if (FindPool(settings.Name) is { } known)
            {
                known.Follow(settings);
                continue;
            }

            ServerPool pool = new(settings);
            ServerChecks checks = new(pool, Sessions.AnyLoop, _log);
            _pools[settings.Name] = (pool, checks);
            checks.Start();
        }
    }

    private void FollowListeners(RelayConfiguration configuration)
    {
        foreach (string gone in _listeners.Keys.Except(configuration.Listeners.Select(listener => listener.Name), StringComparer.OrdinalIgnoreCase))
        {
            if (_listeners.TryRemove(gone, out Listener? listener))
                listener.Dispose();
        }

        List<string> faults = [];
        foreach (ListenerSettings settings in configuration.Listeners)
        {
            try
            {
                _listeners.GetOrAdd(settings.Name, _ => NewListener(settings)).Follow(settings);
            }
            catch (IOException e)
            {
                faults.Add(e.Message); // the others are followed all the same
            }
        }

        foreach (string gone in _pools.Keys.Except(configuration.Pools.Select(pool => pool.Name), StringComparer.OrdinalIgnoreCase))
        {
            if (_pools.TryRemove(gone, out (ServerPool Pool, ServerChecks Checks) removed))
                removed.Checks.Dispose();
        }

        if (faults.Count > 0)
            throw new IOException(string.Join(' ', faults));
    }

    private void Open(Socket client, ListenerPlace place) => _ = _opener.OpenAsync(client, place, _stopping.Token);
}
