using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;

namespace Tcpcp.Linux.Namespaces;

/// <summary>
/// A thread with a network namespace and a mount namespace of its own, which runs what it is given: a host on this machine.
/// Sockets made in a delegate stay in the namespace and can be used from every thread afterwards. Delegates work synchronously: they must not
/// start threads, tasks or timers, nor use a socket asynchronously, for a new thread would inherit the namespaces; one that did fails.
/// </summary>
internal sealed class NamespaceThread : IDisposable
{
    private readonly BlockingCollection<Action> _work = [];
    private readonly Thread _thread;
    private readonly TaskCompletionSource<NetworkNamespace> _ready = new(TaskCreationOptions.None);
    private StrayThreads _strays = null!; // set before _ready

    private NamespaceThread(string name) =>
        _thread = HomeThread.StartThread(name, Loop);

    /// <summary>The network namespace; open until <see cref="Dispose"/>.</summary>
    public NetworkNamespace NetworkNamespace => _ready.Task.Result;

    /// <summary>Makes the namespaces and the thread (CAP_SYS_ADMIN).</summary>
    /// <exception cref="KernelException">The kernel refused the namespaces or their mounts.</exception>
    public static NamespaceThread Start(string name)
    {
        NamespaceThread thread = new(name);
        thread._ready.Task.GetAwaiter().GetResult();
        return thread;
    }

    /// <summary>Runs the delegate on the thread and waits for it; its exception comes back.</summary>
    public T Run<T>(Func<T> work)
    {
        ArgumentNullException.ThrowIfNull(work);
        if (Thread.CurrentThread == _thread)
            return work();
        using ManualResetEventSlim done = new();
        (T? result, ExceptionDispatchInfo? failure) = (default, null);
        _work.Add(() =>
        {
            try
            {
                result = RunGuarded(work);
            }
            catch (Exception e)
            {
                failure = ExceptionDispatchInfo.Capture(e);
            }

            done.Set();
        });
        done.Wait();
        failure?.Throw();
        return result!;
    }

    /// <inheritdoc cref="Run{T}(Func{T})"/>
    public void Run(Action work) => Run(AsFunction(work));

    /// <summary>Runs the delegate on the thread; the task has its result or its exception.</summary>
    public Task<T> RunAsync<T>(Func<T> work)
    {
        ArgumentNullException.ThrowIfNull(work);
        TaskCompletionSource<T> completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
        _work.Add(() =>
        {
            try
            {
                T result = RunGuarded(work);
                HomeThread.Post(() => completion.SetResult(result));
            }
            catch (Exception e)
            {
                HomeThread.Post(() => completion.SetException(e));
            }
        });
        return completion.Task;
    }

    /// <inheritdoc cref="RunAsync{T}(Func{T})"/>
    public Task RunAsync(Action work) => RunAsync(AsFunction(work));

    /// <summary>Ends the thread after the work that it was given. The namespaces go with their last process, socket or descriptor.</summary>
    public void Dispose()
    {
        if (NetworkNamespace.IsClosed)
            return;
        _work.CompleteAdding();
        _thread.Join();
        NetworkNamespace.Dispose();
        _work.Dispose();
    }

    private static Func<bool> AsFunction(Action work)
    {
        ArgumentNullException.ThrowIfNull(work);
        return () =>
        {
            work();
            return true;
        };
    }

    private T RunGuarded<T>(Func<T> work)
    {
        _strays.Remember();
        T result = work();
        _strays.ThrowIfAny();
        return result;
    }

    private void Loop()
    {
        try
        {
            NamespaceSystemCalls.Unshare(NamespaceKinds.Network | NamespaceKinds.Mount);
            HostFileSystems.MountForThisThread();
            NetworkNamespace own = NetworkNamespace.OfThisThread();
            _strays = new StrayThreads(own.Name, NamespaceSystemCalls.ThreadId);
            _ready.SetResult(own); // the only waiter is blocked on it: no continuation runs, and none is queued
        }
        catch (Exception e)
        {
            _ready.SetException(e);
            return;
        }

        foreach (Action work in _work.GetConsumingEnumerable())
            work();
    }
}
