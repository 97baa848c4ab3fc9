using System.Net;
using System.Net.Sockets;
using Tcpcp.Linux.Streams;
using Tcpcp.Linux.Tcp;
using Tcpcp.Relay.Settings;

namespace Tcpcp.Relay.Listening;

/// <summary>
/// Where clients connect to. It listens on addresses that are not on this host yet too (IP_FREEBIND): a service address may move here. When it has as many sessions as it
/// may, it accepts no more, and clients wait in the kernel's queue.
/// </summary>
internal sealed class Listener : IDisposable
{
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(100);

    private readonly Action<Socket, ListenerPlace> _accepted;
    private readonly Action<string> _failed;
    private readonly Lock _lock = new();
    private readonly Dictionary<IPEndPoint, Socket> _sockets = [];
    private readonly List<Task> _accepting = [];
    private CancellationTokenSource _pausing = new();
    private TaskCompletionSource _room = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _sessions;
    private long _total;
    private long _refused;
    private long _passedIn;
    private long _passedOut;
    private long _bytesToServer;
    private long _bytesToClient;
    private volatile bool _isDisposed;

    /// <param name="accepted">Gets connections, and the place that each takes.</param>
    /// <param name="failed">Hears of trouble that passes.</param>
    public Listener(ListenerSettings settings, Action<Socket, ListenerPlace> accepted, Action<string> failed) =>
        (Settings, _accepted, _failed) = (settings, accepted, failed);

    public string Name => Settings.Name;

    public ListenerSettings Settings { get; private set; }

    public SourceCounts Sources { get; } = new();

    /// <summary>Those that are open, and those that open.</summary>
    public int Sessions => Volatile.Read(ref _sessions);

    public long Total => Interlocked.Read(ref _total);

    public long Refused => Interlocked.Read(ref _refused);

    public long PassedIn => Interlocked.Read(ref _passedIn);

    public long PassedOut => Interlocked.Read(ref _passedOut);

    public long BytesToServer => Interlocked.Read(ref _bytesToServer);

    public long BytesToClient => Interlocked.Read(ref _bytesToClient);

    /// <summary>Listens where the settings say, and nowhere else; sessions are not touched.</summary>
    /// <exception cref="IOException">An address cannot be listened on; the others are.</exception>
    public void Follow(ListenerSettings settings)
    {
        Settings = settings;
        MakeRoom();
        foreach ((IPEndPoint address, Socket socket) in _sockets.Where(one => !settings.Addresses.Contains(one.Key)).ToArray())
        {
            _sockets.Remove(address);
            socket.Dispose();
        }

        foreach (IPEndPoint address in settings.Addresses.Where(one => !_sockets.ContainsKey(one)))
        {
            Begin(address, Listen(address, settings));
        }
    }

    /// <summary>Listening sockets, by their addresses.</summary>
    public IReadOnlyDictionary<IPEndPoint, Socket> Sockets => _sockets;

    /// <summary>Takes a listening socket over from another process.</summary>
    /// <returns>False if it is not to listen there.</returns>
    public bool Adopt(IPEndPoint address, Socket socket)
    {
        if (!Settings.Addresses.Contains(address) || _sockets.ContainsKey(address))
            return false;
        Begin(address, socket);
        return true;
    }

    /// <summary>Accepts nothing until <see cref="Resume"/>; clients wait in the kernel, or for another process that has the sockets too.</summary>
    public async Task PauseAsync()
    {
        await _pausing.CancelAsync();
        await Task.WhenAll(_accepting);
    }

    /// <summary>Another process listens at its sockets: here they are closed, of which nobody hears. After a pause.</summary>
    public void Leave()
    {
        foreach (Socket socket in _sockets.Values)
            StreamSocket.Leave(socket);
        _sockets.Clear();
    }

    /// <summary>Accepts again.</summary>
    public void Resume()
    {
        _pausing.Dispose();
        _pausing = new CancellationTokenSource();
        _accepting.Clear();
        foreach (Socket socket in _sockets.Values)
            _accepting.Add(AcceptAsync(socket, _pausing.Token));
    }

    private void Begin(IPEndPoint address, Socket socket)
    {
        _sockets[address] = socket;
        _accepting.Add(AcceptAsync(socket, _pausing.Token));
    }

    /// <summary>Takes a place for a session that comes from another host.</summary>
    /// <returns>Null if there is no room.</returns>
    public ListenerPlace? TryTake()
    {
        lock (_lock)
        {
            if (_isDisposed || (Settings.MaxSessions > 0 && _sessions >= Settings.MaxSessions))
                return null;
            _sessions++;
            return new ListenerPlace(this);
        }
    }

    public void GiveBack()
    {
        lock (_lock)
            _sessions--;
        MakeRoom();
    }

    public void CountRefused() => Interlocked.Increment(ref _refused);

    public void CountPassedIn()
    {
        Interlocked.Increment(ref _passedIn);
        Interlocked.Increment(ref _total);
    }

    public void CountPassedOut() => Interlocked.Increment(ref _passedOut);

    public void Moved(long toServer, long toClient)
    {
        if (toServer > 0)
            Interlocked.Add(ref _bytesToServer, toServer);
        if (toClient > 0)
            Interlocked.Add(ref _bytesToClient, toClient);
    }

    /// <summary>Accepts nothing more; sessions are not touched.</summary>
    public void Dispose()
    {
        _isDisposed = true;
        MakeRoom();
        foreach (Socket socket in _sockets.Values)
            socket.Dispose();
        _sockets.Clear();
    }

    private static Socket Listen(IPEndPoint address, ListenerSettings settings)
    {
        Socket socket = new(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            bool ipv6 = address.AddressFamily == AddressFamily.InterNetworkV6;
            if (ipv6)
                SocketOption.Set(socket.SafeHandle, SocketLevel.IPPROTO_IPV6, IpOption.IPV6_FREEBIND, 1);
            else
                SocketOption.Set(socket.SafeHandle, SocketLevel.IPPROTO_IP, IpOption.IP_FREEBIND, 1);
            socket.Bind(address);
            socket.Listen(settings.Backlog);
            return socket;
        }
        catch (SocketException e)
        {
            socket.Dispose();
            throw new IOException($"listeners:{settings.Name}:listen: {address} cannot be listened on: {e.Message}.", e);
        }
    }

    private async Task AcceptAsync(Socket listening, CancellationToken pause)
    {
        try
        {
            while (!_isDisposed)
            {
                await UntilRoomAsync().AsTask().WaitAsync(pause); // while there is none clients wait in the kernel
                try
                {
                    Socket client = await listening.AcceptAsync(pause);
                    Interlocked.Increment(ref _total);
                    if (await TakeAsync(pause) is { } place)
                        _accepted(client, place);
                    else
                        client.Dispose();
                }
                catch (SocketException e) when (e.SocketErrorCode is not (SocketError.OperationAborted or SocketError.Interrupted))
                {
                    // No descriptors left, or the client has gone meanwhile.
                    _failed(e.Message);
                    await Task.Delay(s_pause, pause);
                }
            }
        }
        catch (Exception e) when (e is ObjectDisposedException or SocketException or OperationCanceledException)
        {
            // It does not listen there any more, or not now.
        }
    }

    private async ValueTask UntilRoomAsync()
    {
        while (!_isDisposed)
        {
            Task room;
            lock (_lock)
            {
                if (Settings.MaxSessions == 0 || _sessions < Settings.MaxSessions)
                    return;
                room = _room.Task;
            }

            await room;
        }
    }

    // Null: it is closed. One that was accepted while there was room, and finds none, waits for it; in a pause nobody may wait.
    private async ValueTask<ListenerPlace?> TakeAsync(CancellationToken pause)
    {
        while (!_isDisposed)
        {
            Task room;
            lock (_lock)
                room = _room.Task;
            if (TryTake() is { } place)
                return place;
            await room.WaitAsync(pause).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (!pause.IsCancellationRequested)
                continue;
            lock (_lock)
                _sessions++;
            return new ListenerPlace(this);
        }

        return null;
    }

    private void MakeRoom()
    {
        TaskCompletionSource before;
        lock (_lock)
        {
            before = _room;
            _room = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        before.SetResult();
    }
}
