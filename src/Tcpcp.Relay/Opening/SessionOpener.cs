using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using Tcpcp.Linux;
using Tcpcp.Relay.Hosting;
using Tcpcp.Relay.Listening;
using Tcpcp.Relay.Loops;
using Tcpcp.Relay.Servers;
using Tcpcp.Relay.Sessions;
using Tcpcp.Relay.Settings;

namespace Tcpcp.Relay.Opening;

/// <summary>Turns a client's connection into a session: hears what the client says first, chooses a server, and connects.</summary>
/// <param name="findPool">By its name; null: there is none.</param>
/// <param name="begin">Gets the session with both connections.</param>
internal sealed class SessionOpener(Func<string, ServerPool?> findPool, Action<Session> begin, Func<SessionLoop> nextLoop, ISessionOwner owner, ILogger log)
{
    /// <summary>Whatever becomes of it is in the log. It throws nothing.</summary>
    public async Task OpenAsync(Socket client, ListenerPlace place, CancellationToken stop)
    {
        long started = Stopwatch.GetTimestamp();
        DateTimeOffset accepted = DateTimeOffset.UtcNow;
        IPEndPoint? name = null;
        SessionEnd failure;
        try
        {
            name = (IPEndPoint)client.RemoteEndPoint!;
            ListenerSettings settings = place.Listener.Settings;
            SessionLoop loop = nextLoop();
            SocketTuning.Apply(client, settings);
            Prologue prologue = await Prologue.ReadAsync(client.SafeHandle, settings, loop);
            name = Unmapped(prologue.Client ?? name);
            (ServerPlace? server, Socket? socket, failure) = Find(prologue, settings, place, name) is { } denial ? (null, null, denial)
                : await ConnectAsync(findPool(settings.PoolOf(prologue.Name)!), settings, name, loop, stop);
            if (server is not null && socket is not null)
            {
                SessionIdentity identity = new(Guid.NewGuid(), name, place, server, accepted, Stopwatch.GetElapsedTime(started));
                Session session = new(identity, settings.Timeouts, client, socket, loop, owner);
                session.ToServer.Begin(FirstBytes(server, prologue, name, client), 0, hasSourceEnded: false, hasEnded: false);
                begin(session);
                return;
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or KernelException)
        {
            failure = SessionEnd.ClientReset;
        }
        catch (OperationCanceledException)
        {
            failure = SessionEnd.Shutdown;
        }
        catch (Exception e)
        {
            log.Failed("A session could not be opened.", e);
            failure = SessionEnd.Fault;
        }

        client.Dispose();
        place.Listener.CountRefused();
        place.GiveBack();
        log.NotOpened(place.Listener.Name, name, failure.Name(), Stopwatch.GetElapsedTime(started).TotalMilliseconds);
    }

    // Why the session does not open; null: nothing is known against it.
    private SessionEnd? Find(Prologue prologue, ListenerSettings settings, ListenerPlace place, IPEndPoint client) => prologue.Failure
        ?? (!settings.Admits(client.Address) ? SessionEnd.Denied
            : !place.TryCountFor(client.Address, settings.MaxPerSource) ? SessionEnd.SourceLimit
            : settings.PoolOf(prologue.Name) is not { } pool || findPool(pool) is null ? SessionEnd.NoRoute
            : null);

    private async Task<(ServerPlace? Place, Socket? Socket, SessionEnd Failure)> ConnectAsync(
        ServerPool? pool, ListenerSettings settings, IPEndPoint client, SessionLoop loop, CancellationToken stop)
    {
        if (pool is null)
            return (null, null, SessionEnd.NoRoute); // taken out meanwhile
        List<Server> tried = [];
        for (int attempt = 0; attempt <= pool.Settings.Retries; attempt++)
        {
            (ServerPlace? place, SessionEnd failure) = await pool.TakeAsync(client.Address, tried, stop);
            if (place is null)
                return (null, null, failure);
            PoolSettings now = pool.Settings;
            int error;
            try
            {
                (SafeSocketHandle? handle, error) = await ServerConnector.ConnectAsync(place.Server.Address, now.Sources, now.ConnectTime, loop);
                if (handle is not null)
                {
                    Socket socket = new(handle);
                    SocketTuning.Apply(socket, settings);
                    pool.NoteConnected(place.Server);
                    return (place, socket, default);
                }
            }
            catch
            {
                place.GiveBack();
                throw;
            }

            place.GiveBack();
            tried.Add(place.Server);
            log.ConnectFailed(place.Server.Name, pool.Name, place.Server.Address, ServerConnector.NameOf(error));
            if (pool.NoteConnectFailure(place.Server))
                log.ServerEjected(place.Server.Name, pool.Name, now.EjectTime.TotalSeconds, now.EjectAfter);
        }

        return (null, null, SessionEnd.ConnectFailed);
    }

    private static byte[] FirstBytes(ServerPlace server, Prologue prologue, IPEndPoint client, Socket socket) =>
        server.Server.Settings.GetsProxyHeader ? [.. ProxyHeader.Write(client, Unmapped((IPEndPoint)socket.LocalEndPoint!)), .. prologue.Rest.Span] : [.. prologue.Rest.Span];

    private static IPEndPoint Unmapped(IPEndPoint one) => one.Address.IsIPv4MappedToIPv6 ? new IPEndPoint(one.Address.MapToIPv4(), one.Port) : one;
}
