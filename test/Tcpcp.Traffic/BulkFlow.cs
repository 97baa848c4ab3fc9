using System.Buffers.Binary;
using System.Diagnostics;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Tcpcp.Traffic;

/// <summary>
/// One end of a connection that sends and receives at a steady rate at the same time, on a thread of its own. What is sent depends on its place in the stream, so that
/// the receiver knows every byte; and the two places are all the state there is.
/// </summary>
internal sealed class BulkFlow : IDisposable
{
    /// <summary>Length of <see cref="State"/>.</summary>
    public const int StateBytes = 2 * sizeof(long);

    private const int ChunkBytes = 128 * 1024;
    private const ulong Step = 0x9E37_79B9_7F4A_7C15; // odd: the words of a stream are all different
    private const int LeastBytes = 64 * 1024; // at a time: who has a megabyte to send does not do it in small segments
    private const int WaitMicroseconds = 1000;

    private static readonly TimeSpan s_longestBurst = TimeSpan.FromMilliseconds(5);

    private readonly Socket _socket;
    private readonly double _bytesPerSecond;
    private readonly byte[] _sending = new byte[ChunkBytes + sizeof(ulong)];
    private readonly byte[] _receiving = new byte[ChunkBytes + sizeof(ulong)];
    private readonly Thread _thread;
    private volatile bool _stopping;
    private long _sent;
    private long _received;
    private string? _fault;

    /// <param name="bytesPerSecond">What is sent, where the other end takes it.</param>
    /// <param name="state">Of the end that goes on here; empty: it is new.</param>
    public BulkFlow(Socket socket, double bytesPerSecond, ReadOnlySpan<byte> state = default)
    {
        (_socket, _bytesPerSecond) = (socket, bytesPerSecond);
        socket.Blocking = false;
        if (!state.IsEmpty)
            (_sent, _received) = (BinaryPrimitives.ReadInt64LittleEndian(state), BinaryPrimitives.ReadInt64LittleEndian(state[sizeof(long)..]));
        _thread = new Thread(Run) { IsBackground = true, Name = "bulk flow" };
        _thread.Start();
    }

    public Socket Socket => _socket;

    public long Sent => Volatile.Read(ref _sent);

    public long Received => Volatile.Read(ref _received);

    /// <summary>Whether it only receives from now on.</summary>
    public bool SendsNoMore { get; set; }

    /// <summary>What went wrong; null: nothing.</summary>
    public string? Fault => Volatile.Read(ref _fault);

    /// <summary>Of an end that has stopped.</summary>
    public byte[] State
    {
        get
        {
            byte[] state = new byte[StateBytes];
            BinaryPrimitives.WriteInt64LittleEndian(state, _sent);
            BinaryPrimitives.WriteInt64LittleEndian(state.AsSpan(sizeof(long)), _received);
            return state;
        }
    }

    /// <summary>Stops between two calls of the kernel: every byte is sent or not, and read or not.</summary>
    public void Stop()
    {
        _stopping = true;
        _thread.Join();
    }

    public void Dispose()
    {
        Stop();
        _socket.Dispose();
    }

    private void Run()
    {
        long last = Stopwatch.GetTimestamp();
        double allowed = 0;
        try
        {
            while (!_stopping)
            {
                long now = Stopwatch.GetTimestamp();
                allowed = Math.Min(allowed + (Stopwatch.GetElapsedTime(last, now).TotalSeconds * _bytesPerSecond), Math.Max(LeastBytes, s_longestBurst.TotalSeconds * _bytesPerSecond));
                last = now;
                bool worked = Receive();
                int sent = SendsNoMore ? 0 : Send((int)Math.Min(allowed, ChunkBytes));
                allowed -= sent;
                if (!worked && sent == 0)
                    _socket.Poll(WaitMicroseconds, SelectMode.SelectRead);
            }
        }
        catch (Exception e) when (e is SocketException or InvalidDataException)
        {
            Volatile.Write(ref _fault, e.Message);
        }
    }

    private bool Receive()
    {
        int count = _socket.Receive(_receiving, 0, ChunkBytes, SocketFlags.None, out SocketError error);
        if (error == SocketError.WouldBlock)
            return false;
        if (error != SocketError.Success || count == 0)
            throw new InvalidDataException(error == SocketError.Success ? "The other end has closed the connection." : $"The connection has failed: {error}.");
        Fill(_sending, _received, count);
        if (!_sending.AsSpan((int)(_received % sizeof(ulong)), count).SequenceEqual(_receiving.AsSpan(0, count)))
            throw new InvalidDataException($"A byte of those from {_received} on is wrong.");
        Volatile.Write(ref _received, _received + count);
        return true;
    }

    private int Send(int count)
    {
        if (count < LeastBytes)
            return 0;
        Fill(_sending, _sent, count);
        int sent = _socket.Send(_sending, (int)(_sent % sizeof(ulong)), count, SocketFlags.None, out SocketError error);
        if (error == SocketError.WouldBlock)
            return 0;
        if (error != SocketError.Success)
            throw new InvalidDataException($"The connection has failed: {error}.");
        Volatile.Write(ref _sent, _sent + sent);
        return sent;
    }

    // The words that the bytes of the stream from a place on are in.
    private static void Fill(byte[] buffer, long from, int count)
    {
        Span<ulong> words = MemoryMarshal.Cast<byte, ulong>(buffer.AsSpan());
        ulong first = (ulong)(from / sizeof(ulong)), number = ((ulong)(from % sizeof(ulong)) + (ulong)count + 7) / sizeof(ulong);
        for (ulong i = 0; i < number; i++)
            words[(int)i] = (first + i) * Step;
    }
}
