using System.Collections.Concurrent;

namespace Tcpcp.AspNetCore.Transport;

/// <summary>Connections with something to send that the server may send itself before a thread comes to it: one work item for all of them, not one each.</summary>
internal sealed class SendQueue : IThreadPoolWorkItem
{
    private readonly ConcurrentQueue<ConnectionOutput> _outputs = new();
    private int _isAtWork;

    public void Add(ConnectionOutput output)
    {
        _outputs.Enqueue(output);
        if (Interlocked.CompareExchange(ref _isAtWork, 1, 0) == 0)
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }

    public void Execute()
    {
        while (true)
        {
            while (_outputs.TryDequeue(out ConnectionOutput? output))
                output.SendQueued();
            Interlocked.Exchange(ref _isAtWork, 0);
            // What was added before that was seen by nobody else.
            if (_outputs.IsEmpty || Interlocked.CompareExchange(ref _isAtWork, 1, 0) != 0)
                return;
        }
    }
}
