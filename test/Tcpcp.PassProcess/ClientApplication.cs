using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Tcpcp.Client;
using Tcpcp.Core;

namespace Tcpcp.PassProcess;

/// <summary>
/// Has conversations, and passes all that it has together through the agent of its host: SOCKET ADDRESS:PORT BYTES_PER_SECOND [quiesce|examine|go]. Orders on
/// standard input: "pass HOST". At the named point it kills itself (SIGKILL).
/// </summary>
internal sealed class ClientApplication(int bytesPerSecond, string? killAt) : IConnectionReceiver
{
    private const string Name = "stream";
    private const int SOL_SOCKET = 1; // asm-generic/socket.h
    private const int SO_MAX_PACING_RATE = 47;

    private readonly ConcurrentDictionary<FourTuple, StreamConnection> _connections = new();

    public static async Task RunAsync(IReadOnlyList<string> arguments)
    {
        ClientApplication application = new(int.Parse(arguments[2], CultureInfo.InvariantCulture), arguments.Count > 3 ? arguments[3] : null);
        await using AgentClient agent = await AgentClient.ConnectAsync(new AgentClientOptions { Path = arguments[0] });
        await agent.RegisterAsync(Name, application);
        using Socket listener = new(SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(IPEndPoint.Parse(arguments[1]));
        listener.Listen();
        _ = application.AcceptAsync(listener);
        Console.WriteLine("ready");
        while (await Task.Run(Console.In.ReadLine) is { } line)
        {
            if (line.Split(' ') is not ["pass", { } destination])
                continue;
            if (application.Alive.ToArray() is { Length: > 0 } alive)
                _ = PassAsync(agent, application.OrderFor(alive) with { Destination = destination });
            else
                Console.WriteLine("passed Nothing");
        }
    }

    private static async Task PassAsync(AgentClient agent, PassOrder order)
    {
        PassResult result = await agent.PassAsync(order);
        Console.WriteLine($"passed {result.Failure} {result.Owner} {result.Detail}");
    }

    public async ValueTask<string?> ExamineAsync(ArrivingConnections arriving, CancellationToken cancellationToken)
    {
        Die("examine");
        return await ValueTask.FromResult(arriving.State.Length == StreamConnection.StateBytes * arriving.Connections.Count ? null : "The state is too short.");
    }

    public void Go(ArrivingConnections arriving, IReadOnlyList<Socket?> sockets)
    {
        Die("go");
        for (int i = 0; i < sockets.Count; i++)
        {
            if (sockets[i] is { } socket)
                Begin(new StreamConnection(arriving.Connections[i], socket, arriving.Epoch,
                    arriving.State.Span.Slice(i * StreamConnection.StateBytes, StreamConnection.StateBytes)));
        }
    }

    public IReadOnlyList<PassOrder> FindConnections(IReadOnlyList<FourTuple> wanted) =>
        [.. Alive.Where(connection => wanted.Count == 0 || wanted.Contains(connection.Name)).Select(connection => OrderFor([connection]))];

    private IEnumerable<StreamConnection> Alive => _connections.Values.Where(connection => connection.End is null);

    private PassOrder OrderFor(IReadOnlyList<StreamConnection> connections) => new()
    {
        Sockets = [.. connections.Select(connection => connection.Socket)],
        Application = Name,
        Epoch = connections.Max(connection => connection.Epoch),
        QuiesceAsync = async _ =>
        {
            Die("quiesce");
            List<byte> states = [];
            foreach (StreamConnection connection in connections)
                states.AddRange(await connection.QuiesceAsync());
            return states.ToArray();
        },
        Resume = () =>
        {
            foreach (StreamConnection connection in connections)
                connection.Start();
        },
        Concluded = result =>
        {
            foreach (StreamConnection connection in result.Owner == ConnectionOwner.Origin ? [] : connections)
                _connections.TryRemove(connection.Name, out StreamConnection? _);
        },
    };

    private async Task AcceptAsync(Socket listener)
    {
        while (true)
        {
            Socket socket = await listener.AcceptAsync();
            socket.SetRawSocketOption(SOL_SOCKET, SO_MAX_PACING_RATE, BitConverter.GetBytes((ulong)bytesPerSecond));
            Begin(new StreamConnection(new FourTuple((IPEndPoint)socket.LocalEndPoint!, (IPEndPoint)socket.RemoteEndPoint!), socket, epoch: 0, state: []));
        }
    }

    private void Begin(StreamConnection connection)
    {
        _connections[connection.Name] = connection;
        connection.Start();
    }

    private void Die(string point)
    {
        if (killAt == point)
            Process.GetCurrentProcess().Kill();
    }
}
