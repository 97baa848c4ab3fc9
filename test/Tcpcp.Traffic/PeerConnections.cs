using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Tcpcp.Lab;

namespace Tcpcp.Traffic;

/// <summary>The other ends of the connections, on the peer's host.</summary>
internal sealed class PeerConnections(Host peer, IPEndPoint service) : IDisposable
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(30);

    private readonly List<Socket> _sockets = [];
    private int _round;

    /// <summary>Connects until there are so many.</summary>
    public void Connect(int count) => peer.Run(() =>
    {
        while (_sockets.Count < count)
        {
            Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            _sockets.Add(socket);
            socket.Connect(service);
        }
    });

    /// <summary>Sends something on every connection, and reads its echo: each lives, and nothing was lost or made up.</summary>
    /// <exception cref="InvalidOperationException">One does not.</exception>
    public async Task EchoAsync()
    {
        _round++;
        using CancellationTokenSource timer = new(s_limit);
        await Task.WhenAll(_sockets.Select((socket, number) => EchoAsync(socket, ((long)_round << 32) | (uint)number, timer.Token)));
    }

    public void Dispose()
    {
        foreach (Socket socket in _sockets)
            socket.Dispose();
    }

    private static async Task EchoAsync(Socket socket, long value, CancellationToken cancellationToken)
    {
        byte[] sent = new byte[sizeof(long)], received = new byte[sizeof(long)];
        BinaryPrimitives.WriteInt64BigEndian(sent, value);
        try
        {
            await socket.SendAsync(sent, cancellationToken);
            for (int read = 0, count; read < received.Length; read += count)
            {
                count = await socket.ReceiveAsync(received.AsMemory(read), cancellationToken);
                if (count == 0)
                    throw new InvalidOperationException($"The connection of {socket.LocalEndPoint} was closed.");
            }
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException)
        {
            throw new InvalidOperationException($"The connection of {socket.LocalEndPoint} does not live: {e.Message}", e);
        }

        if (!sent.AsSpan().SequenceEqual(received))
            throw new InvalidOperationException($"The connection of {socket.LocalEndPoint} sent {value:x} and got back {BinaryPrimitives.ReadInt64BigEndian(received):x}.");
    }
}
