using System.Buffers;
using System.IO.Pipelines;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Connections;

namespace Tcpcp.AspNetCore.Transport;

/// <summary>
/// What the server reads of a connection. It knows which bytes the server has consumed since the last boundary between two requests and keeps them, so that the beginning of a
/// request's head can travel; and it can hold the server at such a boundary while it waits for bytes, without the server's knowledge.
/// </summary>
/// <remarks>
/// <code>
///     start of the pipe's buffer
///     | _dropped | _kept            | what the server has not consumed |
///                ^ last boundary    ^ what is shown to the server
/// </code>
/// </remarks>
internal sealed class ConnectionInput : PipeReader
{
    // More than the head of any request that Kestrel takes unless it is told otherwise: who consumes more speaks another protocol.
    private const int MaxKeptBytes = 128 << 10;

    private readonly Pipe _pipe;
    private readonly ConnectionOutput _output;
    private readonly Lock _lock = new();
    private ReadOnlySequence<byte> _buffer;
    private long _dropped;
    private long _kept;
    private long _bodyLeft; // of the request that has come last
    private Stage _stage;
    private bool _isKeeping = true;
    private bool _isKnown;
    private bool _isReading;
    private bool _isCancelled;
    private bool _isDetached;
    private Hold? _hold;

    /// <param name="output">Who reads waits, and has written what it has to write.</param>
    public ConnectionInput(PipeOptions options, ConnectionOutput output) => (_pipe, _output) = (new Pipe(options), output);

    private enum Stage
    {
        /// <summary>Between two requests, or in a head.</summary>
        Between,

        /// <summary>A request runs; the server may read its body.</summary>
        Request,

        /// <summary>A request that gives up its boundaries itself runs: between two messages.</summary>
        BetweenMessages,

        /// <summary>The same, in a message.</summary>
        Message,

        /// <summary>There are no boundaries, or nobody knows where.</summary>
        Unknown,
    }

    /// <summary>For the loop that receives.</summary>
    public PipeWriter Received => _pipe.Writer;

    /// <summary>Null: it can be held at some time; else why not.</summary>
    public string? Obstacle { get; private set; }

    /// <summary>A request's head has been read. While nobody reads.</summary>
    /// <param name="bodyBytes">0: none; null: it has one, of unknown length.</param>
    public void BeginRequest(long? bodyBytes)
    {
        if (Obstacle is not null)
            return;
        _stage = Stage.Request;
        _bodyLeft = bodyBytes ?? -1;
        if (bodyBytes != 0)
            StopKeeping();
    }

    /// <summary>The application has dealt with the request.</summary>
    /// <param name="isBodyRead">All of a body of unknown length.</param>
    public void EndRequest(bool isBodyRead)
    {
        if (_stage == Stage.Request && _bodyLeft == 0)
            BeginHead(); // nobody has read since, and nobody reads
        else
        {
            lock (_lock)
            {
                if (_stage is Stage.Request && (_bodyLeft >= 0 || isBodyRead))
                {
                    _bodyLeft = Math.Max(_bodyLeft, 0);
                    BeginHead();
                }
                else
                    _stage = Stage.Unknown;
            }
        }
    }

    /// <summary>Who reads from now on says by itself where messages begin.</summary>
    public void BeginMessages() => SetStage(Stage.BetweenMessages);

    /// <summary>Everything up to here was read: the next byte begins a message.</summary>
    public void EndMessage() => SetStage(Stage.BetweenMessages);

    /// <summary>The head of the request that runs, as it came. Before anything else of it is read.</summary>
    /// <returns>Empty: it is not there any more, since the request has a body.</returns>
    public byte[] TakeHead()
    {
        lock (_lock)
        {
            if (_kept == 0)
                return [];
            ReadOnlySequence<byte> buffer = Peek();
            byte[] head = buffer.Slice(_dropped, _kept).ToArray();
            SequencePosition end = buffer.GetPosition(_dropped + _kept);
            _pipe.Reader.AdvanceTo(end);
            _dropped = _kept = 0;
            _isKeeping = false;
            return head;
        }
    }

    /// <summary>Holds the server when it waits for bytes at a boundary; from then on it gets none, whatever comes.</summary>
    /// <returns>Done when it is held.</returns>
    public Task HoldAsync()
    {
        lock (_lock)
        {
            _hold ??= new Hold();
            if (_isReading && IsAtBoundary)
                _pipe.Reader.CancelPendingRead(); // it comes to see that it is held
            return _hold.Held;
        }
    }

    /// <summary>What was received since the boundary, when the server is held and nothing is received any more.</summary>
    public byte[] CopyUnread()
    {
        lock (_lock)
        {
            ReadOnlySequence<byte> buffer = Peek();
            byte[] unread = buffer.Slice(_dropped).ToArray();
            _pipe.Reader.AdvanceTo(buffer.Start); // nothing is consumed or examined
            return unread;
        }
    }

    /// <summary>The connection goes on here.</summary>
    public void Release()
    {
        lock (_lock)
        {
            (_hold, Hold? hold) = (null, _hold);
            hold?.Release.TrySetResult();
        }
    }

    /// <summary>It does not: the server sees its end.</summary>
    public void Detach()
    {
        lock (_lock)
        {
            _isDetached = true;
            (_hold, Hold? hold) = (null, _hold);
            hold?.Release.TrySetResult();
            if (_isReading)
                _pipe.Reader.CancelPendingRead();
        }
    }

    public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default)
    {
        lock (_lock)
        {
            bool isWanted = _hold is not null || _isCancelled || _isDetached;
            if (!isWanted && _pipe.Reader.TryRead(out ReadResult result))
            {
                if (!result.IsCanceled || result.IsCompleted || result.Buffer.Length > _dropped + _kept)
                    return new(Show(new ReadResult(result.Buffer, isCanceled: false, result.IsCompleted)));
                _pipe.Reader.AdvanceTo(result.Buffer.Start);
            }

            DropNow();
            _isReading = true;
            if (isWanted)
                _pipe.Reader.CancelPendingRead();
        }

        _output.SendNow();
        return WaitAsync(cancellationToken);
    }

    public override bool TryRead(out ReadResult result)
    {
        lock (_lock)
        {
            if (_hold is null && !_isDetached && _pipe.Reader.TryRead(out result))
            {
                result = Show(result);
                return true;
            }
        }

        result = default;
        return false;
    }

    public override void AdvanceTo(SequencePosition consumed) => AdvanceTo(consumed, consumed);

    public override void AdvanceTo(SequencePosition consumed, SequencePosition examined)
    {
        lock (_lock)
        {
            if (_isDetached)
                return;
            long count = _buffer.Slice(_buffer.GetPosition(_dropped + _kept), consumed).Length;
            if (_stage == Stage.Request && count > 0 && _isKeeping)
                StopKeeping(); // an upgraded connection, which nobody has announced
            long body = _stage is Stage.Request or Stage.Between ? Math.Clamp(_bodyLeft, 0, count) : 0;
            _bodyLeft -= body;
            if (_isKeeping)
            {
                _dropped += body;
                _kept += count - body;
            }
            else
                _dropped += count;
            if (_kept > MaxKeptBytes)
                GiveUp("It speaks a protocol whose boundaries are not known.");
            SequencePosition start = _buffer.GetPosition(_dropped);
            (_dropped, _buffer) = (0, default);
            _pipe.Reader.AdvanceTo(start, examined);
        }
    }

    public override void CancelPendingRead()
    {
        lock (_lock)
        {
            _isCancelled = true;
            if (_isReading && _hold is null)
                _pipe.Reader.CancelPendingRead();
        }
    }

    public override void Complete(Exception? exception = null) => _pipe.Reader.Complete();

    private bool IsAtBoundary => _stage switch
    {
        Stage.Between => _bodyLeft == 0,
        Stage.BetweenMessages => true,
        _ => false,
    };

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<ReadResult> WaitAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            ReadResult result = await _pipe.Reader.ReadAsync(cancellationToken);
            Task released;
            lock (_lock)
            {
                if (_isDetached)
                {
                    _isReading = false;
                    _pipe.Reader.AdvanceTo(result.Buffer.End);
                    return End();
                }

                if (_hold is { } hold && IsAtBoundary && !result.IsCompleted)
                {
                    _pipe.Reader.AdvanceTo(result.Buffer.Start);
                    hold.IsHeld.TrySetResult();
                    released = hold.Release.Task;
                }
                else if (_isCancelled)
                {
                    (_isCancelled, _isReading) = (false, false);
                    return Show(new ReadResult(result.Buffer, isCanceled: true, result.IsCompleted));
                }
                else if (result.IsCanceled)
                {
                    _pipe.Reader.AdvanceTo(result.Buffer.Start); // somebody looked in
                    continue;
                }
                else
                {
                    _isReading = false;
                    return Show(result);
                }
            }

            await released;
            lock (_lock)
            {
                if (_isDetached)
                {
                    _isReading = false;
                    return End();
                }

                if (_isCancelled)
                    _pipe.Reader.CancelPendingRead();
            }
        }
    }

    // To a server between two requests the client has gone; any other must not take it for a proper end.
    private ReadResult End() => _stage == Stage.Between && _kept == 0
        ? new ReadResult(ReadOnlySequence<byte>.Empty, isCanceled: false, isCompleted: true)
        : throw new ConnectionAbortedException("The connection was passed to another host.");

    private ReadResult Show(ReadResult result)
    {
        _buffer = result.Buffer;
        ReadOnlySequence<byte> shown = result.Buffer.Slice(_dropped + _kept);
        if (!_isKnown && !shown.IsEmpty)
            Recognize(result.Buffer.Slice(_dropped));
        if (_stage == Stage.BetweenMessages && !shown.IsEmpty)
            _stage = Stage.Message;
        return new ReadResult(shown, result.IsCanceled, result.IsCompleted);
    }

    // An idle connection keeps no memory.
    private void DropNow()
    {
        if (_dropped == 0)
            return;
        ReadOnlySequence<byte> buffer = Peek();
        SequencePosition start = buffer.GetPosition(_dropped);
        _dropped = 0;
        _pipe.Reader.AdvanceTo(start);
    }

    // All that is in the pipe; AdvanceTo has to follow. Nobody else is reading.
    private ReadOnlySequence<byte> Peek()
    {
        _pipe.Reader.CancelPendingRead();
        return _pipe.Reader.TryRead(out ReadResult result) ? result.Buffer : throw new InvalidOperationException("The input has ended.");
    }

    // By the first bytes: neither a TLS record nor HTTP/2's preface begins as a request of HTTP/1.1 does. Before the server sees them, since it may deal with them before it says so.
    private void Recognize(in ReadOnlySequence<byte> bytes)
    {
        ReadOnlySpan<byte> preface = "PRI "u8;
        Span<byte> first = stackalloc byte[(int)Math.Min(preface.Length, bytes.Length)];
        bytes.Slice(0, first.Length).CopyTo(first);
        if (preface.StartsWith(first) && first.Length < preface.Length)
            return; // not yet
        _isKnown = true;
        if (first.SequenceEqual(preface))
            GiveUp("It speaks HTTP/2, whose state is the server's own.");
        else if (!char.IsAsciiLetter((char)first[0]))
            GiveUp("It is encrypted: the keys are in the server.");
    }

    private void BeginHead()
    {
        _dropped += _kept;
        _kept = 0;
        _isKeeping = true;
        _stage = Stage.Between;
    }

    private void StopKeeping()
    {
        _isKeeping = false;
        _dropped += _kept;
        _kept = 0;
    }

    private void GiveUp(string obstacle)
    {
        StopKeeping();
        _stage = Stage.Unknown;
        Obstacle = obstacle;
    }

    private void SetStage(Stage stage)
    {
        lock (_lock)
        {
            StopKeeping();
            _stage = stage;
        }
    }

    private sealed class Hold
    {
        public TaskCompletionSource IsHeld { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public TaskCompletionSource Release { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task Held => IsHeld.Task;
    }
}
