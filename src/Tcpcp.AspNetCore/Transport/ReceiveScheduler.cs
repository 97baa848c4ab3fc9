using System.IO.Pipelines;

namespace Tcpcp.AspNetCore.Transport;

/// <summary>
/// Lets the server deal with what was received on the thread that has received it: a thread of the pool, which has let another one take the sockets' next events before. That spares a change of
/// threads for each request. Whoever else wakes the server does so on a thread of its own.
/// </summary>
internal sealed class ReceiveScheduler : PipeScheduler
{
    [ThreadStatic]
    private static bool t_isReceiving;

    public static ReceiveScheduler Instance { get; } = new();

    /// <summary>Gives the server what was written to its input.</summary>
    public static ValueTask<FlushResult> FlushAsync(PipeWriter received)
    {
        t_isReceiving = true;
        try
        {
            return received.FlushAsync(CancellationToken.None);
        }
        finally
        {
            t_isReceiving = false;
        }
    }

    public override void Schedule(Action<object?> action, object? state)
    {
        if (t_isReceiving)
        {
            t_isReceiving = false; // what it does is its own
            action(state);
        }
        else
            System.Threading.ThreadPool.UnsafeQueueUserWorkItem(action, state, preferLocal: false);
    }
}
