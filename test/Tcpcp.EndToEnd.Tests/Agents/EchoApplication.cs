using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Tcpcp.Client;
using Tcpcp.Core;

namespace Tcpcp.EndToEnd.Tests.Agents;

/// <summary>An echo server of this process on a host of the lab, under a name of its own; it may object to what comes and to what is to go.</summary>
internal sealed class EchoApplication : IConnectionReceiver, IAsyncDisposable
{
    public const string Name = "echo";

    private readonly ConcurrentDictionary<Socket, EchoTask> _connections = new();
    private readonly AgentClient _agent;
    private readonly string _name;
    private Socket? _listener;

    private EchoApplication(AgentClient agent, string name) => (_agent, _name) = (agent, name);

    /// <summary>Why it does not take connections that come; null: it takes them.</summary>
    public string? Objection { get; set; }

    /// <summary>Happens while it looks at what comes.</summary>
    public Func<Task>? Examining { get; set; }

    /// <summary>Happens before it lets connections go: the destination is ready, and nothing has changed.</summary>
    public Func<Task>? Quiescing { get; set; }

    /// <summary>Why its connections cannot go now; null: they can.</summary>
    public string? Reluctance { get; set; }

    /// <summary>A connection that alone cannot go now.</summary>
    public FourTuple? Reluctant { get; set; }

    /// <summary>How many connections it passes together.</summary>
    public int GroupSize { get; set; } = 1;

    /// <summary>Whether those that it passes together belong together.</summary>
    public bool IsInseparable { get; set; }

    /// <summary>What it gives along with connections that go.</summary>
    public ReadOnlyMemory<byte> State { get; set; }

    /// <summary>What has come with the last one.</summary>
    public ReadOnlyMemory<byte> StateThatCame { get; private set; }

    /// <summary>The connections that it serves.</summary>
    public IReadOnlyList<Socket> Sockets => [.. _connections.Keys];

    /// <summary>How many there are.</summary>
    public int Count => _connections.Count;

    /// <param name="port">Where it takes connections of peers; 0: only those that come from other hosts.</param>
    /// <param name="isDual">Its listener takes IPv6, and IPv4 as v4-mapped; else IPv4 alone.</param>
    public static async Task<EchoApplication> StartAsync(LabAgent agent, string name, int port = 0, bool isDual = false)
    {
        EchoApplication application = new(await AgentClient.ConnectAsync(new AgentClientOptions { Path = agent.SocketPath, Program = name }), name);
        await application._agent.RegisterAsync(name, application);
        if (port != 0)
        {
            application._listener = agent.Host.Run(() =>
            {
                Socket listener = new(isDual ? AddressFamily.InterNetworkV6 : AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
                if (isDual)
                    listener.DualMode = true;
                listener.Bind(new IPEndPoint(isDual ? IPAddress.IPv6Any : IPAddress.Any, port));
                listener.Listen();
                return listener;
            });
            _ = application.AcceptAsync();
        }

        return application;
    }

    public async ValueTask<string?> ExamineAsync(ArrivingConnections arriving, CancellationToken cancellationToken)
    {
        StateThatCame = arriving.State;
        if (Examining is { } examining)
            await examining();
        return Objection;
    }

    public void Go(ArrivingConnections arriving, IReadOnlyList<Socket?> sockets)
    {
        foreach (Socket? socket in sockets)
        {
            if (socket is not null)
                Begin(socket, arriving.Epoch);
        }
    }

    public IReadOnlyList<PassOrder> FindConnections(IReadOnlyList<FourTuple> wanted) =>
        [.. _connections.Where(one => wanted.Count == 0 || wanted.Contains(NameOf(one.Key))).Chunk(GroupSize).Select(group => new PassOrder
        {
            Sockets = [.. group.Select(one => one.Key)],
            Application = _name,
            IsInseparable = IsInseparable,
            Epoch = group.Max(one => one.Value.Epoch),
            QuiesceAsync = async _ =>
            {
                if (Reluctance is { } reluctance)
                    throw new InvalidOperationException(reluctance);
                if (group.Any(one => NameOf(one.Key) == Reluctant))
                    throw new InvalidOperationException($"{Reluctant} is reluctant.");
                if (Quiescing is { } quiescing)
                    await quiescing();
                await Task.WhenAll(group.Select(one => one.Value.StopAsync()));
                return State;
            },
            Resume = () =>
            {
                foreach ((Socket socket, EchoTask echo) in group)
                {
                    if (!_connections.ContainsKey(socket)) // else it was reluctant, and never stopped
                        Begin(socket, echo.Epoch);
                }
            },
        })];

    /// <summary>Ends all connections before the peers do.</summary>
    /// <param name="reset">At once; else it says that nothing more comes.</param>
    public void EndAll(bool reset)
    {
        foreach (Socket socket in _connections.Keys)
        {
            if (reset)
                socket.Dispose(); // while it is read from: .NET lets the kernel disconnect it
            else
                socket.Shutdown(SocketShutdown.Send);
        }
    }

    public async ValueTask DisposeAsync()
    {
        _listener?.Dispose();
        await _agent.DisposeAsync();
        foreach (Socket socket in _connections.Keys)
            socket.Dispose();
    }

    private static FourTuple NameOf(Socket socket) => new((IPEndPoint)socket.LocalEndPoint!, (IPEndPoint)socket.RemoteEndPoint!);

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
                Begin(await _listener!.AcceptAsync(), epoch: 0);
        }
        catch (Exception e) when (e is ObjectDisposedException or SocketException)
        {
            // It is closed.
        }
    }

    private void Begin(Socket socket, ulong epoch) => _connections[socket] = new EchoTask(socket, epoch, stopped => _connections.TryRemove(stopped, out _));
}

/// <summary>Says back what one connection says, until it ends or is to stop.</summary>
internal sealed class EchoTask
{
    private readonly Action _stop;
    private readonly Task _echo;

    public EchoTask(Socket socket, ulong epoch, Action<Socket> stopped)
    {
        Epoch = epoch;
        CancellationTokenSource stop = new();
        _stop = stop.Cancel;
        _echo = Task.Run(async () =>
        {
            bool isOver = await EchoAsync(socket, stop.Token);
            stopped(socket);
            if (isOver)
                socket.Dispose();
        });
    }

    public ulong Epoch { get; }

    public async Task StopAsync()
    {
        _stop();
        await _echo;
    }

    // Between two turns every byte that was read has been written.
    private static async Task<bool> EchoAsync(Socket socket, CancellationToken stop)
    {
        byte[] buffer = new byte[4096];
        try
        {
            while (await socket.ReceiveAsync(buffer, stop) is > 0 and { } count)
                await socket.SendAsync(buffer.AsMemory(0, count), CancellationToken.None);
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            return true;
        }
    }
}
