using System.Net;
using Tcpcp.Relay.Sessions;
using Tcpcp.Relay.Settings;

namespace Tcpcp.Relay.Servers;

/// <summary>Servers that do the same. Sessions that find all of them full wait in a queue with a bound, the first first. Thread-safe.</summary>
internal sealed class ServerPool
{
    private readonly Lock _lock = new();
    private readonly Choice _choice = new();
    private readonly LinkedList<Waiting> _queue = [];
    private List<Server> _servers;

    public ServerPool(PoolSettings settings)
    {
        Settings = settings;
        _servers = [.. settings.Servers.Select(server => new Server(server))];
    }

    public string Name => Settings.Name;

    public PoolSettings Settings { get; private set; }

    public IReadOnlyList<Server> Servers => Volatile.Read(ref _servers);

    /// <summary>Sessions that wait for room.</summary>
    public int Queued
    {
        get
        {
            lock (_lock)
                return _queue.Count;
        }
    }

    /// <summary>What is configured anew counts for new sessions; servers that stay keep what is known of them, by name and address.</summary>
    public void Follow(PoolSettings settings)
    {
        lock (_lock)
        {
            List<Server> servers = [];
            foreach (ServerSettings one in settings.Servers)
            {
                Server? known = _servers.Find(server => server.Name == one.Name && server.Address.Equals(one.Address));
                known?.Follow(one);
                servers.Add(known ?? new Server(one));
            }

            Settings = settings;
            Volatile.Write(ref _servers, servers);
            Serve();
        }
    }

    /// <summary>Finds a server with room for a session, and waits for one if need be.</summary>
    /// <param name="tried">Servers that were tried for it.</param>
    /// <returns>The place, or why there is none.</returns>
    public async ValueTask<(ServerPlace? Place, SessionEnd Failure)> TakeAsync(IPAddress client, IReadOnlyCollection<Server> tried, CancellationToken cancellationToken)
    {
        Waiting waiting;
        lock (_lock)
        {
            Server? server = _queue.Count > 0 ? null : Choose(client, tried);
            if (server is not null)
                return (Take(server), default);
            if (!Candidates().Exists(one => !tried.Contains(one)))
                return (null, tried.Count > 0 ? SessionEnd.ConnectFailed : SessionEnd.NoServer);
            if (_queue.Count >= Settings.MaxQueued)
                return (null, SessionEnd.QueueFull);
            waiting = new Waiting(client, tried);
            waiting.Node = _queue.AddLast(waiting);
        }

        try
        {
            return (await waiting.Place.Task.WaitAsync(Settings.QueueTime, cancellationToken), default);
        }
        catch (TimeoutException)
        {
            return GiveUp(waiting) ?? (null, SessionEnd.QueueTimeout);
        }
        catch (OperationCanceledException)
        {
            GiveUp(waiting)?.Place?.GiveBack();
            throw;
        }
    }

    /// <summary>Takes a place for a session that comes from another host, if its server is configured here and has room.</summary>
    /// <param name="obstacle">Why not, in one sentence.</param>
    public ServerPlace? TakeFor(string name, out string obstacle)
    {
        lock (_lock)
        {
            Server? server = _servers.Find(one => one.Name == name);
            obstacle = server is null ? $"The pool {Name} has no server {name} here."
                : server.IsFull ? $"The server {name} has as many sessions here as it may ({server.Settings.MaxSessions})."
                : "";
            return obstacle.Length == 0 ? Take(server!) : null;
        }
    }

    public void GiveBack(Server server)
    {
        lock (_lock)
        {
            server.Sessions--;
            Serve();
        }
    }

    public void NoteConnected(Server server)
    {
        lock (_lock)
            server.NoteConnected();
    }

    /// <returns>Whether the server is left out from now on.</returns>
    public bool NoteConnectFailure(Server server)
    {
        lock (_lock)
            return server.NoteConnectFailure(Environment.TickCount64, Settings);
    }

    /// <returns>Whether the server counts as up, or as down, from now on.</returns>
    public bool NoteCheck(Server server, CheckResult result, CheckSettings check)
    {
        lock (_lock)
        {
            bool hasChanged = server.NoteCheck(result, Environment.TickCount64, check);
            if (hasChanged)
                Serve();
            return hasChanged;
        }
    }

    public void ForgetChecks(Server server)
    {
        lock (_lock)
        {
            server.ForgetChecks();
            Serve();
        }
    }

    /// <summary>What the operator sets at run time.</summary>
    /// <returns>False if there is no such server.</returns>
    public bool Set(string name, ServerState? state, int? weight)
    {
        lock (_lock)
        {
            if (_servers.Find(one => one.Name == name) is not { } server)
                return false;
            server.State = state ?? server.State;
            server.Weight = weight ?? server.Weight;
            Serve();
            return true;
        }
    }

    private ServerPlace Take(Server server)
    {
        server.Sessions++;
        return new ServerPlace(this, server);
    }

    // Those who wait and can be served are.
    private void Serve()
    {
        for (LinkedListNode<Waiting>? next = _queue.First; next is not null;)
        {
            (LinkedListNode<Waiting> node, next) = (next, next.Next);
            if (Choose(node.Value.Client, node.Value.Tried) is not { } server)
                continue;
            _queue.Remove(node);
            node.Value.Place.TrySetResult(Take(server));
        }
    }

    // Null: it left the queue without a place.
    private (ServerPlace? Place, SessionEnd Failure)? GiveUp(Waiting waiting)
    {
        lock (_lock)
        {
            if (waiting.Place.Task.IsCompletedSuccessfully)
                return (waiting.Place.Task.Result, default);
            _queue.Remove(waiting.Node!);
            return null;
        }
    }

    // Backup servers count only while no other takes sessions.
    private List<Server> Candidates()
    {
        long now = Environment.TickCount64;
        List<Server> taking = _servers.FindAll(server => server.TakesSessions(now));
        List<Server> first = taking.FindAll(server => !server.Settings.IsBackup);
        return first.Count > 0 ? first : taking;
    }

    private Server? Choose(IPAddress client, IReadOnlyCollection<Server> tried)
    {
        long now = Environment.TickCount64;
        List<Server> candidates = Candidates();
        return candidates.Count == 0 ? null : _choice.Choose(
            Settings.Balance, candidates, server => server.IsFull || tried.Contains(server), server => server.WeightAt(now, Settings.SlowStart), client);
    }

    private sealed record Waiting(IPAddress Client, IReadOnlyCollection<Server> Tried)
    {
        public TaskCompletionSource<ServerPlace> Place { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public LinkedListNode<Waiting>? Node { get; set; }
    }
}
