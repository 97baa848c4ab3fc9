using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http.Features;
using Tcpcp.AspNetCore.Passing;
using Tcpcp.AspNetCore.WebSockets;
using Tcpcp.Core;
using Tcpcp.Core.Wire;
using FourTuple = Tcpcp.Core.FourTuple;

namespace Tcpcp.AspNetCore.Transport;

/// <summary>A connection of the server that can be passed: the server is held at a boundary, and then either goes on or sees the end of the connection, while the socket
/// is another host's.</summary>
internal sealed class PassableConnection : ConnectionContext, IDuplexPipe, IConnectionIdFeature, IConnectionTransportFeature, IConnectionItemsFeature, IMemoryPoolFeature,
    IConnectionLifetimeFeature, IConnectionSocketFeature, IConnectionEndPointFeature, IPassedConnectionFeature
{
    // For a client that has closed its side and may yet read.
    private static readonly TimeSpan s_lastWords = TimeSpan.FromSeconds(5);

    private static long s_lastId = DateTime.UtcNow.Ticks;

    private readonly TransportSettings _settings;
    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _closed = new();
    private readonly ArrivedConnection? _arrived;
    private readonly ReceiveLoop _receiving;
    private TaskCompletionSource? _outcome; // of the pass that is under way
    private ConnectionAbortedException? _abortReason;
    private IPassableExchange? _exchange;
    private TaskCompletionSource? _began; // an exchange
    private IDictionary<object, object?>? _items;
    private IDuplexPipe? _transport;
    private string? _id;
    private bool _isDisposed;
    private bool _isDetached;

    /// <param name="arrived">Null: it was accepted here.</param>
    public PassableConnection(Socket socket, TransportSettings settings, ArrivedConnection? arrived = null)
    {
        (Socket, _settings, _arrived) = (socket, settings, arrived);
        Number = Interlocked.Increment(ref s_lastId);
        (LocalEndPoint, RemoteEndPoint) = (socket.LocalEndPoint, socket.RemoteEndPoint);
        socket.Blocking = false;
        Output = new ConnectionOutput(socket, settings.OutputOptions, settings.QueueOf(Number), this);
        Input = new ConnectionInput(settings.InputOptions, Output);
        Features = new ConnectionFeatures(this);
        _receiving = new ReceiveLoop(this, settings.MinAllocation);
    }

    /// <summary>In the order in which connections have begun.</summary>
    public long Number { get; }

    public Socket Socket { get; }

    public ConnectionInput Input { get; }

    public ConnectionOutput Output { get; }

    /// <summary>What the exchange under way at the origin was, until a request takes it.</summary>
    public ServerExchange? ArrivedExchange { get; private set; }

    public override string ConnectionId
    {
        get => _id ??= Number.ToString("X16", System.Globalization.CultureInfo.InvariantCulture);
        set => _id = value;
    }

    public override IFeatureCollection Features { get; }

    public override IDictionary<object, object?> Items
    {
        get => _items ??= new ConnectionItems();
        set => _items = value;
    }

    public override IDuplexPipe Transport
    {
        get => _transport ?? this;
        set => _transport = value;
    }

    PipeReader IDuplexPipe.Input => Input;

    PipeWriter IDuplexPipe.Output => Output;

    public MemoryPool<byte> MemoryPool => _settings.MemoryPool;

    public override CancellationToken ConnectionClosed
    {
        get => field == default ? _closed.Token : field;
        set;
    }

    /// <inheritdoc/>
    public string? Origin => _arrived?.Origin;

    /// <inheritdoc/>
    public int Passes => _arrived?.Passes ?? 0;

    /// <inheritdoc/>
    public string? Obstacle => Input.Obstacle;

    /// <summary>Why the server has aborted it, if it has.</summary>
    public ConnectionAbortedException? AbortReason => _abortReason;

    /// <summary>The highest number that was heard of its redirections.</summary>
    public ulong Epoch => _arrived?.Epoch ?? 0;

    /// <summary>Whether a pass of it is under way, or has succeeded.</summary>
    public bool IsLeaving
    {
        get
        {
            lock (_lock)
                return _outcome is not null || _isDetached || _isDisposed;
        }
    }

    /// <summary>Whether another host has it, or nobody.</summary>
    public bool IsDetached
    {
        get
        {
            lock (_lock)
                return _isDetached;
        }
    }

    /// <summary>Whether the server has done with it, or another host has it.</summary>
    public bool HasEnded
    {
        get
        {
            lock (_lock)
                return _isDisposed || _isDetached;
        }
    }

    /// <summary>Whether the last pass failed because the server did not come to a boundary in time: later it may.</summary>
    public bool WasLate { get; private set; }

    /// <summary>Whether a request is being dealt with that cannot be passed in the middle.</summary>
    public bool IsBusy { get; set; }

    /// <summary>Whether nothing need be waited for, as it seems: it is between two requests, or a WebSocket.</summary>
    public bool IsIdle => !IsBusy || Exchange is WebSocketExchange;

    /// <summary>A request that gives its state itself, if one is under way.</summary>
    public IPassableExchange? Exchange
    {
        get
        {
            lock (_lock)
                return _exchange;
        }
        set
        {
            TaskCompletionSource? began;
            lock (_lock)
            {
                _exchange = value;
                began = value is null ? null : _began;
            }

            began?.TrySetResult();
        }
    }

    /// <summary>The socket's name; null: it has ended.</summary>
    public FourTuple? FindName() => LocalEndPoint is IPEndPoint local && RemoteEndPoint is IPEndPoint remote ? new FourTuple(local, remote) : null;

    public void Start()
    {
        ReadOnlyMemory<byte> before = default;
        if (_arrived is { } arrived)
        {
            ArrivedExchange = arrived.State.Exchange;
            Output.Begin(arrived.State.Unsent.Span, ArrivedExchange is { } exchange ? ExchangeWire.FilterOf(exchange) : null);
            before = ArrivedExchange is { } one ? (byte[])[.. one.Head.Span, .. arrived.State.Unread.Span] : arrived.State.Unread.Memory;
        }

        _receiving.Start(before);
    }

    /// <summary>The request that came with the connection, if this is it.</summary>
    public ServerExchange? TakeArrivedExchange()
    {
        ServerExchange? exchange = ArrivedExchange;
        ArrivedExchange = null;
        return exchange;
    }

    /// <summary>Stops the server at a boundary.</summary>
    /// <returns>Its state.</returns>
    /// <exception cref="PassRefusedException">It does not get to one in time, or has none.</exception>
    public async Task<ServerConnection> QuiesceAsync(CancellationToken cancellationToken)
    {
        await BeginPassAsync(cancellationToken);
        if (Obstacle is { } obstacle)
            throw new PassRefusedException(obstacle);
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(_settings.QuiesceTimeout);
        try
        {
            Task<ServerExchange?> standing = StandAsync(limit.Token);
            await Output.StopAsync(); // a server that waits for its client goes on to its boundary
            ServerExchange? exchange = await standing;
            await _receiving.StopAsync();
            await Output.StopAsync();
            ServerConnection state = new()
            {
                Passes = (uint)Passes + 1,
                Unread = Google.Protobuf.UnsafeByteOperations.UnsafeWrap(Input.CopyUnread()),
                Unsent = Google.Protobuf.UnsafeByteOperations.UnsafeWrap(Output.Hold()),
            };
            if (exchange is not null)
                state.Exchange = exchange;
            return state;
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested)
        {
            WasLate = Obstacle is null;
            throw new PassRefusedException(Obstacle ?? (IsBusy ? $"A request has been under way for longer than {_settings.QuiesceTimeout.TotalSeconds} s."
                : $"The server did not come to a boundary within {_settings.QuiesceTimeout.TotalSeconds} s."));
        }
    }

    /// <summary>The connection goes on here, after <see cref="QuiesceAsync"/>.</summary>
    public void Resume()
    {
        TaskCompletionSource? outcome;
        ConnectionAbortedException? abort;
        lock (_lock)
            (outcome, _outcome, abort) = (_outcome, null, _abortReason);
        Output.Resume();
        Exchange?.Resume();
        _receiving.Resume();
        Input.Release();
        outcome?.TrySetResult();
        if (abort is not null)
            Abort(abort);
    }

    /// <summary>It does not: another host has it, or nobody. The socket is the agent's client's to close.</summary>
    public void Detach()
    {
        TaskCompletionSource? outcome;
        lock (_lock)
            (outcome, _outcome, _isDetached) = (_outcome, null, true);
        Output.Detach();
        Exchange?.Detach();
        Input.Detach();
        outcome?.TrySetResult();
        FireClosed();
    }

    /// <summary>The client is gone, or another host has it.</summary>
    public void FireClosed() => ThreadPool.UnsafeQueueUserWorkItem(static connection =>
    {
        try
        {
            connection._closed.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // The server has been quicker.
        }
    }, this, preferLocal: false);

    /// <summary>Why the connection has failed, or came to a fault.</summary>
    public void LoseOutput(Exception error)
    {
        if (error is not ConnectionAbortedException fault)
            return;
        _settings.Owner.Lost(this, fault.Message);
        Socket.Close(timeout: 0); // the client must not take it for a proper end
    }

    /// <summary>What came with it cannot go on: it is reset, since the client must not take it for a proper end.</summary>
    public void Lose(string reason)
    {
        ArrivedExchange = null;
        _settings.Owner.Lost(this, reason);
        Abort(new ConnectionAbortedException(reason));
    }

    /// <summary>Lets the server end it as soon as it may.</summary>
    public void RequestClose() => Features.Get<IConnectionLifetimeNotificationFeature>()?.RequestClose();

    public override void Abort(ConnectionAbortedException abortReason)
    {
        lock (_lock)
        {
            if (_outcome is not null)
                _abortReason = abortReason; // when it is known whose it is
            if (_outcome is not null || _isDetached)
                return;
            if (_receiving.HasPeerClosed && !IsBusy)
            {
                // The server aborts whatever its client has closed; between two requests nothing is lost, so that no reset is due.
                _abortReason = abortReason;
                return;
            }
        }

        Output.Fail(abortReason);
        Socket.Close(timeout: 0);
        Input.CancelPendingRead();
    }

    public override async ValueTask DisposeAsync()
    {
        Task? outcome;
        lock (_lock)
            outcome = _outcome?.Task;
        if (outcome is not null)
            await outcome;
        bool isDetached;
        lock (_lock)
            (isDetached, _isDisposed) = (_isDetached, true);
        Input.Complete();
        Output.Complete();
        if (!isDetached)
        {
            Task sent = Output.SentAsync();
            if (_abortReason is { } abort && await Task.WhenAny(sent, Task.Delay(s_lastWords)) != sent)
                Output.Fail(abort);
            await sent;
            try
            {
                Socket.Shutdown(SocketShutdown.Both); // ends the receiving too; closing with a receive under way would reset
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // It has ended already.
            }
        }

        await _receiving.EndAsync();
        if (!isDetached)
            Socket.Dispose();
        Input.Received.Complete();
        Output.Dispose();
        _settings.Owner.Ended(this);
        _receiving.Dispose();
        _closed.Dispose();
        await base.DisposeAsync();
    }

    private async Task BeginPassAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            Task earlier;
            lock (_lock)
            {
                if (_isDisposed || _isDetached)
                    throw new PassRefusedException("The connection has ended.");
                if (_outcome is null)
                {
                    _outcome = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                    WasLate = false;
                    return;
                }

                earlier = _outcome.Task; // the agent has told it, and asks again before it was heard
            }

            await earlier.WaitAsync(cancellationToken);
        }
    }

    // Between two requests, or where the request that runs can go on elsewhere; it may begin meanwhile. Held first of all: so it is the last one.
    private async Task<ServerExchange?> StandAsync(CancellationToken cancellationToken)
    {
        Task held = Input.HoldAsync();
        while (true)
        {
            Task began;
            IPassableExchange? current;
            lock (_lock)
            {
                _began = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                (began, current) = (_began.Task, _exchange);
            }

            if (current is not null && await current.QuiesceAsync(cancellationToken) is { } exchange)
                return exchange;
            if (await Task.WhenAny(held, began).WaitAsync(cancellationToken) == held)
                return null;
        }
    }
}
