using System.Net;
using System.Net.Sockets;
using Tcpcp.Lab;
using Tcpcp.PassProcess;

namespace Tcpcp.Agent.Tests.Conversations;

/// <summary>The peer's end of a conversation: sends and receives at once, and compares every byte with what must come.</summary>
internal sealed class Conversation : IDisposable
{
    private const int SOL_SOCKET = 1; // asm-generic/socket.h
    private const int SO_MAX_PACING_RATE = 47;
    private const int PollMicroseconds = 5_000;

    private static readonly ByteStream s_outgoing = new(StreamConnection.PeerSeed);
    private static readonly ByteStream s_incoming = new(StreamConnection.OwnSeed);

    private readonly Socket _socket;
    private readonly ByteStream _expectedStream;
    private readonly byte[] _buffer = new byte[16 << 10];
    private readonly byte[] _expected = new byte[16 << 10];
    private readonly Task _running;
    private long _sent;
    private long _received;
    private volatile bool _finishing;
    private volatile bool _abandoned;

    private Conversation(Socket socket, bool isEchoed)
    {
        _socket = socket;
        _expectedStream = isEchoed ? s_outgoing : s_incoming;
        _running = Task.Factory.StartNew(Run, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    public long Sent => Interlocked.Read(ref _sent);

    public long Received => Interlocked.Read(ref _received);

    /// <summary>What ended it; null while it goes on, empty after the service's FIN.</summary>
    public string? End { get; private set; }

    /// <param name="isEchoed">The service says back what it hears.</param>
    public static Conversation Start(Host peer, IPEndPoint service, int bytesPerSecond, bool isEchoed = false) => new(peer.Run(() =>
    {
        Socket socket = new(service.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        socket.SetRawSocketOption(SOL_SOCKET, SO_MAX_PACING_RATE, BitConverter.GetBytes((ulong)bytesPerSecond));
        socket.Connect(service);
        socket.Blocking = false;
        return socket;
    }), isEchoed);

    /// <summary>Returns when so much more has gone each way.</summary>
    public Task ProgressAsync(int bytes)
    {
        (long sent, long received) = (Sent + bytes, Received + bytes);
        return Until.True(() => End is not null || (Sent >= sent && Received >= received), s_limit, () => $"{this}, wanted {sent} and {received}");
    }

    /// <summary>Closes this side, and returns when the service has closed its own.</summary>
    public async Task FinishAsync()
    {
        _finishing = true;
        await Until.True(() => End is not null, s_limit, ToString);
        await _running;
    }

    public override string ToString() => $"sent {Sent}, received {Received}, end {End ?? "none"}";

    public void Dispose()
    {
        _abandoned = true;
        _running.Wait();
        _socket.Dispose();
    }

    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(60);

    private void Run()
    {
        bool closed = false;
        try
        {
            while (End is null && !_abandoned)
            {
                if (_finishing && !closed)
                {
                    _socket.Shutdown(SocketShutdown.Send);
                    closed = true;
                }

                if (!(!closed && Send()) & !Receive())
                    _socket.Poll(PollMicroseconds, SelectMode.SelectRead);
            }
        }
        catch (SocketException e)
        {
            End = e.SocketErrorCode.ToString();
        }
    }

    private bool Send()
    {
        s_outgoing.Read(_sent, _buffer);
        int taken = _socket.Send(_buffer, SocketFlags.None, out SocketError error);
        if (error == SocketError.WouldBlock)
            return false;
        if (error != SocketError.Success)
            throw new SocketException((int)error);
        Interlocked.Add(ref _sent, taken);
        return true;
    }

    private bool Receive()
    {
        int count = _socket.Receive(_buffer, SocketFlags.None, out SocketError error);
        if (error == SocketError.WouldBlock)
            return false;
        if (error != SocketError.Success)
            throw new SocketException((int)error);
        _expectedStream.Read(_received, _expected.AsSpan(0, count));
        if (!_expected.AsSpan(0, count).SequenceEqual(_buffer.AsSpan(0, count)))
            End = $"wrong byte after {_received}";
        else if (count == 0)
            End = "";
        Interlocked.Add(ref _received, count);
        return true;
    }
}
