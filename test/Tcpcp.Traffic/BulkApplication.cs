using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Tcpcp.Client;
using Tcpcp.Core;
using Tcpcp.Lab;

namespace Tcpcp.Traffic;

/// <summary>A server of bulk flows that the agent of its host passes; in this process, or one of its own that runs until it is killed.</summary>
internal sealed class BulkApplication : IConnectionReceiver, IAsyncDisposable
{
    public const string Name = "bulk";

    /// <summary>What each end sends.</summary>
    public const double DefaultBytesPerSecond = 55e6;

    private readonly ConcurrentDictionary<FourTuple, (BulkFlow Flow, ulong Epoch)> _flows = new();
    private readonly AgentClient _agent;
    private readonly double _bytesPerSecond;
    private Socket? _listener;

    private BulkApplication(AgentClient agent, double bytesPerSecond) => (_agent, _bytesPerSecond) = (agent, bytesPerSecond);

    /// <summary>Why it does not take connections that come; null: it takes them.</summary>
    public string? Objection { get; set; }

    /// <summary>How long it looks at what comes. The connection stands still meanwhile: so this is a pause between its freeze and its activation.</summary>
    public TimeSpan Examination { get; set; }

    /// <summary>Happens while it looks at what comes.</summary>
    public Action? Examining { get; set; }

    /// <summary>Happens before it lets connections go: the destination is ready, and nothing has changed.</summary>
    public Action? Quiescing { get; set; }

    /// <summary>Runs it as a process.</summary>
    public static async Task RunAsync(IPEndPoint listen, string agentSocket)
    {
        await using BulkApplication application = await ConnectAsync(agentSocket, DefaultBytesPerSecond);
        await application.AcceptAsync(Listen(listen));
    }

    /// <summary>Starts it in this process.</summary>
    /// <param name="host">Where its listener is.</param>
    public static async Task<BulkApplication> StartAsync(Host host, IPEndPoint listen, string agentSocket, double bytesPerSecond)
    {
        BulkApplication application = await ConnectAsync(agentSocket, bytesPerSecond);
        Socket listener = host.Run(() => Listen(listen));
        _ = application.AcceptAsync(listener);
        return application;
    }

    /// <summary>The end of a connection that is here; null: it is not.</summary>
    public BulkFlow? FlowOf(FourTuple connection) => _flows.TryGetValue(connection, out (BulkFlow Flow, ulong Epoch) one) ? one.Flow : null;

    public async ValueTask<string?> ExamineAsync(ArrivingConnections arriving, CancellationToken cancellationToken)
    {
        if (Examination > TimeSpan.Zero)
            await Task.Delay(Examination, cancellationToken);
        Examining?.Invoke();
        return Objection ?? (arriving.State.Length == BulkFlow.StateBytes ? null : string.Create(CultureInfo.InvariantCulture, $"The state has {arriving.State.Length} bytes."));
    }

    public void Go(ArrivingConnections arriving, IReadOnlyList<Socket?> sockets)
    {
        if (sockets[0] is { } socket)
            Begin(socket, arriving.State.Span, arriving.Epoch);
    }

    public IReadOnlyList<PassOrder> FindConnections(IReadOnlyList<FourTuple> wanted) => [.. _flows.Select(one => OrderOf(one.Key, one.Value.Flow, one.Value.Epoch))];

    public async ValueTask DisposeAsync()
    {
        _listener?.Dispose();
        await _agent.DisposeAsync();
        foreach ((BulkFlow flow, _) in _flows.Values)
            flow.Dispose();
    }

    private static async Task<BulkApplication> ConnectAsync(string agentSocket, double bytesPerSecond)
    {
        BulkApplication application = new(await AgentClient.ConnectAsync(new AgentClientOptions { Path = agentSocket }), bytesPerSecond);
        await application._agent.RegisterAsync(Name, application);
        return application;
    }

    private static Socket Listen(IPEndPoint endPoint)
    {
        Socket listener = new(endPoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(endPoint);
        listener.Listen();
        return listener;
    }

    private async Task AcceptAsync(Socket listener)
    {
        _listener = listener;
        try
        {
            while (true)
                Begin(await listener.AcceptAsync(), [], epoch: 0);
        }
        catch (Exception e) when (e is ObjectDisposedException or SocketException)
        {
            // It is closed.
        }
    }

    private PassOrder OrderOf(FourTuple connection, BulkFlow flow, ulong epoch) => new()
    {
        Sockets = [flow.Socket],
        Application = Name,
        Epoch = epoch,
        QuiesceAsync = cancellationToken =>
        {
            Quiescing?.Invoke();
            flow.Stop();
            _flows.TryRemove(connection, out _);
            return new(flow.State);
        },
        Resume = () => Begin(flow.Socket, flow.State, epoch),
    };

    private void Begin(Socket socket, ReadOnlySpan<byte> state, ulong epoch) =>
        _flows[new FourTuple((IPEndPoint)socket.LocalEndPoint!, (IPEndPoint)socket.RemoteEndPoint!)] = (new BulkFlow(socket, _bytesPerSecond, state), epoch);
}
