using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Tcpcp.AspNetCore.Hosting;
using Tcpcp.AspNetCore.Responses;
using Tcpcp.AspNetCore.Transport;
using Tcpcp.Client;
using Tcpcp.Core;
using Tcpcp.Core.Wire;
using FourTuple = Tcpcp.Core.FourTuple;

namespace Tcpcp.AspNetCore.Passing;

/// <summary>Takes connections from other hosts, and gives the agent those that are to leave.</summary>
internal sealed class ConnectionPasses(ServerConnections connections, PassableTransport transport, IOptions<TcpcpOptions> options, IEnumerable<IArrivalExaminer> examiners,
    FileExaminer files, TcpcpMetrics metrics, ILogger<ConnectionPasses> log) : IConnectionReceiver
{
    // A pass costs messages and records once, not once a connection.
    private const int GroupSize = 16;

    public async ValueTask<string?> ExamineAsync(ArrivingConnections arriving, CancellationToken cancellationToken)
    {
        string? objection = await FindObjectionAsync(arriving, cancellationToken);
        if (objection is not null)
            log.Refused(arriving.Connections[0], arriving.Origin, objection);
        return objection;
    }

    public void Go(ArrivingConnections arriving, IReadOnlyList<Socket?> sockets)
    {
        IReadOnlyList<ServerConnection>? states = ExchangeWire.Read(arriving.State, arriving.Connections.Count, out string fault);
        for (int i = 0; i < sockets.Count; i++)
        {
            if (sockets[i] is { } socket) // else it has ended on the way
                Go(arriving, arriving.Connections[i], states?[i], socket, fault);
        }
    }

    public IReadOnlyList<PassOrder> FindConnections(IReadOnlyList<FourTuple> wanted)
    {
        List<PassableConnection> found = [];
        foreach (PassableConnection connection in connections.All)
        {
            if (wanted.Count == 0 ? connection.IsLeaving : connection.HasEnded || connection.FindName() is not { } name || !wanted.Contains(name))
                continue;
            if (connection.Obstacle is null)
                found.Add(connection);
            else if (wanted.Count == 0)
                Finish(connection);
        }

        return [.. Group(found).Select(group => OrderOf(group, destination: ""))];
    }

    /// <summary>Connections that are passed together, since that costs less; those that may have to be waited for by themselves.</summary>
    public static IEnumerable<IReadOnlyList<PassableConnection>> Group(IEnumerable<PassableConnection> connections)
    {
        ILookup<bool, PassableConnection> byIdle = connections.ToLookup(one => one.IsIdle); // at one moment: it changes all the time
        return byIdle[true].Chunk(GroupSize).Concat(byIdle[false].Select(one => (PassableConnection[])[one]));
    }

    /// <summary>Passes connections: all of them or none.</summary>
    /// <param name="cancellationToken">Gives up as long as nothing has left this host.</param>
    public async Task<PassResult> PassAsync(AgentClient agent, IReadOnlyList<PassableConnection> group, string destination, CancellationToken cancellationToken)
    {
        try
        {
            return await agent.PassAsync(OrderOf(group, destination), cancellationToken);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or ArgumentException or InvalidOperationException)
        {
            return new PassResult(PassFailure.NotPassable, ConnectionOwner.Origin, e.Message); // one has ended meanwhile
        }
        catch (OperationCanceledException)
        {
            return new PassResult(PassFailure.Cancelled, ConnectionOwner.Origin, "There was no time left.");
        }
    }

    /// <summary>What cannot be passed ends as soon as its protocol lets it.</summary>
    public void Finish(PassableConnection connection)
    {
        metrics.Finished();
        connection.RequestClose();
    }

    private PassOrder OrderOf(IReadOnlyList<PassableConnection> group, string destination) => new()
    {
        Sockets = [.. group.Select(one => one.Socket)],
        Application = options.Value.Application,
        Destination = destination,
        Epoch = group.Max(one => one.Epoch),
        QuiesceAsync = async cancellationToken => ExchangeWire.Write(await Task.WhenAll(group.Select(one => one.QuiesceAsync(cancellationToken)))),
        Resume = () =>
        {
            foreach (PassableConnection connection in group)
                connection.Resume();
        },
        Concluded = result =>
        {
            foreach (PassableConnection connection in group)
                Conclude(connection, result);
        },
    };

    private void Go(ArrivingConnections arriving, FourTuple name, ServerConnection? state, Socket socket, string fault)
    {
        try
        {
            if (state is not null && FindListener(name) is { } listener && listener.TryAdd(socket, new ArrivedConnection(arriving.Origin, arriving.Epoch, state)))
            {
                metrics.Came();
                log.Came(name, arriving.Origin);
                return;
            }
        }
        catch (SocketException e)
        {
            fault = e.Message; // it was reset on the way
        }

        log.Lost(name, fault.Length > 0 ? fault : NoListener(name));
        socket.Close(timeout: 0); // the client must not take it for a proper end
    }

    private void Conclude(PassableConnection connection, PassResult result)
    {
        switch (result.Owner)
        {
            case ConnectionOwner.Origin:
                metrics.Stayed($"{result.Failure}");
                log.Stays(connection.FindName(), result.Failure, result.Detail);
                return;
            case ConnectionOwner.Destination:
                metrics.Passed(result.Blackout);
                log.Passed(connection.FindName());
                break;
            default:
                log.Gone(connection.FindName(), result.Failure, result.Owner, result.Detail);
                break;
        }

        connection.Detach();
    }

    private async ValueTask<string?> FindObjectionAsync(ArrivingConnections arriving, CancellationToken cancellationToken)
    {
        if (ExchangeWire.Read(arriving.State, arriving.Connections.Count, out string fault) is not { } states)
            return fault;
        for (int i = 0; i < states.Count; i++)
        {
            if (FindListener(arriving.Connections[i]) is null)
                return NoListener(arriving.Connections[i]);
            if (states[i].Exchange is { } exchange && await FindObjectionAsync(arriving, exchange, cancellationToken) is { } objection)
                return objection;
        }

        return null;
    }

    private async ValueTask<string?> FindObjectionAsync(ArrivingConnections arriving, ServerExchange exchange, CancellationToken cancellationToken)
    {
        if (exchange.Response?.File is { } file && files.FindObjection(file) is { } objection)
            return objection;
        string[] line = Encoding.Latin1.GetString(exchange.Head.Span).Split('\r', 2)[0].Split(' ');
        ReadOnlyMemory<byte> state = exchange.WebSocket is { } webSocket ? webSocket.State.Memory : exchange.Response!.State.Memory;
        ArrivingExchange shown = new(arriving.Origin, line.Length > 1 ? line[1] : "", exchange.WebSocket is not null, state);
        foreach (IArrivalExaminer examiner in examiners)
        {
            if (await examiner.ExamineAsync(shown, cancellationToken) is { } reason)
                return reason;
        }

        return null;
    }

    private PassableListener? FindListener(FourTuple name) => transport.Listeners.FirstOrDefault(one => one.Has(name.Local));

    private static string NoListener(FourTuple name) => $"The application here does not listen at {name.Local}.";
}
