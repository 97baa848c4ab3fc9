using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Tcpcp.Client;
using Tcpcp.Core;
using Tcpcp.Linux.Processes;

namespace Tcpcp.PassProcess.Chaos;

/// <summary>
/// Serves conversations of a chaos run, and passes them when the agent asks: SOCKET PORT SEED ORDERFILE. It now and then refuses what comes, and takes its time. It prints
/// how each conversation ended. SOCKET may be none: then nothing is passed, and it is the server behind relays. If the order file is there, which has the number of the agent's process, it stops that before its next answer about what comes.
/// </summary>
internal sealed class ChaosApplication(int seed, string orderFile) : IConnectionReceiver
{
    public const string Name = "chaos";
    private const int SIGSTOP = 19; // signal.h

    private static readonly TimeSpan s_bindLimit = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<FourTuple, ChaosStream> _streams = new();
    private readonly Random _random = new(seed);

    public static async Task RunAsync(IReadOnlyList<string> arguments)
    {
        ChaosApplication application = new(int.Parse(arguments[2], CultureInfo.InvariantCulture), arguments[3]);
        await using AgentClient? agent = arguments[0] == "none" ? null : await AgentClient.ConnectAsync(new AgentClientOptions { Path = arguments[0], Program = Name });
        if (agent is not null)
            await agent.RegisterAsync(Name, application);
        using Socket listener = await ListenAsync(int.Parse(arguments[1], CultureInfo.InvariantCulture));
        Console.WriteLine("ready");
        while (true)
        {
            Socket socket = await listener.AcceptAsync();
            try
            {
                application.KeepAlive(socket);
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
        StopAgentIfOrdered();
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

    // Other sockets with the port lack SO_REUSEADDR for a moment, when they leave repair mode.
    private static async Task<Socket> ListenAsync(int port)
    {
        long started = Stopwatch.GetTimestamp();
        while (true)
        {
            Socket listener = new(AddressFamily.InterNetworkV6, SocketType.Stream, ProtocolType.Tcp) { DualMode = true };
            try
            {
                listener.Bind(new IPEndPoint(IPAddress.IPv6Any, port));
                listener.Listen();
                return listener;
            }
            catch (SocketException e) when (e.SocketErrorCode == SocketError.AddressAlreadyInUse && Stopwatch.GetElapsedTime(started) < s_bindLimit)
            {
                listener.Dispose();
                await Task.Delay(1);
            }
        }
    }

    // While it is frozen nobody answers: a connection that is in doubt must outlive that.
    private void KeepAlive(Socket socket)
    {
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, optionValue: true);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, 2 + Draw(8));
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, 3 + Draw(3));
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, 5);
    }

    private void StopAgentIfOrdered()
    {
        try
        {
            int agent = int.Parse(File.ReadAllText(orderFile), CultureInfo.InvariantCulture);
            File.Delete(orderFile);
            using ProcessDescriptor process = ProcessDescriptor.Open(agent);
            process.Signal(SIGSTOP);
        }
        catch (Exception e) when (e is IOException or ProcessException or FormatException)
        {
            // There is no order, or it is being written, or the agent has died.
        }
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
