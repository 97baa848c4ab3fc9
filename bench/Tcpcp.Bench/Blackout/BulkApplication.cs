using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Tcpcp.Client;
using Tcpcp.Core;

namespace Tcpcp.Bench.Blackout;

/// <summary>A server of bulk flows that the agent of its host passes. It runs until it is killed.</summary>
internal sealed class BulkApplication : IConnectionReceiver
{
    public const string Name = "bulk";

    /// <summary>What each end sends.</summary>
    public const double BytesPerSecond = 55e6;

    private readonly ConcurrentDictionary<FourTuple, (BulkFlow Flow, ulong Epoch)> _flows = new();

    public static async Task RunAsync(IPEndPoint listen, string agentSocket)
    {
        await using AgentClient agent = await AgentClient.ConnectAsync(new AgentClientOptions { Path = agentSocket });
        BulkApplication application = new();
        using TcpListener listener = new(listen);
        listener.Start();
        await agent.RegisterAsync(Name, application);
        while (true)
            application.Begin(await listener.AcceptSocketAsync(), [], epoch: 0);
    }

    public ValueTask<string?> ExamineAsync(ArrivingConnections arriving, CancellationToken cancellationToken) => new(
        arriving.State.Length == BulkFlow.StateBytes ? null : string.Create(CultureInfo.InvariantCulture, $"The state has {arriving.State.Length} bytes."));

    public void Go(ArrivingConnections arriving, IReadOnlyList<Socket?> sockets)
    {
        if (sockets[0] is { } socket)
            Begin(socket, arriving.State.Span, arriving.Epoch);
    }

    public IReadOnlyList<PassOrder> FindConnections(IReadOnlyList<FourTuple> wanted) => [.. _flows.Select(one => OrderOf(one.Key, one.Value.Flow, one.Value.Epoch))];

    private PassOrder OrderOf(FourTuple connection, BulkFlow flow, ulong epoch) => new()
    {
        Sockets = [flow.Socket],
        Application = Name,
        Epoch = epoch,
        QuiesceAsync = cancellationToken =>
        {
            flow.Stop();
            _flows.TryRemove(connection, out _);
            return new(flow.State);
        },
        Resume = () => Begin(flow.Socket, flow.State, epoch),
    };

    private void Begin(Socket socket, ReadOnlySpan<byte> state, ulong epoch) =>
        _flows[new FourTuple((IPEndPoint)socket.LocalEndPoint!, (IPEndPoint)socket.RemoteEndPoint!)] = (new BulkFlow(socket, BytesPerSecond, state), epoch);
}
