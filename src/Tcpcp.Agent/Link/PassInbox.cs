using System.Threading.Tasks.Sources;
using Tcpcp.Core.Wire;

namespace Tcpcp.Agent.Link;

/// <summary>What has come for one pass over a stream that it shares with others. One reader at a time.</summary>
internal sealed class PassInbox : IValueTaskSource<PassMessage?>
{
    private readonly Lock _lock = new();
    private readonly Queue<PassMessage> _arrived = [];
    private ManualResetValueTaskSourceCore<PassMessage?> _reading;
    private CancellationTokenRegistration _cancellation;
    private CancellationToken _cancelledBy;
    private bool _isAwaited;
    private LinkException? _fault;

    /// <param name="runReader">The reader goes on in this call, before it returns; else on another thread.</param>
    public void Put(PassMessage message, bool runReader)
    {
        lock (_lock)
        {
            if (!TakeReader())
            {
                if (_fault is null)
                    _arrived.Enqueue(message);
                return;
            }
        }

        _reading.RunContinuationsAsynchronously = !runReader;
        _reading.SetResult(message);
    }

    /// <summary>Nothing comes any more; what has come can still be read.</summary>
    public void End(LinkException fault)
    {
        lock (_lock)
        {
            _fault ??= fault;
            if (!TakeReader())
                return;
        }

        _reading.RunContinuationsAsynchronously = true;
        _reading.SetException(new LinkException(fault.Message, fault));
    }

    /// <exception cref="LinkException">Nothing comes any more.</exception>
    public ValueTask<PassMessage?> TakeAsync(CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        lock (_lock)
        {
            if (_arrived.TryDequeue(out PassMessage? message))
                return ValueTask.FromResult<PassMessage?>(message);
            if (_fault is { } fault)
                throw new LinkException(fault.Message, fault);
            if (_isAwaited)
                throw new InvalidOperationException("Two readers of one pass.");
            _reading.Reset();
            _isAwaited = true;
            _cancelledBy = cancellationToken;
        }

        short version = _reading.Version;
        CancellationTokenRegistration registration = cancellationToken.UnsafeRegister(static inbox => ((PassInbox)inbox!).Cancel(), this);
        lock (_lock)
        {
            if (_isAwaited)
                _cancellation = registration;
            else
                registration.Unregister(); // it was answered meanwhile
        }

        return new ValueTask<PassMessage?>(this, version);
    }

    PassMessage? IValueTaskSource<PassMessage?>.GetResult(short token) => _reading.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<PassMessage?>.GetStatus(short token) => _reading.GetStatus(token);

    void IValueTaskSource<PassMessage?>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _reading.OnCompleted(continuation, state, token, flags);

    private void Cancel()
    {
        lock (_lock)
        {
            // The call may be late, and the reader another one, who is not cancelled.
            if (!_cancelledBy.IsCancellationRequested || !TakeReader())
                return;
        }

        _reading.RunContinuationsAsynchronously = true;
        _reading.SetException(new OperationCanceledException(_cancelledBy));
    }

    // Whoever takes the reader answers it. Within the lock.
    private bool TakeReader()
    {
        if (!_isAwaited)
            return false;
        _isAwaited = false;
        _cancellation.Unregister();
        _cancellation = default;
        return true;
    }
}
