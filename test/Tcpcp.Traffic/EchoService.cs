using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Tcpcp.Client;
using Tcpcp.Core;

namespace Tcpcp.Traffic;

/// <summary>An echo server whose connections the agent of its host passes. It runs until it is killed.</summary>
internal sealed class EchoService : IConnectionReceiver
{
    public const string Name = "echo";

    /// <summary>The same application under a name by which it passes its connections in groups.</summary>
    public const string GroupedName = "echo-grouped";

    public const int GroupSize = 16;

    private readonly string _name;
    private readonly int _groupSize;
    private readonly ConcurrentDictionary<FourTuple, EchoConnection> _connections;

    private EchoService(string name, int groupSize, ConcurrentDictionary<FourTuple, EchoConnection> connections) =>
        (_name, _groupSize, _connections) = (name, groupSize, connections);

    public static async Task RunAsync(IPEndPoint listen, string agentSocket)
    {
        await using AgentClient agent = await AgentClient.ConnectAsync(new AgentClientOptions { Path = agentSocket });
        ConcurrentDictionary<FourTuple, EchoConnection> connections = new();
        EchoService application = new(Name, 1, connections);
        using TcpListener listener = new(listen);
        listener.Start();
        await agent.RegisterAsync(Name, application);
        await agent.RegisterAsync(GroupedName, new EchoService(GroupedName, GroupSize, connections));
        while (true)
            application.Begin(await listener.AcceptSocketAsync(), epoch: 0);
    }

    public ValueTask<string?> ExamineAsync(ArrivingConnections arriving, CancellationToken cancellationToken) => new((string?)null);

    public void Go(ArrivingConnections arriving, IReadOnlyList<Socket?> sockets)
    {
        foreach (Socket socket in sockets.OfType<Socket>())
            Begin(socket, arriving.Epoch);
    }

    public IReadOnlyList<PassOrder> FindConnections(IReadOnlyList<FourTuple> wanted) =>
        [.. (wanted.Count == 0 ? [.. _connections.Keys] : wanted).Select(name => _connections.GetValueOrDefault(name)).OfType<EchoConnection>()
            .Chunk(_groupSize).Select(OrderOf)];

    private PassOrder OrderOf(EchoConnection[] group) => new()
    {
        Sockets = [.. group.Select(connection => connection.Socket)],
        Application = _name,
        Epoch = group.Max(connection => connection.Epoch),
        QuiesceAsync = async _ =>
        {
            await Task.WhenAll(group.Select(connection => connection.StopAsync()));
            return default;
        },
        Resume = () => Array.ForEach(group, connection => Begin(connection.Socket, connection.Epoch)),
    };

    private void Begin(Socket socket, ulong epoch)
    {
        EchoConnection connection = new(socket, epoch, ended => _connections.TryRemove(KeyValuePair.Create(ended.Connection, ended)));
        _connections[connection.Connection] = connection;
        connection.Start();
    }

    private sealed class EchoConnection(Socket socket, ulong epoch, Action<EchoConnection> ended) : IDisposable
    {
        private readonly CancellationTokenSource _stop = new();
        private Task _echo = Task.CompletedTask;

        public FourTuple Connection { get; } = new((IPEndPoint)socket.LocalEndPoint!, (IPEndPoint)socket.RemoteEndPoint!);

        public Socket Socket => socket;

        public ulong Epoch => epoch;

        public void Start() => _echo = EchoAsync();

        /// <summary>Between two turns: what was read has been written.</summary>
        public async Task StopAsync()
        {
            await _stop.CancelAsync();
            await _echo;
            Dispose();
        }

        public void Dispose() => _stop.Dispose();

        private async Task EchoAsync()
        {
            byte[] buffer = new byte[64];
            try
            {
                while (await socket.ReceiveAsync(buffer, _stop.Token) is > 0 and int read)
                    await socket.SendAsync(buffer.AsMemory(0, read), CancellationToken.None);
            }
            catch (Exception e) when (e is OperationCanceledException or SocketException)
            {
                // It is to be passed, or the peer is gone.
            }

            ended(this);
            if (_stop.IsCancellationRequested)
                return;
            socket.Dispose();
            Dispose();
        }
    }
}
