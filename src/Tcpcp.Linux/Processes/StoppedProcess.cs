using System.Diagnostics;
using System.Globalization;

namespace Tcpcp.Linux.Processes;

/// <summary>
/// A process that stands still: all its threads are stopped by SIGSTOP. A scope: leaving it continues the process, unless it was stopped
/// already. If this process is killed meanwhile, the other one stays stopped, until somebody sends it SIGCONT.
/// </summary>
[KernelHeader("signal.h")]
internal sealed class StoppedProcess : IDisposable
{
    /// <summary>How long the threads have to stop; one that waits for a disk or a network file system takes no signal.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(5);

    private const int SIGCONT = 18; // signal.h, x86-64 and arm64
    private const int SIGSTOP = 19;

    private readonly ProcessDescriptor _process;
    private readonly bool _wasStopped;
    private bool _continued;

    private StoppedProcess(int processId, ProcessDescriptor process, bool wasStopped) =>
        (ProcessId, _process, _wasStopped) = (processId, process, wasStopped);

    public int ProcessId { get; }

    /// <summary>Stops a process; returns when no thread of it runs any more.</summary>
    /// <param name="process">Must stay open as long as the scope.</param>
    /// <exception cref="ProcessException">It cannot be stopped; it runs as before.</exception>
    public static StoppedProcess Stop(int processId, ProcessDescriptor process)
    {
        if (process.NumberInProc is { } number && number != processId)
            throw new ProcessException($"/proc shows process {processId} under the number {number}: it is that of another PID namespace. " +
                "Run tcpcp where /proc belongs to its own PID namespace.");
        if (ThreadStates.TracerOf(processId) is int tracer and not 0)
            throw new ProcessException($"Process {processId} is traced by process {tracer} (a debugger or strace), which could let it run. " +
                "Detach that first.");
        StoppedProcess stopped = new(processId, process, StandsStill(processId));
        try
        {
            stopped.Stop();
            return stopped;
        }
        catch
        {
            stopped.Dispose();
            throw;
        }
    }

    /// <summary>One that an earlier program has stopped, or was about to.</summary>
    /// <param name="wasStopped">Before that.</param>
    public static StoppedProcess Adopt(int processId, ProcessDescriptor process, bool wasStopped) => new(processId, process, wasStopped);

    /// <summary>Whether no thread of a process runs.</summary>
    /// <exception cref="ProcessException">There is no such process.</exception>
    public static bool IsStopped(int processId) => StandsStill(processId);

    /// <summary>Continues the process, unless it was stopped before.</summary>
    public void Dispose()
    {
        if (_continued || _wasStopped)
            return;
        _continued = true;
        _process.Signal(SIGCONT);
    }

    private void Stop()
    {
        if (_wasStopped)
            return;
        if (!_process.Signal(SIGSTOP))
            throw new ProcessException($"Process {ProcessId} has ended.");
        long started = Stopwatch.GetTimestamp();
        SpinWait wait = default;
        while (!StandsStill(ProcessId))
        {
            if (Stopwatch.GetElapsedTime(started) > Limit)
                throw new ProcessException(string.Create(CultureInfo.InvariantCulture,
                    $"Process {ProcessId} did not stop within {Limit.TotalSeconds} s: a thread of it waits in the kernel (D in ps). It runs as before."));
            wait.SpinOnce(sleep1Threshold: 20);
        }
    }

    // A thread that is about to end runs no code of the program any more.
    private static bool StandsStill(int processId)
    {
        IReadOnlyList<char> states = ThreadStates.Of(processId);
        return states.Any(state => state is not ('Z' or 'X'))
            ? states.All(state => state is 'T' or 'Z' or 'X')
            : throw new ProcessException($"There is no process {processId}, or it has ended.");
    }
}
