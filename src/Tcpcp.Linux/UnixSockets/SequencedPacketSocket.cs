using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Tcpcp.Linux.UnixSockets;

/// <summary>
/// A Unix socket of packets that arrive whole and in order, with descriptors (SOCK_SEQPACKET, unix(7)). One receiver at a time; one sender at a time.
/// </summary>
internal sealed class SequencedPacketSocket : IDisposable
{
    private const int PollMicroseconds = 100_000;

    private readonly Socket _socket;
    private readonly int _maxBytes;
    private volatile bool _isDisposed;

    private SequencedPacketSocket(Socket socket, int maxBytes) => (_socket, _maxBytes) = (socket, maxBytes);

    /// <summary>Who connected; of a listening socket: this process.</summary>
    public PeerCredentials Credentials => PeerCredentials.Of(_socket.SafeHandle);

    public bool IsDisposed => _isDisposed;

    /// <summary>Listens on a path. A file that a process has left there is replaced, unless somebody still listens.</summary>
    /// <param name="maxBytes">Limit of a packet.</param>
    /// <param name="mode">Of the socket's file: who may write to it may connect.</param>
    /// <param name="group">Of the socket's file; null: this process's.</param>
    /// <exception cref="IOException">Somebody listens there already, or the path cannot be used.</exception>
    public static SequencedPacketSocket Listen(string path, int maxBytes, UnixFileMode mode, uint? group)
    {
        const int Backlog = 128;
        UnixDomainSocketEndPoint endPoint = EndPointOf(path);
        if (!Directory.Exists(Path.GetDirectoryName(Path.GetFullPath(path))))
            throw new IOException($"'{path}' cannot be listened on, since its directory is not there: make it, or name another one.");
        RemoveStale(path, endPoint);
        Socket socket = New();
        try
        {
            socket.Bind(endPoint);
            File.SetUnixFileMode(path, mode); // before it listens, nobody can connect
            if (group is { } owner)
                SocketFile.Own(path, owner);
            socket.Listen(Backlog);
            return new SequencedPacketSocket(socket, maxBytes);
        }
        catch (Exception e)
        {
            socket.Dispose();
            throw e is SocketException ? new IOException($"'{path}' cannot be listened on: {e.Message}", e) : e;
        }
    }

    /// <exception cref="IOException">Nobody listens there, or this process may not connect.</exception>
    public static async ValueTask<SequencedPacketSocket> ConnectAsync(string path, int maxBytes, CancellationToken cancellationToken)
    {
        Socket socket = New();
        try
        {
            await socket.ConnectAsync(EndPointOf(path), cancellationToken);
            return new SequencedPacketSocket(socket, maxBytes);
        }
        catch (Exception e)
        {
            socket.Dispose();
            throw e is SocketException ? new IOException($"'{path}' cannot be connected to: {e.Message}", e) : e;
        }
    }

    public async ValueTask<SequencedPacketSocket> AcceptAsync(CancellationToken cancellationToken) =>
        new(await _socket.AcceptAsync(cancellationToken), _maxBytes);

    /// <summary>Sends without waiting.</summary>
    /// <param name="descriptors">They stay the caller's.</param>
    /// <returns>False if there is no room, because the other end does not receive.</returns>
    /// <exception cref="KernelException">The other end has closed.</exception>
    public bool TrySend(ReadOnlySpan<byte> packet, IReadOnlyList<SafeHandle> descriptors) =>
        packet.Length is > 0 && packet.Length <= _maxBytes
            ? PacketMessages.TrySend(_socket.SafeHandle, packet, descriptors)
            : throw new ArgumentException($"A packet has 1 to {_maxBytes} bytes, not {packet.Length}.", nameof(packet));

    /// <summary>Returns when there is room again, or the other end has closed. That is rare, so that a thread of its own waits.</summary>
    /// <returns>False if the time was up first, or this was disposed.</returns>
    public Task<bool> WaitForRoomAsync(TimeSpan limit) => Task.Factory.StartNew(() =>
    {
        long started = TimeProvider.System.GetTimestamp();
        try
        {
            while (!_isDisposed && TimeProvider.System.GetElapsedTime(started) < limit)
            {
                if (_socket.Poll(PollMicroseconds, SelectMode.SelectWrite))
                    return true;
            }
        }
        catch (Exception e) when (e is ObjectDisposedException or SocketException)
        {
            // There is nobody to send to.
        }

        return false;
    }, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    /// <returns>The next packet; null when the other end has closed.</returns>
    /// <exception cref="PacketException">The packet was not as it may be; the next one may be received.</exception>
    public async ValueTask<ReceivedPacket?> ReceiveAsync(CancellationToken cancellationToken)
    {
        ReceivedPacket? packet;
        while (!TryReceive(out packet))
        {
            try
            {
                // Nothing is taken: the framework peeks at a byte for this, and descriptors stay in the queue.
                await _socket.ReceiveAsync(Memory<byte>.Empty, SocketFlags.None, cancellationToken);
            }
            catch (SocketException)
            {
                return null;
            }
        }

        return packet;
    }

    /// <summary>Ends the conversation so that the other end still receives what was sent, and closes.</summary>
    public void Close()
    {
        try
        {
            _socket.Shutdown(SocketShutdown.Both);
            // What is left unread would make the other end's next call fail (ECONNRESET), before it has received what we said last.
            while (!_isDisposed && TryReceive(out ReceivedPacket? packet) && packet is not null)
                packet.Dispose();
        }
        catch (Exception e) when (e is SocketException or IOException or ObjectDisposedException)
        {
            // It was gone.
        }

        Dispose();
    }

    public void Dispose()
    {
        _isDisposed = true;
        _socket.Dispose();
    }

    private bool TryReceive(out ReceivedPacket? packet) => PacketMessages.TryReceive(_socket.SafeHandle, _maxBytes, out packet);

    private static Socket New() => new(AddressFamily.Unix, SocketType.Seqpacket, ProtocolType.Unspecified);

    private static UnixDomainSocketEndPoint EndPointOf(string path)
    {
        try
        {
            return new UnixDomainSocketEndPoint(path);
        }
        catch (ArgumentOutOfRangeException e)
        {
            throw new IOException($"'{path}' is too long for the path of a Unix socket: 107 bytes are the most.", e);
        }
    }

    private static void RemoveStale(string path, UnixDomainSocketEndPoint endPoint)
    {
        if (!File.Exists(path))
            return;
        if (!SocketFile.IsThere(path))
            throw new IOException($"'{path}' is there already and is not a socket: remove it, or configure another path.");
        using Socket probe = New();
        try
        {
            probe.Connect(endPoint);
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionRefused)
        {
            File.Delete(path); // nobody listens
            return;
        }
        catch (SocketException e)
        {
            throw new IOException($"'{path}' is there already and cannot be replaced: {e.Message}", e);
        }

        throw new IOException($"Another process listens on '{path}' already.");
    }
}
