using System.Buffers.Binary;
using System.Net.Sockets;
using Tcpcp.Core;
using Tcpcp.Tests;

namespace Tcpcp.PassProcess;

/// <summary>One end of a conversation in which both sides send endless known streams at once, until the peer closes its side. Every byte received is compared.</summary>
internal sealed class StreamConnection
{
    public const int StateBytes = 16;

    /// <summary>What this side sends and what the peer sends.</summary>
    public const int OwnSeed = 1;
    public const int PeerSeed = 2;

    private const int PollMicroseconds = 5_000;

    private static readonly ByteStream s_outgoing = new(OwnSeed);
    private static readonly ByteStream s_incoming = new(PeerSeed);

    private readonly byte[] _buffer = new byte[16 << 10];
    private readonly byte[] _expected = new byte[16 << 10];
    private long _sent;
    private long _received;
    private Task _running = Task.CompletedTask;
    private volatile bool _quiescing;

    public StreamConnection(FourTuple name, Socket socket, ulong epoch, ReadOnlySpan<byte> state)
    {
        (Name, Socket, Epoch) = (name, socket, epoch);
        socket.Blocking = false;
        if (state.Length == StateBytes)
            (_sent, _received) = (BinaryPrimitives.ReadInt64BigEndian(state), BinaryPrimitives.ReadInt64BigEndian(state[8..]));
    }

    public FourTuple Name { get; }

    public Socket Socket { get; }

    public ulong Epoch { get; }

    /// <summary>How it ended; null while it goes on.</summary>
    public string? End { get; private set; }

    public void Start()
    {
        _quiescing = false;
        _running = Task.Factory.StartNew(Run, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    public async ValueTask<byte[]> QuiesceAsync()
    {
        _quiescing = true;
        await _running;
        byte[] state = new byte[StateBytes];
        BinaryPrimitives.WriteInt64BigEndian(state, _sent);
        BinaryPrimitives.WriteInt64BigEndian(state.AsSpan(8), _received);
        return state;
    }

    private void Run()
    {
        try
        {
            while (!_quiescing && End is null)
            {
                if (!Send() & !Receive())
                    Socket.Poll(PollMicroseconds, SelectMode.SelectRead);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            End = e.Message;
        }

        if (End is null)
            return;
        Console.WriteLine($"ended sent {_sent} received {_received}: {End}");
        Socket.Dispose();
    }

    private bool Send()
    {
        s_outgoing.Read(_sent, _buffer);
        int taken = Socket.Send(_buffer, SocketFlags.None, out SocketError error);
        if (error == SocketError.WouldBlock)
            return false;
        if (error != SocketError.Success)
            throw new SocketException((int)error);
        _sent += taken;
        return true;
    }

    private bool Receive()
    {
        int count = Socket.Receive(_buffer, SocketFlags.None, out SocketError error);
        if (error == SocketError.WouldBlock)
            return false;
        if (error != SocketError.Success)
            throw new SocketException((int)error);
        if (count == 0)
        {
            Socket.Shutdown(SocketShutdown.Send);
            End = "end of stream";
            return true;
        }

        s_incoming.Read(_received, _expected.AsSpan(0, count));
        if (!_expected.AsSpan(0, count).SequenceEqual(_buffer.AsSpan(0, count)))
            End = $"WRONG after {_received}";
        _received += count;
        return true;
    }
}
