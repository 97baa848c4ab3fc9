using System.Net.Sockets;
using System.Security.Cryptography;

namespace Tcpcp.Tests;

/// <summary>An application at one end: sends its stream, and hashes and compares what it receives. Its socket can be exchanged in between.</summary>
internal sealed class StreamEnd(ByteStream outgoing, ByteStream incoming) : IDisposable
{
    private readonly IncrementalHash _sentHash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly IncrementalHash _receivedHash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly byte[] _outgoingBuffer = new byte[64 << 10];
    private readonly byte[] _incomingBuffer = new byte[64 << 10];
    private readonly byte[] _expected = new byte[64 << 10];
    private long _sent;
    private long _received;

    public long Sent => Interlocked.Read(ref _sent);

    public long Received => Interlocked.Read(ref _received);

    public string SentSum => Convert.ToHexString(_sentHash.GetCurrentHash());

    public string ReceivedSum => Convert.ToHexString(_receivedHash.GetCurrentHash());

    public Socket Socket
    {
        get;
        set
        {
            value.Blocking = false;
            field = value;
        }
    } = null!;

    /// <summary>The other end has closed its side, and all that it sent was received.</summary>
    public bool IsAtEnd { get; private set; }

    /// <summary>The last bytes that were sent.</summary>
    public byte[] LastSent(int count) => outgoing.Read(Sent - count, count);

    /// <summary>The bytes that must be received next.</summary>
    public byte[] NextToReceive(int count) => incoming.Read(Received, count);

    /// <summary>Sends without waiting.</summary>
    /// <returns>What the kernel took: less than asked for when its queue is full.</returns>
    public int Send(int count)
    {
        for (int done = 0; done < count;)
        {
            Span<byte> bytes = _outgoingBuffer.AsSpan(0, Math.Min(count - done, _outgoingBuffer.Length));
            outgoing.Read(_sent, bytes);
            int taken = Socket.Send(bytes, SocketFlags.None, out SocketError error);
            if (error == SocketError.WouldBlock)
                return done;
            if (error != SocketError.Success)
                throw new SocketException((int)error);
            _sentHash.AppendData(bytes[..taken]);
            Interlocked.Add(ref _sent, taken);
            done += taken;
        }

        return count;
    }

    /// <summary>Receives what is there.</summary>
    /// <returns>The count of bytes; 0 also at the end of the stream.</returns>
    public int Receive()
    {
        int count = Socket.Receive(_incomingBuffer, SocketFlags.None, out SocketError error);
        if (error == SocketError.WouldBlock)
            return 0;
        if (error != SocketError.Success)
            throw new SocketException((int)error);
        IsAtEnd = count == 0;
        Span<byte> expected = _expected.AsSpan(0, count);
        incoming.Read(_received, expected);
        int common = expected.CommonPrefixLength(_incomingBuffer);
        if (common != count)
            throw new InvalidDataException($"The byte at {_received + common} is wrong.");
        _receivedHash.AppendData(expected);
        Interlocked.Add(ref _received, count);
        return count;
    }

    public void Dispose()
    {
        _sentHash.Dispose();
        _receivedHash.Dispose();
        Socket?.Dispose();
    }
}
