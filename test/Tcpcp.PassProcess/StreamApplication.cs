using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Tcpcp.Agent.Passing;
using Tcpcp.Core;

namespace Tcpcp.PassProcess;

/// <summary>Accepts conversations, and passes all that it has together: one pass, one verdict.</summary>
internal sealed class StreamApplication(ProcessOptions options) : IPassReceiver
{
    private const int SOL_SOCKET = 1; // asm-generic/socket.h
    private const int SO_MAX_PACING_RATE = 47;
    private const int SO_SNDBUFFORCE = 32;

    private readonly ConcurrentDictionary<FourTuple, StreamConnection> _connections = new();

    public string Application => "stream";

    public async Task ServeAsync()
    {
        using Socket listener = new(options.Service.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(options.Service);
        listener.Listen();
        while (true)
        {
            Socket socket = await listener.AcceptAsync();
            socket.SetRawSocketOption(SOL_SOCKET, SO_MAX_PACING_RATE, BitConverter.GetBytes((ulong)options.BytesPerSecond));
            if (options.SendBufferBytes > 0)
                socket.SetRawSocketOption(SOL_SOCKET, SO_SNDBUFFORCE, BitConverter.GetBytes(options.SendBufferBytes));
            Begin(new StreamConnection(new FourTuple((IPEndPoint)socket.LocalEndPoint!, (IPEndPoint)socket.RemoteEndPoint!), socket, epoch: 0, state: []));
        }
    }

    public async Task<PassResult> PassAsync(Func<PassRequest, Task<PassResult>> pass)
    {
        StreamConnection[] connections = [.. _connections.Values.Where(connection => connection.End is null)];
        PassResult result = await pass(new PassRequest
        {
            Sockets = [.. connections.Select(connection => connection.Socket)],
            Application = Application,
            Epoch = connections.Max(connection => connection.Epoch),
            QuiesceAsync = async _ =>
            {
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
        });
        if (result.Owner is ConnectionOwner.Destination or ConnectionOwner.Nobody)
        {
            foreach (StreamConnection connection in connections)
                _connections.TryRemove(connection.Name, out _);
        }

        return result;
    }

    public ValueTask<string?> ExamineAsync(Arrival arrival, IReadOnlyList<SafeHandle> dormant)
    {
        if (options.Close is { } number)
            dormant[number].Dispose();
        return ValueTask.FromResult(options.Refuses ? "This application takes no connections."
            : arrival.State.Length == StreamConnection.StateBytes * arrival.Connections.Count ? null
            : $"The state has {arrival.State.Length} bytes.");
    }

    public void Withdraw(PassId pass)
    {
        // Nothing was kept.
    }

    public void Go(Arrival arrival, IReadOnlyList<Socket?> sockets)
    {
        for (int i = 0; i < sockets.Count; i++)
        {
            if (sockets[i] is { } socket)
                Begin(new StreamConnection(arrival.Connections[i], socket, arrival.Epoch,
                    arrival.State.Span.Slice(i * StreamConnection.StateBytes, StreamConnection.StateBytes)));
        }
    }

    private void Begin(StreamConnection connection)
    {
        _connections[connection.Name] = connection;
        connection.Start();
    }
}
