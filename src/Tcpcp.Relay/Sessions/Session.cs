using System.Net.Sockets;
using Tcpcp.Core;
using Tcpcp.Linux;
using Tcpcp.Linux.Streams;
using Tcpcp.Relay.Loops;

namespace Tcpcp.Relay.Sessions;

/// <summary>
/// A client's connection, a server's, and the bytes between them. It runs on its loop's thread; <see cref="QuiesceAsync"/> stops it between two calls of the kernel, so that every
/// byte is in a queue of the kernel or in the state.
/// </summary>
internal sealed class Session
{
    // Of each direction: one that never pauses must not keep the other one waiting.
    private const int TurnBytes = 256 << 10;

    private readonly ISessionOwner _owner;
    private readonly SessionSide _client;
    private readonly SessionSide _server;
    private long _lastBytes;
    private bool _isRunning;
    private volatile bool _isOver;
    private bool _isWaitingForTurn;
    private SessionEnd? _cause;

    /// <param name="client">This owns both sockets, until they are passed.</param>
    public Session(SessionIdentity identity, SessionTimeouts timeouts, Socket client, Socket server, SessionLoop loop, ISessionOwner owner)
    {
        (Identity, Timeouts, Loop, _owner) = (identity, timeouts, loop, owner);
        (_client, _server) = (new SessionSide(this, client), new SessionSide(this, server));
        (ToServer, ToClient) = (new Flow(_client, _server), new Flow(_server, _client));
        _lastBytes = Environment.TickCount64;
    }

    public SessionIdentity Identity { get; }

    public SessionTimeouts Timeouts { get; }

    public SessionLoop Loop { get; }

    public Flow ToServer { get; }

    public Flow ToClient { get; }

    /// <summary>Both connections are closed here.</summary>
    public bool IsOver => _isOver;

    /// <summary>The client's connection, then the server's.</summary>
    public IReadOnlyList<Socket> Sockets => [_client.Socket, _server.Socket];

    /// <summary>The names of both; null if one has ended.</summary>
    public IReadOnlyList<FourTuple>? FindNames()
    {
        try
        {
            return [.. Sockets.Select(socket => new FourTuple((System.Net.IPEndPoint)socket.LocalEndPoint!, (System.Net.IPEndPoint)socket.RemoteEndPoint!))];
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            return null;
        }
    }

    /// <summary>Begins, or goes on after a quiesce. From any thread.</summary>
    public void Start() => Loop.Post(Begin);

    /// <summary>Stops reading and writing. From any thread.</summary>
    /// <returns>What goes with the session.</returns>
    /// <exception cref="InvalidOperationException">It has ended.</exception>
    /// <param name="hosts">How many hosts it goes on: 0 if another process of this host takes it.</param>
    public Task<ReadOnlyMemory<byte>> QuiesceAsync(int hosts = 1) => Loop.InvokeAsync(() =>
    {
        if (_isOver)
            throw new InvalidOperationException("The session has ended.");
        Stop();
        return SessionWire.Write(this, hosts);
    });

    /// <summary>Another process has both sockets and goes on with it: here they are closed, of which nobody hears. Of one that stands still.</summary>
    public Task LeaveAsync() => Loop.InvokeAsync(() =>
    {
        if (_isOver)
            return true;
        _isOver = true;
        ToServer.Drop(Loop.Buffers);
        ToClient.Drop(Loop.Buffers);
        foreach (Socket socket in Sockets)
            StreamSocket.Leave(socket);
        _owner.Ended(this, SessionEnd.HandedOver);
        return true;
    });

    /// <summary>Returns when the loop has dealt with what has happened to the connections so far.</summary>
    public async Task UntilSeenAsync()
    {
        await Loop.InvokeAsync(() => true); // it goes on, if it was to
        await Loop.InvokeAsync(() => true); // it was told what it was to be told
    }

    /// <summary>Ends it for a reason that is not its connections'. From any thread.</summary>
    public void End(SessionEnd end) => Loop.Post(() => Finish(end, isReset: false));

    /// <summary>Moves what there is. On the loop's thread.</summary>
    public void Run()
    {
        _isWaitingForTurn = false;
        if (!_isRunning)
            return;
        int upBudget = TurnBytes, downBudget = TurnBytes;
        long up = 0, down = 0;
        int clientError = ToServer.Run(Loop.Buffers, ref upBudget, ref up);
        int serverError = ToClient.Run(Loop.Buffers, ref downBudget, ref down);
        if (up + down > 0)
        {
            _lastBytes = Loop.Now;
            _owner.Moved(this, up, down);
        }

        _cause ??= ToServer.HasSourceEnded ? SessionEnd.ClientClosed : ToClient.HasSourceEnded ? SessionEnd.ServerClosed : null;
        if (clientError != 0)
            Finish(clientError == Errno.ECONNRESET ? SessionEnd.ClientReset : SessionEnd.ClientUnreachable, isReset: true);
        else if (serverError != 0)
            Finish(serverError == Errno.ECONNRESET ? SessionEnd.ServerReset : SessionEnd.ServerUnreachable, isReset: true);
        else if (ToServer.HasEnded && ToClient.HasEnded)
            Finish(ToServer.IsBroken ? SessionEnd.ServerReset : ToClient.IsBroken ? SessionEnd.ClientReset : _cause ?? SessionEnd.ClientClosed, ToServer.IsBroken || ToClient.IsBroken);
        else if ((upBudget <= 0 || downBudget <= 0) && !_isWaitingForTurn)
            WaitForTurn();
    }

    /// <summary>Whether one of its timeouts has passed. On the loop's thread.</summary>
    public bool IsLate(long now) => _isRunning && FindLateness(now) is not null;

    /// <summary>On the loop's thread.</summary>
    public void TimeIsUp(long now)
    {
        if (_isRunning && FindLateness(now) is { } end)
            Finish(end, isReset: false);
    }

    private void WaitForTurn()
    {
        _isWaitingForTurn = true;
        Loop.Continue(this);
    }

    private SessionEnd? FindLateness(long now)
    {
        TimeSpan silence = TimeSpan.FromMilliseconds(now - _lastBytes);
        return Timeouts.Lifetime is { } lifetime && DateTimeOffset.UtcNow - Identity.Accepted > lifetime ? SessionEnd.Lifetime
            : Timeouts.HalfClosed is { } halfClosed && (ToServer.HasEnded || ToClient.HasEnded) && silence > halfClosed ? SessionEnd.HalfClosed
            : Timeouts.Idle is { } idle && silence > idle ? SessionEnd.Idle : null;
    }

    private void Begin()
    {
        if (_isOver || _isRunning)
            return;
        _lastBytes = Loop.Now;
        _isRunning = true;
        Loop.Add(this);
        try
        {
            _client.Watch(Loop);
            _server.Watch(Loop);
        }
        catch (Exception e) when (e is KernelException or ObjectDisposedException)
        {
            Finish(SessionEnd.Fault, isReset: true);
        }
    }

    private void Stop()
    {
        if (!_isRunning)
            return;
        _isRunning = false;
        _client.Unwatch(Loop);
        _server.Unwatch(Loop);
        Loop.Remove(this);
    }

    private void Finish(SessionEnd end, bool isReset)
    {
        if (_isOver)
            return;
        Stop();
        _isOver = true;
        ToServer.Drop(Loop.Buffers);
        ToClient.Drop(Loop.Buffers);
        foreach (Socket socket in Sockets)
        {
            if (isReset && !socket.SafeHandle.IsClosed)
                StreamSocket.ResetOnClose(socket.SafeHandle);
            socket.Dispose();
        }

        _owner.Ended(this, end);
    }
}
