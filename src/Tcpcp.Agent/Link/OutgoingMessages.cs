using System.Diagnostics;
using Grpc.Core;
using Tcpcp.Core.Wire;

namespace Tcpcp.Agent.Link;

/// <summary>
/// Sends messages of many passes over one stream, in their order. gRPC takes one message at a time: the sender writes itself when nobody is writing or has written of
/// late, which is the quickest for a lone pass; else the message is queued and leaves with others, in one flush.
/// </summary>
/// <param name="maxQueuedBytes">Once so much waits, a sender waits too.</param>
/// <param name="patience">How long it does, before the stream is given up; zero: at once.</param>
/// <param name="broken">Hears that the stream was given up, or that it failed.</param>
internal sealed class OutgoingMessages(IAsyncStreamWriter<PassMessage> stream, long maxQueuedBytes, TimeSpan patience, Action<LinkException> broken)
    : IThreadPoolWorkItem
{
    private static readonly TimeSpan s_ofLate = TimeSpan.FromMicroseconds(100);
    private static readonly WriteOptions s_moreFollows = new(WriteFlags.BufferHint);

    private readonly object _monitor = new();
    private readonly Queue<(PassMessage Message, int Length)> _waiting = [];
    private Task _writing = Task.CompletedTask;
    private long _waitingBytes;
    private long _writtenAt;
    private bool _isWriting;
    private LinkException? _fault;

    /// <exception cref="LinkException">The stream broke, or the other side does not take what is sent to it.</exception>
    public void Send(PassMessage message)
    {
        int length = message.CalculateSize();
        if (length > StreamLink.MaxMessageBytes)
            throw new ArgumentException($"A message of {length} bytes is too large; the limit is {StreamLink.MaxMessageBytes}.", nameof(message));
        lock (_monitor)
        {
            while (_fault is null && _waitingBytes > 0 && _waitingBytes + length > maxQueuedBytes)
            {
                if (!Monitor.Wait(_monitor, patience))
                    Break(new LinkException($"The other agent does not take what is sent to it: {_waitingBytes} bytes wait."));
            }

            if (_fault is { } fault)
                throw new LinkException(fault.Message, fault);
            bool wasWriting = _isWriting;
            _isWriting = true;
            if (wasWriting || Stopwatch.GetElapsedTime(_writtenAt) < s_ofLate)
            {
                _waiting.Enqueue((message, length));
                _waitingBytes += length;
                if (!wasWriting)
                    ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false); // behind the work that is due, which may send too
                return;
            }
        }

        Write(message, moreFollows: false);
    }

    void IThreadPoolWorkItem.Execute()
    {
        (PassMessage? message, bool moreFollows) = TakeNext();
        if (message is not null)
            Write(message, moreFollows);
    }

    /// <summary>Sends no more; returns when nothing is being written.</summary>
    /// <param name="fault">What later senders are told.</param>
    public Task EndAsync(LinkException fault)
    {
        lock (_monitor)
        {
            _fault ??= fault;
            Monitor.PulseAll(_monitor);
        }

        return _writing;
    }

    private void Write(PassMessage message, bool moreFollows)
    {
        Task writing = WriteAsync(message, moreFollows);
        if (!writing.IsCompleted)
            _writing = writing;
    }

    private async Task WriteAsync(PassMessage message, bool moreFollows)
    {
        try
        {
            PassMessage? next = message;
            while (next is not null)
            {
                stream.WriteOptions = moreFollows ? s_moreFollows : null;
                await stream.WriteAsync(next);
                (next, moreFollows) = TakeNext();
            }
        }
        catch (Exception e)
        {
            // Whatever gRPC throws at a stream that has ended: the passes find out by their links.
            lock (_monitor)
            {
                _isWriting = false;
                Break(new LinkException($"The link to the other agent broke while sending: {e.Message}", e));
            }
        }
    }

    private (PassMessage? Message, bool MoreFollows) TakeNext()
    {
        lock (_monitor)
        {
            if (_fault is not null || !_waiting.TryDequeue(out (PassMessage Message, int Length) next))
            {
                (_isWriting, _writtenAt) = (false, Stopwatch.GetTimestamp());
                return (null, false);
            }

            _waitingBytes -= next.Length;
            Monitor.PulseAll(_monitor);
            return (next.Message, _waiting.Count > 0);
        }
    }

    private void Break(LinkException fault)
    {
        if (_fault is not null)
            return;
        _fault = fault;
        _waiting.Clear();
        _waitingBytes = 0;
        Monitor.PulseAll(_monitor);
        ThreadPool.UnsafeQueueUserWorkItem(_ => broken(fault), null); // not within the lock
    }
}
