using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Tcpcp.Linux.Streams;
using Tcpcp.Relay.Sessions;

namespace Tcpcp.Relay.Loops;

/// <summary>
/// A thread that moves the bytes of its sessions. All that belongs to a session is touched on this thread alone, so that between any two calls of the kernel it is known
/// which bytes are where.
/// </summary>
internal sealed class SessionLoop : IDisposable
{
    private const int SweepMilliseconds = 1000;
    private const int MaxReady = 256;

    private readonly ReadinessPoll _poll = ReadinessPoll.Open();
    private readonly WatchTable _watched = new();
    private readonly ConcurrentQueue<Action> _posted = new();
    private readonly PriorityQueue<ReadinessWait, long> _waits = new();
    private readonly HashSet<Session> _sessions = [];
    private readonly Queue<Session> _unfinished = new();
    private readonly Action<Exception> _failed;
    private readonly Thread _thread;
    private long _nextSweep;
    private int _isWoken;
    private volatile bool _isStopping;

    /// <param name="failed">Hears of faults of the relay's own.</param>
    public SessionLoop(string name, int bufferBytes, Action<Exception> failed)
    {
        Buffers = new ChunkBuffers(bufferBytes);
        _failed = failed;
        _thread = new Thread(Run) { Name = name, IsBackground = true };
        _thread.Start();
    }

    /// <summary>Milliseconds since the machine's start, as of the last wait.</summary>
    public long Now { get; private set; } = Environment.TickCount64;

    /// <summary>For sessions of this loop, on its thread.</summary>
    public ChunkBuffers Buffers { get; }

    /// <summary>Sessions of this loop; read from any thread, roughly.</summary>
    public int Count { get; private set; }

    /// <summary>Does something on the loop's thread.</summary>
    public void Post(Action work)
    {
        _posted.Enqueue(work);
        if (Interlocked.Exchange(ref _isWoken, 1) == 0)
            _poll.Wake();
    }

    /// <summary>Does something on the loop's thread, and says what came of it.</summary>
    public Task<T> InvokeAsync<T>(Func<T> work)
    {
        TaskCompletionSource<T> result = new(TaskCreationOptions.RunContinuationsAsynchronously);
        Post(() =>
        {
            try
            {
                result.SetResult(work());
            }
            catch (Exception e)
            {
                result.SetException(e); // whoever waits must hear of it
            }
        });
        return result.Task;
    }

    /// <summary>Waits for a descriptor of a session that is not open yet. From any thread.</summary>
    /// <returns>False if the time was up first.</returns>
    public Task<bool> UntilReadyAsync(SafeHandle descriptor, Readiness awaited, TimeSpan limit)
    {
        ReadinessWait wait = new(descriptor, awaited, this);
        Post(() =>
        {
            wait.Begin();
            _waits.Enqueue(wait, Environment.TickCount64 + (long)Math.Ceiling(limit.TotalMilliseconds));
        });
        return wait.Ready;
    }

    /// <summary>On the loop's thread.</summary>
    public ulong Watch(SafeHandle descriptor, IReadinessTarget target)
    {
        ulong key = _watched.Add(target);
        try
        {
            _poll.Add(descriptor, key);
            return key;
        }
        catch
        {
            _watched.Remove(key);
            throw;
        }
    }

    /// <summary>On the loop's thread.</summary>
    public void Unwatch(SafeHandle descriptor, ulong key)
    {
        _watched.Remove(key);
        if (!descriptor.IsClosed)
            _poll.Remove(descriptor);
    }

    /// <summary>On the loop's thread.</summary>
    public void Add(Session session)
    {
        _sessions.Add(session);
        Count = _sessions.Count;
    }

    /// <summary>On the loop's thread.</summary>
    public void Remove(Session session)
    {
        _sessions.Remove(session);
        Count = _sessions.Count;
    }

    /// <summary>Lets a session go on after the others have had their turn. On the loop's thread.</summary>
    public void Continue(Session session) => _unfinished.Enqueue(session);

    /// <summary>Ends the thread; sessions that are left are not closed.</summary>
    public void Dispose()
    {
        _isStopping = true;
        _poll.Wake();
        if (Thread.CurrentThread != _thread)
            _thread.Join();
        _poll.Dispose();
    }

    private void Run()
    {
        ReadyDescriptor[] ready = new ReadyDescriptor[MaxReady];
        _nextSweep = Environment.TickCount64 + SweepMilliseconds;
        while (!_isStopping)
        {
            int count = _poll.Wait(ready, Pause());
            Now = Environment.TickCount64;
            for (int i = 0; i < count; i++)
                Guard(ready[i], static (loop, one) => loop._watched.Find(one.Key)?.OnReady(one.Readiness));
            Volatile.Write(ref _isWoken, 0);
            Interlocked.MemoryBarrier(); // who posts from here on wakes the next wait
            while (_posted.TryDequeue(out Action? work))
                Guard(work, static (_, one) => one());
            for (int turns = _unfinished.Count; turns > 0; turns--)
                Guard(_unfinished.Dequeue(), static (_, session) => session.Run());
            EndWaits();
            Sweep();
        }
    }

    // A fault in one session must not stop the others.
    private void Guard<T>(T subject, Action<SessionLoop, T> work)
    {
        try
        {
            work(this, subject);
        }
        catch (Exception e)
        {
            _failed(e);
        }
    }

    private int Pause()
    {
        if (_unfinished.Count > 0)
            return 0;
        long until = long.MaxValue;
        while (_waits.TryPeek(out ReadinessWait? wait, out long deadline))
        {
            if (!wait.Ready.IsCompleted)
            {
                until = deadline;
                break;
            }

            _waits.Dequeue();
        }

        if (_sessions.Count > 0)
            until = Math.Min(until, _nextSweep);
        return until == long.MaxValue ? -1 : (int)Math.Clamp(until - Environment.TickCount64, 0, int.MaxValue);
    }

    private void EndWaits()
    {
        while (_waits.TryPeek(out ReadinessWait? wait, out long deadline) && (wait.Ready.IsCompleted || deadline <= Now))
        {
            _waits.Dequeue();
            wait.TimeIsUp();
        }
    }

    private void Sweep()
    {
        if (Now < _nextSweep)
            return;
        _nextSweep = Now + SweepMilliseconds;
        List<Session>? late = null;
        foreach (Session session in _sessions)
        {
            if (session.IsLate(Now))
                (late ??= []).Add(session);
        }

        foreach (Session session in late ?? [])
            Guard(session, static (loop, one) => one.TimeIsUp(loop.Now));
    }
}
