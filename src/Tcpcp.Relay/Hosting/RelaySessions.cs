using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Tcpcp.Relay.Loops;
using Tcpcp.Relay.Sessions;

namespace Tcpcp.Relay.Hosting;

/// <summary>All sessions, and the loops that they run on. Thread-safe.</summary>
internal sealed class RelaySessions : ISessionOwner, IDisposable
{
    private readonly ConcurrentDictionary<Session, bool> _sessions = new();
    private readonly SessionLoop[] _loops;
    private readonly ILogger _log;
    private readonly bool _isLogged;

    /// <param name="isLogged">Each session's end gets a line.</param>
    public RelaySessions(int threads, int bufferBytes, bool isLogged, ILogger log)
    {
        (_log, _isLogged) = (log, isLogged);
        _loops = [.. Enumerable.Range(0, threads).Select(number =>
            new SessionLoop($"tcpcp relay {number}", bufferBytes, fault => log.Failed("A fault of the relay's own, please report it.", fault)))];
    }

    /// <summary>Those that are open.</summary>
    public IReadOnlyCollection<Session> All => [.. _sessions.Keys];

    public int Count => _sessions.Count;

    /// <summary>A loop for what needs one and is no session.</summary>
    public SessionLoop AnyLoop => _loops[0];

    /// <summary>The loop that a new session is to run on.</summary>
    public SessionLoop NextLoop()
    {
        SessionLoop least = _loops[0];
        foreach (SessionLoop loop in _loops)
        {
            if (loop.Count < least.Count)
                least = loop;
        }

        return least;
    }

    /// <summary>It runs from now on.</summary>
    public void Begin(Session session)
    {
        _sessions[session] = true;
        session.Identity.ServerPlace.Server.Count();
        session.Start();
    }

    /// <summary>Ends all sessions; returns when they are closed, or the time is up.</summary>
    public async Task EndAllAsync(SessionEnd end, TimeSpan limit)
    {
        foreach (Session session in _sessions.Keys)
            session.End(end);
        Task all = Task.WhenAll(_loops.Select(loop => loop.InvokeAsync(() => true)));
        await all.WaitAsync(limit).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    public void Moved(Session session, long toServer, long toClient)
    {
        session.Identity.ServerPlace.Server.Moved(toServer, toClient);
        session.Identity.ClientPlace.Listener.Moved(toServer, toClient);
    }

    public void Ended(Session session, SessionEnd end)
    {
        SessionIdentity identity = session.Identity;
        _sessions.TryRemove(session, out _);
        identity.ServerPlace.GiveBack();
        identity.ClientPlace.GiveBack();
        if (_isLogged)
        {
            _log.SessionEnded(identity.Id, identity.ClientPlace.Listener.Name, identity.Client, identity.ServerPlace.Pool.Name, identity.ServerPlace.Server.Name, end.Name(),
                session.ToServer.Bytes, session.ToClient.Bytes, identity.Opening.TotalMilliseconds, (DateTimeOffset.UtcNow - identity.Accepted).TotalSeconds, identity.Passes);
        }
    }

    public void Dispose()
    {
        foreach (SessionLoop loop in _loops)
            loop.Dispose();
    }
}
