using System.Collections.Concurrent;
using System.Net.Sockets;

namespace Tcpcp.Linux.Namespaces;

/// <summary>
/// One thread that always stays in the process's own namespaces. A new thread inherits the namespaces of the thread that makes it, and the
/// runtime makes thread-pool threads on whichever thread queues work: what a <see cref="NamespaceThread"/> sets off is therefore
/// started and completed here, or the pool would end up in a foreign namespace.
/// </summary>
internal static class HomeThread
{
    private static readonly BlockingCollection<Action> s_work = [];

    static HomeThread() => new Thread(Loop) { IsBackground = true, Name = "tcpcp home" }.Start();

    /// <summary>Runs the action, which must be short and must not throw.</summary>
    public static void Post(Action action) => s_work.Add(action);

    /// <summary>Starts a background thread in the process's own namespaces.</summary>
    public static Thread StartThread(string name, Action body)
    {
        Thread thread = new(() => body()) { IsBackground = true, Name = name };
        using ManualResetEventSlim started = new();
        Post(() =>
        {
            thread.Start();
            started.Set();
        });
        started.Wait();
        return thread;
    }

    private static void Loop()
    {
        StartRuntimeThreads();
        foreach (Action action in s_work.GetConsumingEnumerable())
            action();
    }

    // The runtime makes its one timer thread and its socket threads for the first timer and the first asynchronous use of a socket, and keeps them.
    // Even a synchronous delegate can be the first.
    private static void StartRuntimeThreads()
    {
        using Timer timer = new(_ => { }, null, Timeout.Infinite, Timeout.Infinite);
        timer.Change(TimeSpan.FromDays(1), Timeout.InfiniteTimeSpan);
        using Socket socket = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        using SocketAsyncEventArgs receive = new();
        receive.SetBuffer(new byte[1]);
        socket.ReceiveAsync(receive); // ends, unseen, with the socket
    }
}
