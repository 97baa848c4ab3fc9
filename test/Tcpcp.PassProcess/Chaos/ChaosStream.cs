using System.Buffers.Binary;
using System.Net.Sockets;
using Tcpcp.Tests;

namespace Tcpcp.PassProcess.Chaos;

/// <summary>
/// One end of a conversation in which each side sends a known number of known bytes and then closes its side. The first bytes of the peer's stream say what it is
/// about. Every byte received is compared; and where both streams are is all the state there is.
/// </summary>
internal sealed class ChaosStream
{
    /// <summary>Length of <see cref="State"/>.</summary>
    public const int StateBytes = ChaosPlan.Bytes + (3 * sizeof(long)) + 2;

    private const int BufferBytes = 32 << 10;
    private const int PollMicroseconds = 5_000;
    private const int SOL_SOCKET = 1; // asm-generic/socket.h
    private const int SO_MAX_PACING_RATE = 47;

    private static readonly ByteStream s_up = new(1);
    private static readonly ByteStream s_down = new(2);

    private readonly bool _isPeer;
    private readonly byte[] _plan = new byte[ChaosPlan.Bytes];
    private readonly byte[] _buffer = new byte[BufferBytes];
    private readonly byte[] _expected = new byte[BufferBytes];
    private readonly Random _pauses = new();
    private int _planBytes;
    private long _sent;
    private long _received;
    private bool _isClosed;
    private bool _isPeerClosed;
    private Thread? _thread;
    private volatile bool _stopping;
    private volatile string? _end;

    /// <summary>The peer's end, of a connection that has just been made.</summary>
    public ChaosStream(Socket socket, ChaosPlan plan)
    {
        (Socket, _isPeer, _planBytes) = (socket, true, ChaosPlan.Bytes);
        plan.WriteTo(_plan);
        socket.Blocking = false;
        LimitRate();
    }

    /// <summary>The service's end.</summary>
    /// <param name="state">Of the end that goes on here; empty: it is new.</param>
    public ChaosStream(Socket socket, ulong epoch, ReadOnlySpan<byte> state)
    {
        (Socket, Epoch) = (socket, epoch);
        socket.Blocking = false;
        if (state.IsEmpty)
            return;
        state[..ChaosPlan.Bytes].CopyTo(_plan);
        ReadOnlySpan<byte> numbers = state[ChaosPlan.Bytes..];
        _planBytes = (int)BinaryPrimitives.ReadInt64BigEndian(numbers);
        _sent = BinaryPrimitives.ReadInt64BigEndian(numbers[8..]);
        _received = BinaryPrimitives.ReadInt64BigEndian(numbers[16..]);
        (_isClosed, _isPeerClosed) = (numbers[24] != 0, numbers[25] != 0);
    }

    public Socket Socket { get; }

    public ulong Epoch { get; }

    /// <summary>What it is about; meaningless before the peer's first bytes are here.</summary>
    public ChaosPlan Plan => ChaosPlan.Read(_plan);

    public long Sent => Volatile.Read(ref _sent);

    public long Received => Volatile.Read(ref _received);

    /// <summary>How it ended: <see cref="Complete"/>, or what went wrong; null while it goes on.</summary>
    public string? End => _end;

    /// <summary>Both sides have sent all, and have closed.</summary>
    public const string Complete = "complete";

    /// <summary>Hears how it ended.</summary>
    public Action<ChaosStream>? Ended { get; init; }

    public byte[] State
    {
        get
        {
            byte[] state = new byte[StateBytes];
            _plan.CopyTo(state, 0);
            Span<byte> numbers = state.AsSpan(ChaosPlan.Bytes);
            BinaryPrimitives.WriteInt64BigEndian(numbers, _planBytes);
            BinaryPrimitives.WriteInt64BigEndian(numbers[8..], _sent);
            BinaryPrimitives.WriteInt64BigEndian(numbers[16..], _received);
            (numbers[24], numbers[25]) = ((byte)(_isClosed ? 1 : 0), (byte)(_isPeerClosed ? 1 : 0));
            return state;
        }
    }

    public void Start()
    {
        if (_end is not null)
            return; // while it was to be passed
        _stopping = false;
        _thread = new Thread(Run) { IsBackground = true };
        _thread.Start();
    }

    /// <summary>Stops between two calls of the kernel: every byte is sent or not, and read or not.</summary>
    public void Stop()
    {
        _stopping = true;
        _thread?.Join();
    }

    public override string ToString() => $"{Plan} sent {Sent} received {Received}: {End ?? "goes on"}";

    private void Run()
    {
        string? end = null;
        try
        {
            while (!_stopping && end is null)
            {
                bool worked = Receive(ref end) | (end is null && Send());
                if (_isClosed && _isPeerClosed)
                    end ??= Complete;
                if (!worked && end is null)
                    Rest();
            }
        }
        catch (SocketException e)
        {
            end = $"{e.SocketErrorCode}";
        }

        if (end is null)
            return;
        _end = end;
        Ended?.Invoke(this);
        Socket.Dispose();
    }

    // The kernel does it, and the connection keeps it when it is passed.
    private void LimitRate() => Socket.SetRawSocketOption(SOL_SOCKET, SO_MAX_PACING_RATE, BitConverter.GetBytes((ulong)Plan.BytesPerSecond));

    // Some stop and think; and who waits for nothing but its own time must not be woken by the end of the other's stream.
    private void Rest()
    {
        if (_isPeerClosed || _pauses.Next(200) == 0)
            Thread.Sleep(_pauses.Next(1, 30));
        else
            Socket.Poll(PollMicroseconds, SelectMode.SelectRead);
    }

    private bool Receive(ref string? end)
    {
        if (_isPeerClosed)
            return false;
        Span<byte> room = _planBytes < ChaosPlan.Bytes ? _plan.AsSpan(_planBytes) : _buffer;
        int count = Socket.Receive(room, SocketFlags.None, out SocketError error);
        if (error == SocketError.WouldBlock)
            return false;
        if (error != SocketError.Success)
            throw new SocketException((int)error);
        if (count == 0)
        {
            _isPeerClosed = true;
            long all = _isPeer ? Plan.Down : Plan.Up;
            if (_planBytes < ChaosPlan.Bytes || _received != all)
                end = $"short: {_received} of {all} bytes";
            return true;
        }

        if (_planBytes < ChaosPlan.Bytes)
        {
            _planBytes += count;
            if (_planBytes == ChaosPlan.Bytes)
                LimitRate();
            return true;
        }

        (_isPeer ? s_down : s_up).Read(Plan.Number + _received, _expected.AsSpan(0, count));
        if (!_expected.AsSpan(0, count).SequenceEqual(_buffer.AsSpan(0, count)))
            end = $"WRONG after {_received}";
        Volatile.Write(ref _received, _received + count);
        return true;
    }

    private bool Send()
    {
        if (_isClosed || _planBytes < ChaosPlan.Bytes)
            return false;
        // The peer's stream begins with the plan.
        long head = _isPeer ? ChaosPlan.Bytes : 0, left = head + (_isPeer ? Plan.Up : Plan.Down) - _sent;
        if (left == 0)
        {
            Socket.Shutdown(SocketShutdown.Send);
            return _isClosed = true;
        }

        Span<byte> bytes;
        if (_sent < head)
        {
            bytes = _plan.AsSpan((int)_sent);
        }
        else
        {
            bytes = _buffer.AsSpan(0, (int)Math.Min(left, _pauses.Next(1, BufferBytes)));
            (_isPeer ? s_up : s_down).Read(Plan.Number + _sent - head, bytes);
        }

        int taken = Socket.Send(bytes, SocketFlags.None, out SocketError error);
        if (error == SocketError.WouldBlock)
            return false;
        if (error != SocketError.Success)
            throw new SocketException((int)error);
        Volatile.Write(ref _sent, _sent + taken);
        return true;
    }
}
