using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Tcpcp.Client;
using Tcpcp.Core;

namespace Tcpcp.PassProcess.Chaos;

/// <summary>
/// Serves conversations of a chaos run, and passes them when the agent asks: SOCKET PORT SEED. It now and then refuses what comes, and takes its time. It prints how each
/// conversation ended.
/// </summary>
internal sealed class ChaosApplication(int seed) : IConnectionReceiver
{
    public const string Name = "chaos";

    private readonly ConcurrentDictionary<FourTuple, ChaosStream> _streams = new();
    private readonly Random _random = new(seed);

    public static async Task RunAsync(IReadOnlyList<string> arguments)
    {
        ChaosApplication application = new(int.Parse(arguments[2], CultureInfo.InvariantCulture));
        await using AgentClient agent = await AgentClient.ConnectAsync(new AgentClientOptions { Path = arguments[0], Program = Name });
        await agent.RegisterAsync(Name, application);
        using Socket listener = new(AddressFamily.InterNetworkV6, SocketType.Stream, ProtocolType.Tcp) { DualMode = true };
        listener.Bind(new IPEndPoint(IPAddress.IPv6Any, int.Parse(arguments[1], CultureInfo.InvariantCulture)));
        listener.Listen();
        Console.WriteLine("ready");
        while (true)
        {
            Socket socket = await listener.AcceptAsync();
            try
            {
                application.Begin(new FourTuple((IPEndPoint)socket.LocalEndPoint!, (IPEndPoint)socket.RemoteEndPoint!), socket, epoch: 0, []);
            }
            catch (SocketException)
            {
                socket.Dispose(); // it has ended already
            }
        }
    }

    public async ValueTask<string?> ExamineAsync(ArrivingConnections arriving, CancellationToken cancellationToken)
    {
        int dice = Draw(20);
        if (dice == 0)
            await Task.Delay(Draw(300), cancellationToken);
        return dice == 1 ? "The dice says no."
            : arriving.State.Length == ChaosStream.StateBytes * arriving.Connections.Count ? null
            : string.Create(CultureInfo.InvariantCulture, $"The state has {arriving.State.Length} bytes.");
    }

    public void Go(ArrivingConnections arriving, IReadOnlyList<Socket?> sockets)
    {
        for (int i = 0; i < sockets.Count; i++)
        {
            if (sockets[i] is { } socket)
                Begin(arriving.Connections[i], socket, arriving.Epoch, arriving.State.Span.Slice(i * ChaosStream.StateBytes, ChaosStream.StateBytes));
        }
    }

    public IReadOnlyList<PassOrder> FindConnections(IReadOnlyList<FourTuple> wanted)
    {
        KeyValuePair<FourTuple, ChaosStream>[] found = [.. _streams.Where(one => one.Value.End is null && (wanted.Count == 0 || wanted.Contains(one.Key)))];
        return [.. found.Chunk(1 + Draw(4)).Select(OrderFor)];
    }

    private PassOrder OrderFor(KeyValuePair<FourTuple, ChaosStream>[] group) => new()
    {
        Sockets = [.. group.Select(one => one.Value.Socket)],
        Application = Name,
        Epoch = group.Max(one => one.Value.Epoch),
        QuiesceAsync = _ =>
        {
            foreach ((FourTuple _, ChaosStream stream) in group)
                stream.Stop();
            return new(group.SelectMany(one => one.Value.State).ToArray());
        },
        Resume = () =>
        {
            foreach ((FourTuple _, ChaosStream stream) in group)
                stream.Start();
        },
        Concluded = result =>
        {
            foreach ((FourTuple name, ChaosStream _) in result.Owner == ConnectionOwner.Origin ? [] : group)
                _streams.TryRemove(name, out ChaosStream? _);
        },
    };

    private void Begin(FourTuple name, Socket socket, ulong epoch, ReadOnlySpan<byte> state)
    {
        ChaosStream stream = new(socket, epoch, state)
        {
            Ended = ended =>
            {
                Console.WriteLine($"ended {ended}");
                _streams.TryRemove(name, out ChaosStream? _);
            },
        };
        _streams[name] = stream;
        stream.Start();
    }

    private int Draw(int count)
    {
        lock (_random)
            return _random.Next(count);
    }
}
