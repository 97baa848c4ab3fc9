using System.Collections.Concurrent;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using Tcpcp.Client;
using Tcpcp.Core;
using Tcpcp.Core.Wire;
using Tcpcp.Linux.Streams;
using Tcpcp.Relay.Hosting;
using Tcpcp.Relay.Listening;
using Tcpcp.Relay.Servers;
using Tcpcp.Relay.Sessions;
using FourTuple = Tcpcp.Core.FourTuple;

namespace Tcpcp.Relay.Passing;

/// <summary>Takes sessions from relays of other hosts, and gives the agent those that are to leave: always both connections, or none.</summary>
/// <param name="findListener">By its name; null: there is none here.</param>
/// <param name="findPool">By its name; null: there is none here.</param>
internal sealed class SessionReceiver(
    SessionPasses passes, RelaySessions sessions, Func<string, Listener?> findListener, Func<string, ServerPool?> findPool, ILogger log) : IConnectionReceiver
{
    private readonly ConcurrentDictionary<PassId, Reservation> _reserved = new();

    /// <summary>Sessions that have been let in and have not come yet.</summary>
    public int Expected => _reserved.Count;

    /// <summary>
    /// Takes a session from an earlier process of this host's relay: what begins it, with the client's socket and the server's, or what gives its places back where they are null. Null: it cannot be
    /// taken.
    /// </summary>
    public Action<Socket?, Socket?>? Take(ReadOnlyMemory<byte> bytes, ulong epoch, out string obstacle)
    {
        if (SessionWire.Read(bytes, out obstacle) is not { } state || Reserve(state, "the relay before", out obstacle) is not { } reservation)
            return null;
        return (client, server) =>
        {
            if (client is null || server is null)
                reservation.GiveBack();
            else
                Begin(epoch, reservation, client, server);
        };
    }

    public ValueTask<string?> ExamineAsync(ArrivingConnections arriving, CancellationToken cancellationToken)
    {
        Reservation? reservation = Reserve(arriving, out string obstacle);
        if (reservation is not null)
        {
            _reserved[arriving.Pass] = reservation;
            if (passes.IsClosed && _reserved.TryRemove(arriving.Pass, out _))
            {
                reservation.GiveBack();
                (reservation, obstacle) = (null, "The relay is being upgraded: try again.");
            }
        }

        if (reservation is null)
        {
            log.SessionRefused(arriving.Origin, obstacle);
            return new(obstacle);
        }

        return new((string?)null);
    }

    public void Withdraw(ArrivingConnections arriving)
    {
        if (_reserved.TryRemove(arriving.Pass, out Reservation? reservation))
            reservation.GiveBack();
    }

    public void Go(ArrivingConnections arriving, IReadOnlyList<Socket?> sockets)
    {
        string obstacle = "";
        if (!_reserved.TryRemove(arriving.Pass, out Reservation? reservation))
            reservation = Reserve(arriving, out obstacle); // the agent has made them again after a fault
        if (reservation is null || sockets is not [{ } client, { } server])
        {
            reservation?.GiveBack();
            foreach (Socket? socket in sockets)
            {
                if (socket is null)
                    continue;
                StreamSocket.ResetOnClose(socket.SafeHandle); // the other end must not take it for a proper end
                socket.Dispose();
            }

            log.SessionLost(arriving.Origin, obstacle.Length > 0 ? obstacle : "One of its connections has ended on the way.");
            return;
        }

        Listener listener = reservation.ClientPlace.Listener;
        listener.CountPassedIn();
        ServerPlace place = reservation.ServerPlace;
        log.SessionCame(new Guid(reservation.State.Id.Span), listener.Name, arriving.Origin, SessionWire.ClientOf(reservation.State), place.Pool.Name, place.Server.Name);
        Begin(arriving.Epoch, reservation, client, server);
    }

    public IReadOnlyList<PassOrder> FindConnections(IReadOnlyList<FourTuple> wanted) =>
        [.. sessions.All.Where(session => wanted.Count == 0 || (session.FindNames() is { } names && names.Any(wanted.Contains))).Select(session => passes.OrderOf(session))];

    private void Begin(ulong epoch, Reservation reservation, Socket client, Socket server)
    {
        RelaySession state = reservation.State;
        SessionIdentity identity = new(new Guid(state.Id.Span), SessionWire.ClientOf(state), reservation.ClientPlace, reservation.ServerPlace,
            SessionWire.AcceptedOf(state), TimeSpan.FromMicroseconds(state.OpeningUs))
        {
            Passes = (int)state.Passes,
            Epoch = epoch,
        };
        Session session = new(identity, reservation.ClientPlace.Listener.Settings.Timeouts, client, server, sessions.NextLoop(), sessions);
        SessionWire.Begin(session.ToServer, state.ToServer);
        SessionWire.Begin(session.ToClient, state.ToClient);
        sessions.Begin(session);
    }

    private Reservation? Reserve(ArrivingConnections arriving, out string obstacle)
    {
        if (SessionWire.Read(arriving.State, out obstacle) is not { } state)
            return null;
        if (arriving.Connections.Count != 2)
        {
            obstacle = $"A session has two connections; {arriving.Connections.Count} came.";
            return null;
        }

        return Reserve(state, arriving.Origin, out obstacle);
    }

    private Reservation? Reserve(RelaySession state, string origin, out string obstacle)
    {
        if (findListener(state.Listener) is not { } listener)
        {
            obstacle = $"The relay here has no listener {state.Listener}: configure it as at {origin}.";
            return null;
        }

        if (findPool(state.Pool) is not { } pool)
        {
            obstacle = $"The relay here has no pool {state.Pool}: configure it as at {origin}.";
            return null;
        }

        if (listener.TryTake() is not { } clientPlace)
        {
            obstacle = $"The listener {listener.Name} has as many sessions here as it may ({listener.Settings.MaxSessions}).";
            return null;
        }

        if (pool.TakeFor(state.Server, out obstacle) is not { } serverPlace)
        {
            clientPlace.GiveBack();
            return null;
        }

        clientPlace.TryCountFor(SessionWire.ClientOf(state).Address, limit: 0); // it has its session already
        return new Reservation(state, clientPlace, serverPlace);
    }

    private sealed record Reservation(RelaySession State, ListenerPlace ClientPlace, ServerPlace ServerPlace)
    {
        public void GiveBack()
        {
            ServerPlace.GiveBack();
            ClientPlace.GiveBack();
        }
    }
}
