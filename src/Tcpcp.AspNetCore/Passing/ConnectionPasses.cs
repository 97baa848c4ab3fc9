using System.Net;
using System.Net.Sockets;
using System.Text;
using Google.Protobuf;
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
    public async ValueTask<string?> ExamineAsync(ArrivingConnections arriving, CancellationToken cancellationToken)
    {
        string? objection = await FindObjectionAsync(arriving, cancellationToken);
        if (objection is not null)
            log.Refused(arriving.Connections[0], arriving.Origin, objection);
        return objection;
    }

    public void Go(ArrivingConnections arriving, IReadOnlyList<Socket?> sockets)
    {
        if (sockets is not [{ } socket])
            return; // it has ended on the way
        string fault = "";
        try
        {
            if (FindListener(arriving) is { } listener && ExchangeWire.Read(arriving.State, out fault) is { } state
                && listener.TryAdd(socket, new ArrivedConnection(arriving.Origin, arriving.Epoch, state)))
            {
                metrics.Came();
                log.Came(arriving.Connections[0], arriving.Origin);
                return;
            }
        }
        catch (SocketException e)
        {
            fault = e.Message; // it was reset on the way
        }

        log.Lost(arriving.Connections[0], fault.Length > 0 ? fault : NoListener(arriving));
        socket.Close(timeout: 0); // the client must not take it for a proper end
    }

    public IReadOnlyList<PassOrder> FindConnections(IReadOnlyList<FourTuple> wanted)
    {
        List<PassOrder> orders = [];
        foreach (PassableConnection connection in connections.All)
        {
            if (connection.IsLeaving || (wanted.Count > 0 && !(connection.FindName() is { } name && wanted.Contains(name))))
                continue;
            if (connection.Obstacle is null)
                orders.Add(OrderOf(connection, destination: ""));
            else if (wanted.Count == 0)
                Finish(connection);
        }

        return orders;
    }

    /// <summary>Passes a connection.</summary>
    public async Task<PassResult> PassAsync(AgentClient agent, PassableConnection connection, string destination)
    {
        try
        {
            return await agent.PassAsync(OrderOf(connection, destination), CancellationToken.None);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or ArgumentException or InvalidOperationException)
        {
            return new PassResult(PassFailure.NotPassable, ConnectionOwner.Nobody, e.Message); // it has ended meanwhile
        }
    }

    /// <summary>What cannot be passed ends as soon as its protocol lets it.</summary>
    public void Finish(PassableConnection connection)
    {
        metrics.Finished();
        connection.RequestClose();
    }

    private PassOrder OrderOf(PassableConnection connection, string destination) => new()
    {
        Sockets = [connection.Socket],
        Application = options.Value.Application,
        Destination = destination,
        Epoch = connection.Epoch,
        QuiesceAsync = async cancellationToken => (await connection.QuiesceAsync(cancellationToken)).ToByteArray(),
        Resume = connection.Resume,
        Concluded = result => Conclude(connection, result),
    };

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
        if (ExchangeWire.Read(arriving.State, out string fault) is not { } state)
            return fault;
        if (arriving.Connections.Count != 1)
            return $"The connections of this application are passed one by one; {arriving.Connections.Count} came.";
        if (FindListener(arriving) is null)
            return NoListener(arriving);
        if (state.Exchange is not { } exchange)
            return null;
        if (exchange.Response?.File is { } file && files.FindObjection(file) is { } objection)
            return objection;
        string[] line = Encoding.Latin1.GetString(exchange.Head.Span).Split('\r', 2)[0].Split(' ');
        ArrivingExchange shown = new(arriving.Origin, line.Length > 1 ? line[1] : "", exchange.WebSocket is not null, (exchange.WebSocket is { } webSocket ? webSocket.State : exchange.Response!.State).Memory);
        foreach (IArrivalExaminer examiner in examiners)
        {
            if (await examiner.ExamineAsync(shown, cancellationToken) is { } reason)
                return reason;
        }

        return null;
    }

    private PassableListener? FindListener(ArrivingConnections arriving) => transport.Listeners.FirstOrDefault(one => one.Has(LocalOf(arriving)));

    private static IPEndPoint LocalOf(ArrivingConnections arriving) => arriving.Connections[0].Local;

    private static string NoListener(ArrivingConnections arriving) => $"The application here does not listen at {LocalOf(arriving)}.";
}
