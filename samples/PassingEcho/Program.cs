using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Tcpcp.Client;
using Tcpcp.Core;

// An echo server whose connections can move: passing-echo ADDRESS:PORT [AGENT_SOCKET]. The operator says when: tcpcp drain --to HOST
await using AgentClient agent = await AgentClient.ConnectAsync(args.Length > 1 ? new AgentClientOptions { Path = args[1] } : null);
EchoServer server = new();
await agent.RegisterAsync("echo", server);
using TcpListener listener = new(IPEndPoint.Parse(args[0]));
for (listener.Start(); ;)
    server.Begin(await listener.AcceptSocketAsync(), epoch: 0);

internal sealed class EchoServer : IConnectionReceiver
{
    private readonly ConcurrentDictionary<Socket, (ulong Epoch, CancellationTokenSource Stop, Task Echo)> _connections = [];

    public void Begin(Socket socket, ulong epoch) => Begin(socket, epoch, new CancellationTokenSource());

    public ValueTask<string?> ExamineAsync(ArrivingConnections arriving, CancellationToken cancellationToken) => new((string?)null);

    public void Go(ArrivingConnections arriving, IReadOnlyList<Socket?> sockets) => sockets.OfType<Socket>().ToList().ForEach(one => Begin(one, arriving.Epoch));

    public IReadOnlyList<PassOrder> FindConnections(IReadOnlyList<FourTuple> wanted) => [.. _connections.Where(one => !one.Value.Echo.IsCompleted)
        .Select(one => new PassOrder { Sockets = [one.Key], Application = "echo", Epoch = one.Value.Epoch, Resume = () => Begin(one.Key, one.Value.Epoch),
            QuiesceAsync = async _ => { await one.Value.Stop.CancelAsync(); await one.Value.Echo; return default; } })];

    private void Begin(Socket socket, ulong epoch, CancellationTokenSource stop) =>
        _connections[socket] = (epoch, stop, Task.Run(() => EchoAsync(socket, stop.Token)));

    private async Task EchoAsync(Socket socket, CancellationToken stop)
    {
        byte[] buffer = new byte[4096]; // between two turns every byte that was read has been written; a send is never cancelled
        try { while (await socket.ReceiveAsync(buffer, stop) is > 0 and int read) await socket.SendAsync(buffer.AsMemory(0, read), CancellationToken.None); }
        catch (Exception e) when (e is OperationCanceledException or SocketException) { }
        _connections.TryRemove(socket, out _);
        if (!stop.IsCancellationRequested) socket.Dispose();
    }
}
