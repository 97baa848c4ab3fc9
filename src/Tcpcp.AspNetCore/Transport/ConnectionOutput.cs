using System.Buffers;
using System.IO.Pipelines;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;

namespace Tcpcp.AspNetCore.Transport;

/// <summary>
/// What the server writes to a connection. What is flushed is sent when the server reads again, or else a little later, so that a response that is flushed in parts goes in one segment.
/// While the connection is to be passed, what the kernel does not take is kept, and travels.
/// </summary>
/// <param name="socket">Not blocking.</param>
/// <param name="queue">For what is left for later.</param>
/// <param name="connection">Hears why nothing can be sent any more.</param>
internal sealed class ConnectionOutput(Socket socket, PipeOptions options, SendQueue queue, PassableConnection connection) : PipeWriter, IDisposable
{
    // The server goes on to its boundary although the peer takes nothing; with more than that it waits all the same.
    private const int MaxKeptBytes = 1 << 20;

    // So much is not left for later.
    private const int MaxLaterBytes = 32 << 10;

    private readonly Pipe _pipe = new(options);
    private readonly Lock _lock = new();
    private CancellationTokenSource? _stop;
    private Task? _waiting;
    private bool _isWaiting; // for the peer to take more
    private TaskCompletionSource? _wake;
    private ResponseHeadFilter? _filter;
    private Exception? _error;
    private long _raw; // bytes that go before the head that is filtered
    private int _later; // bytes that were flushed and not tried to send
    private int _queued; // 1: a thread will look at them
    private bool _isCancelled;
    private Stage _stage;

    private enum Stage
    {
        Sending,

        /// <summary>The connection is to be passed when the server gets to a boundary.</summary>
        Stopping,

        /// <summary>Nothing is sent.</summary>
        Held,

        /// <summary>Another host sends.</summary>
        Detached,

        /// <summary>Nobody does any more.</summary>
        Closed,
    }

    /// <summary>Of a connection that has come: sends what was not sent there; then drops the head of the response that the client has the beginning of.</summary>
    /// <param name="filter">Null: no response is under way.</param>
    public void Begin(ReadOnlySpan<byte> unsent, ResponseHeadFilter? filter)
    {
        lock (_lock)
        {
            (_filter, _raw) = (filter, unsent.Length);
            if (unsent.IsEmpty)
                return;
            _pipe.Writer.Write(unsent);
            Flush();
            TrySend();
        }
    }

    /// <summary>Nothing follows what is flushed: it is sent at once.</summary>
    public bool IsImmediate { get; set; }

    /// <summary>The server has written what it has to write for now.</summary>
    public void SendNow()
    {
        if (Volatile.Read(ref _later) == 0)
            return;
        lock (_lock)
            TrySend();
    }

    /// <summary>A thread has come to what was left for later.</summary>
    public void SendQueued()
    {
        Interlocked.Exchange(ref _queued, 0);
        SendNow();
    }

    /// <summary>From now on the server does not wait for a peer that takes nothing.</summary>
    public async Task StopAsync()
    {
        Task? sending;
        lock (_lock)
        {
            TrySend();
            _stage = Stage.Stopping;
            _stop?.Cancel();
            sending = _waiting;
        }

        if (sending is not null)
            await sending;
    }

    /// <summary>From now on nothing is sent.</summary>
    /// <returns>What was not.</returns>
    public byte[] Hold()
    {
        lock (_lock)
        {
            TrySend();
            _stage = Stage.Held;
            if (_isWaiting || !_pipe.Reader.TryRead(out ReadResult result))
                return [];
            byte[] unsent = result.Buffer.ToArray();
            _pipe.Reader.AdvanceTo(result.Buffer.Start);
            return unsent;
        }
    }

    /// <summary>The connection goes on here.</summary>
    public void Resume()
    {
        lock (_lock)
        {
            _stage = Stage.Sending;
            TrySend();
            Wake();
        }
    }

    /// <summary>It does not: whatever the server writes is dropped.</summary>
    public void Detach()
    {
        lock (_lock)
        {
            _stage = Stage.Detached;
            Drop();
            Wake();
        }
    }

    /// <summary>The socket is gone.</summary>
    public void Fail(Exception error)
    {
        lock (_lock)
        {
            if (_stage == Stage.Closed)
                return;
            _error ??= error;
            _stop?.Cancel();
            Drop();
            Wake();
        }
    }

    /// <summary>Done when the kernel has everything, or never will.</summary>
    public async Task SentAsync()
    {
        SendNow();
        while (true)
        {
            Task wait;
            lock (_lock)
            {
                if (_error is not null || _stage is Stage.Detached or Stage.Closed || (!_isWaiting && _stage == Stage.Sending))
                    return;
                wait = WakeTask();
            }

            await wait;
        }
    }

    public override void Advance(int bytes) => _pipe.Writer.Advance(bytes);

    public override Memory<byte> GetMemory(int sizeHint = 0) => _pipe.Writer.GetMemory(sizeHint);

    public override Span<byte> GetSpan(int sizeHint = 0) => _pipe.Writer.GetSpan(sizeHint);

    public override bool CanGetUnflushedBytes => _pipe.Writer.CanGetUnflushedBytes;

    public override long UnflushedBytes => _pipe.Writer.UnflushedBytes;

    public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
    {
        lock (_lock)
        {
            _later += (int)_pipe.Writer.UnflushedBytes;
            Flush();
            if (IsImmediate || _later > MaxLaterBytes || _stage != Stage.Sending || _error is not null)
                TrySend();
            else if (_later > 0 && Interlocked.Exchange(ref _queued, 1) == 0)
                queue.Add(this);
            if (!MustWait)
                return new(Result());
        }

        return WaitAsync(cancellationToken);
    }

    public override void CancelPendingFlush()
    {
        lock (_lock)
        {
            _isCancelled = true;
            Wake();
        }
    }

    public override void Complete(Exception? exception = null)
    {
        lock (_lock)
        {
            if (_pipe.Writer.UnflushedBytes > 0)
            {
                Flush();
                TrySend();
            }
        }
    }

    /// <summary>Gives the memory back, when nothing is sent any more.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            _stage = Stage.Closed; // somebody may yet come to what was left for later
            _pipe.Writer.Complete();
            _pipe.Reader.Complete();
            _stop?.Dispose();
        }
    }

    private bool MustWait => _error is null && _stage switch
    {
        Stage.Sending or Stage.Stopping => _isWaiting,
        Stage.Held => Pending > MaxKeptBytes,
        _ => false,
    };

    private long Pending
    {
        get
        {
            if (_isWaiting || !_pipe.Reader.TryRead(out ReadResult result))
                return 0;
            long length = result.Buffer.Length;
            _pipe.Reader.AdvanceTo(result.Buffer.Start);
            return length;
        }
    }

    private async ValueTask<FlushResult> WaitAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            Task wait;
            lock (_lock)
            {
                if (!MustWait || _isCancelled)
                    return Result();
                wait = WakeTask();
            }

            await wait.WaitAsync(cancellationToken);
        }
    }

    private FlushResult Result()
    {
        FlushResult result = new(_isCancelled, isCompleted: _error is not null || _stage == Stage.Detached);
        _isCancelled = false;
        return result;
    }

    private void Flush()
    {
        ValueTask<FlushResult> flushed = _pipe.Writer.FlushAsync();
        _ = flushed.IsCompletedSuccessfully ? flushed.Result : throw new InvalidOperationException("The output's pipe has no limit.");
    }

    // Sends what the kernel takes at once; for the rest a task waits.
    private void TrySend()
    {
        _later = _stage == Stage.Held ? _later : 0;
        if (_isWaiting || _stage is Stage.Held or Stage.Closed)
            return;
        if (_error is not null || _stage == Stage.Detached)
        {
            Drop();
            return;
        }

        if (TrySendNow() || (_stage == Stage.Stopping && Pending <= MaxKeptBytes))
            return;
        if (_stop is not { IsCancellationRequested: false })
        {
            _stop?.Dispose();
            _stop = new CancellationTokenSource();
        }

        CancellationToken stop = _stop.Token;
        _isWaiting = true;
        _waiting = Task.Run(() => SendWhenWritableAsync(stop), CancellationToken.None);
    }

    // False: the kernel takes no more.
    private bool TrySendNow()
    {
        while (_error is null && _pipe.Reader.TryRead(out ReadResult result))
        {
            ReadOnlySequence<byte> buffer = result.Buffer;
            if (_raw == 0 && _filter is { } filter)
            {
                if (!filter.TryFindEnd(buffer, out SequencePosition end))
                {
                    _pipe.Reader.AdvanceTo(buffer.Start, buffer.End); // more of it comes
                    return true;
                }

                _pipe.Reader.AdvanceTo(end);
                _filter = null;
                if (filter.Fault is { } fault)
                    Lose(new ConnectionAbortedException(fault));
                continue;
            }

            if (_raw > 0)
                buffer = buffer.Slice(0, Math.Min(_raw, buffer.Length));
            int sent = SocketWriter.Send(socket, buffer, out SocketError error);
            TakeSent(buffer, sent);
            if (error == SocketError.WouldBlock)
                return false;
            if (error != SocketError.Success)
                Lose(new SocketException((int)error));
        }

        return true;
    }

    // How much of a longer piece has gone when its sending is cancelled nobody knows; of one byte it is known. The rest follows at once.
    private async Task SendWhenWritableAsync(CancellationToken stop)
    {
        while (true)
        {
            ReadOnlySequence<byte> buffer;
            lock (_lock)
            {
                if (_error is not null || stop.IsCancellationRequested || !_pipe.Reader.TryRead(out ReadResult result))
                {
                    EndWait();
                    return;
                }

                buffer = result.Buffer;
            }

            int sent = 0;
            Exception? error = null;
            try
            {
                sent = await socket.SendAsync(buffer.First[..1], SocketFlags.None, stop);
            }
            catch (OperationCanceledException)
            {
                // Nothing was sent.
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                error = e;
            }

            lock (_lock)
            {
                TakeSent(buffer, sent);
                if (error is not null)
                    Lose(error);
                if (stop.IsCancellationRequested || TrySendNow())
                {
                    EndWait();
                    return;
                }
            }
        }
    }

    private void EndWait()
    {
        _isWaiting = false;
        if (_error is not null || _stage == Stage.Detached)
            Drop();
        Wake();
    }

    private void TakeSent(in ReadOnlySequence<byte> buffer, int sent)
    {
        _raw = Math.Max(0, _raw - sent);
        _pipe.Reader.AdvanceTo(buffer.GetPosition(sent));
    }

    private void Lose(Exception error)
    {
        _error ??= error;
        connection.LoseOutput(error);
    }

    private void Drop()
    {
        if (!_isWaiting && _stage != Stage.Closed && _pipe.Reader.TryRead(out ReadResult result))
            _pipe.Reader.AdvanceTo(result.Buffer.End);
    }

    private void Wake() => Interlocked.Exchange(ref _wake, null)?.TrySetResult();

    private Task WakeTask() => (_wake ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
}
