using System.Net;
using System.Net.Sockets;
using Tcpcp.Core;
using Tcpcp.Lab;

namespace Tcpcp.EndToEnd.Tests.Agents;

/// <summary>The peer's end of a connection to an echo server: sends without pause, and compares every byte that comes back.</summary>
internal sealed class EchoConversation : IDisposable
{
    private const int SOL_SOCKET = 1; // asm-generic/socket.h
    private const int SO_MAX_PACING_RATE = 47;
    private const int WindowBytes = 128 << 10;
    private const int ChunkBytes = 8 << 10;

    // Its length is prime: what is lost, doubled or moved is never taken for what should be there.
    private static readonly byte[] s_pattern = MakePattern(1_000_003);
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(60);

    private readonly Socket _socket;
    private readonly SemaphoreSlim _echoed = new(0);
    private readonly Task _sending;
    private readonly Task _receiving;
    private long _sent;
    private long _received;
    private volatile bool _finishing;

    private EchoConversation(Socket socket)
    {
        _socket = socket;
        Connection = new FourTuple((IPEndPoint)socket.RemoteEndPoint!, (IPEndPoint)socket.LocalEndPoint!);
        _sending = Task.Run(SendAsync);
        _receiving = Task.Run(ReceiveAsync);
    }

    /// <summary>As its service names it.</summary>
    public FourTuple Connection { get; }

    public long Sent => Interlocked.Read(ref _sent);

    public long Received => Interlocked.Read(ref _received);

    public static EchoConversation Start(Host peer, IPEndPoint service, int bytesPerSecond) => new(peer.Run(() =>
    {
        Socket socket = new(service.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        socket.SetRawSocketOption(SOL_SOCKET, SO_MAX_PACING_RATE, BitConverter.GetBytes((ulong)bytesPerSecond));
        socket.Connect(service);
        return socket;
    }));

    /// <summary>Returns when so much more has come back.</summary>
    public async Task ProgressAsync(int bytes)
    {
        long goal = Received + bytes;
        await Eventually.True(() => Received >= goal || _sending.IsCompleted || _receiving.IsCompleted);
        if (Received < goal)
            await await Task.WhenAny(_sending, _receiving); // it says what went wrong, if it knows
        Assert.True(Received >= goal, $"The connection ended: {this}");
    }

    /// <summary>Closes this side: all that was sent comes back, then the service closes its own.</summary>
    public async Task FinishAsync()
    {
        _finishing = true;
        _socket.SetRawSocketOption(SOL_SOCKET, SO_MAX_PACING_RATE, BitConverter.GetBytes(ulong.MaxValue)); // what it has not sent yet leaves at once
        _echoed.Release();
        await Task.WhenAll(_sending, _receiving).WaitAsync(s_limit);
        Assert.Equal(Sent, Received);
    }

    /// <summary>Returns when the service has ended the connection.</summary>
    public Task EndedAsync() => Task.WhenAny(_receiving).WaitAsync(s_limit);

    public override string ToString() => $"{Connection}: sent {Sent}, received {Received}";

    public void Dispose()
    {
        _socket.Dispose();
        _finishing = true;
        _echoed.Release();
    }

    private async Task SendAsync()
    {
        while (!_finishing)
        {
            if (Sent - Received > WindowBytes - ChunkBytes)
            {
                await _echoed.WaitAsync();
                continue;
            }

            int at = (int)(Sent % s_pattern.Length);
            int count = await _socket.SendAsync(s_pattern.AsMemory(at, Math.Min(ChunkBytes, s_pattern.Length - at)));
            Interlocked.Add(ref _sent, count);
        }

        _socket.Shutdown(SocketShutdown.Send);
    }

    private async Task ReceiveAsync()
    {
        byte[] buffer = new byte[64 << 10];
        while (true)
        {
            int at = (int)(Received % s_pattern.Length);
            int count = await _socket.ReceiveAsync(buffer.AsMemory(0, Math.Min(buffer.Length, s_pattern.Length - at)));
            if (count == 0)
                return;
            if (!buffer.AsSpan(0, count).SequenceEqual(s_pattern.AsSpan(at, count)))
                throw new InvalidDataException($"A wrong byte came back after {Received}.");
            Interlocked.Add(ref _received, count);
            if (_echoed.CurrentCount == 0)
                _echoed.Release();
        }
    }

    private static byte[] MakePattern(int length)
    {
        byte[] bytes = new byte[length];
        Random.Shared.NextBytes(bytes);
        return bytes;
    }
}
