using System.Collections.Concurrent;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using Tcpcp.Client;
using Tcpcp.Core;
using Tcpcp.Relay.Hosting;
using Tcpcp.Relay.Sessions;

namespace Tcpcp.Relay.Passing;

/// <summary>Passes of sessions to other hosts. A session that cannot move goes on here, and the log says why.</summary>
/// <param name="application">Under which relays are registered at their agents.</param>
internal sealed class SessionPasses(string application, ILogger log)
{
    private readonly ConcurrentDictionary<Session, bool> _standing = new();

    /// <summary>Sessions that stand still for a pass whose end is not known yet.</summary>
    public int Standing => _standing.Count;

    /// <summary>Sessions stay here: another process of the relay is to take them.</summary>
    public bool IsClosed { get; set; }

    /// <summary>What the agent needs to know.</summary>
    /// <param name="destination">Name of the agent there; empty: the agent here chooses.</param>
    public PassOrder OrderOf(Session session, string destination = "") => new()
    {
        Sockets = session.Sockets,
        Application = application,
        Destination = destination,
        Epoch = session.Identity.Epoch,
        IsInseparable = true,
        QuiesceAsync = async _ => await QuiesceAsync(session),
        Resume = session.Start,
        Concluded = result => Conclude(session, result),
    };

    /// <summary>Passes a session.</summary>
    /// <returns>Null if it has ended meanwhile: then there was nothing to pass.</returns>
    public async Task<PassResult?> PassAsync(AgentClient agent, Session session, string destination)
    {
        try
        {
            PassResult result = await agent.PassAsync(OrderOf(session, destination), CancellationToken.None);
            return result.Owner == ConnectionOwner.Origin && await HasEndedAsync(session) ? null : result;
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or ArgumentException)
        {
            return null;
        }
    }

    private async Task<ReadOnlyMemory<byte>> QuiesceAsync(Session session)
    {
        _standing[session] = true;
        try
        {
            return IsClosed ? throw new InvalidOperationException("The relay is being upgraded: a new process takes its sessions.") : await session.QuiesceAsync();
        }
        catch
        {
            _standing.TryRemove(session, out _);
            throw;
        }
    }

    private static async Task<bool> HasEndedAsync(Session session)
    {
        await session.UntilSeenAsync();
        return session.IsOver;
    }

    private async Task TellStayAsync(Session session, PassResult result)
    {
        if (!await HasEndedAsync(session))
            log.SessionStays(session.Identity.Id, session.Identity.ClientPlace.Listener.Name, $"{result.Failure}", result.Detail);
    }

    private void Conclude(Session session, PassResult result)
    {
        _standing.TryRemove(session, out _);
        SessionIdentity identity = session.Identity;
        switch (result.Owner)
        {
            case ConnectionOwner.Origin:
                if (!result.Succeeded)
                    _ = TellStayAsync(session, result);
                break;
            case ConnectionOwner.Destination:
                identity.ClientPlace.Listener.CountPassedOut();
                session.End(SessionEnd.Passed);
                break;
            default:
                session.End(result.Owner == ConnectionOwner.InDoubt ? SessionEnd.InDoubt : SessionEnd.Lost);
                break;
        }
    }
}
