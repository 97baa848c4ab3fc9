using System.Collections.Concurrent;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using Tcpcp.Configuration;
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
    private ControlServer? _control;
    private AgentLink? _agent;
    private RelayMetrics? _metrics;

    private RelayHost(string path, RelayConfiguration configuration, ILogger log)
    {
        (_path, _started, _log) = (path, configuration, log);
        Sessions = new RelaySessions(configuration.Threads, configuration.BufferBytes, configuration.LogsSessions, log);
        Passes = new SessionPasses(configuration.Application, log);
        _opener = new SessionOpener(FindPool, Sessions.Begin, Sessions.NextLoop, Sessions, log);
    }

    public RelaySessions Sessions { get; }

    public SessionPasses Passes { get; }

    public IEnumerable<Listener> Listeners => _listeners.Values.OrderBy(listener => listener.Name, StringComparer.Ordinal);

    public IEnumerable<ServerPool> Pools => _pools.Values.Select(one => one.Pool).OrderBy(pool => pool.Name, StringComparer.Ordinal);

    /// <summary>The agent of this host; null: it is not reached, or none is configured.</summary>
    public AgentLink? Agent => _agent;

    /// <summary>With all listeners listening.</summary>
    /// <param name="path">The configuration's file, for reading it again.</param>
    /// <exception cref="IOException">Something cannot be listened on.</exception>
    public static async Task<RelayHost> StartAsync(string path, RelayConfiguration configuration, ILogger log)
    {
        RelayHost relay = new(path, configuration, log);
        try
        {
            relay.Follow(configuration);
            relay._control = ControlServer.Start(relay, configuration.ControlSocket, UserGroup.Find(configuration.ControlGroup), log);
            if (configuration.MetricsListen is { } metrics)
                relay._metrics = await RelayMetrics.StartAsync(relay, metrics);
            if (configuration.AgentSocket is { } agent)
            {
                SessionReceiver receiver = new(relay.Passes, relay.Sessions, relay.FindListener, relay.FindPool, log);
                relay._agent = await AgentLink.StartAsync(agent, configuration.Application, receiver, log);
            }

            log.Ready(configuration.Application, configuration.Listeners.Count, configuration.Pools.Count, configuration.ControlSocket);
            return relay;
        }
        catch
        {
            await relay.DisposeAsync();
            throw;
        }
    }

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

    // Pools first: a listener finds its own at once.
    private void Follow(RelayConfiguration configuration)
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
                _listeners.GetOrAdd(settings.Name, _ => new Listener(settings, Open, reason => _log.NotAccepted(settings.Name, reason))).Follow(settings);
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
