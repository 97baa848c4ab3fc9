using System.Runtime.InteropServices;
using Tcpcp.Core;
using Tcpcp.Linux;
using Tcpcp.Linux.Namespaces;
using Tcpcp.Linux.Processes;
using Tcpcp.Linux.Tcp;
using static Tcpcp.Linux.Tcp.SocketLevel;
using static Tcpcp.Linux.Tcp.TcpOption;

namespace Tcpcp;

/// <summary>
/// A socket of another process that knows nothing of tcpcp. A scope: while it is open the process is stopped (SIGSTOP), and <see
/// cref="Handle"/> is a second descriptor of its socket; leaving it continues the process, unless it was stopped before. Dispose what was
/// made of the handle first.
/// </summary>
/// <remarks>
/// <para>Needs Linux 5.6, and CAP_SYS_PTRACE and CAP_KILL unless the process is of the same user. Not thread-safe.</para>
/// <para>The descriptor shares the open file with the process: its status flags, above all O_NONBLOCK, must not be changed. So do not make
/// a
/// <see cref="System.Net.Sockets.Socket"/> of it.</para>
/// <para>If this process is killed while the scope is open, the other one stays stopped: better than to read from a connection that is
/// frozen. SIGCONT (<c>kill -CONT PID</c>) continues it.</para>
/// </remarks>
public sealed class ForeignSocket : IDisposable
{
    private static readonly (int Name, int Level)[] s_changedByFreezing =
        [(SO_MARK, SOL_SOCKET), (SO_KEEPALIVE, SOL_SOCKET), (SO_REUSEADDR, SOL_SOCKET), (TCP_USER_TIMEOUT, IPPROTO_TCP)];

    private readonly List<(ProcessDescriptor Descriptor, StoppedProcess Stopped)> _processes = [];
    private readonly DuplicatedDescriptor _socket;
    private readonly int _descriptor;
    private DuplicatedDescriptor? _frozen;
    private (int Name, int Level, int Value)[] _options = [];

    private ForeignSocket(int processId, int descriptor)
    {
        _descriptor = descriptor;
        try
        {
            // First, so that the process cannot close the descriptor meanwhile, nor open another file under its number.
            ProcessDescriptor process = Stop(processId);
            _socket = Duplicate(process, processId, descriptor);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>A second descriptor of the socket.</summary>
    public SafeHandle Handle => _socket;

    /// <summary>Stops a process and takes a second descriptor of its socket.</summary>
    /// <param name="processId">The process; not this one.</param>
    /// <param name="descriptor">The number that the process has for the socket.</param>
    /// <exception cref="IOException">There is no such process or descriptor, or it cannot be stopped; it runs as before.</exception>
    public static ForeignSocket Take(int processId, int descriptor)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(processId);
        ArgumentOutOfRangeException.ThrowIfNegative(descriptor);
        if (processId == Environment.ProcessId)
            throw new ArgumentException("A process cannot stop itself: freeze its own socket instead.", nameof(processId));
        return new ForeignSocket(processId, descriptor);
    }

    /// <summary>Stops a further process that has the same socket, such as one that inherited it, until the scope is left.</summary>
    /// <exception cref="IOException">There is no such process, or it cannot be stopped; it runs as before.</exception>
    public void StopToo(int processId)
    {
        if (processId != Environment.ProcessId && !_processes.Exists(process => process.Stopped.ProcessId == processId))
            Stop(processId);
    }

    /// <summary>Freezes the connection, in whatever network namespace it lives.</summary>
    /// <exception cref="NotPassableException">It cannot be passed; nothing was changed.</exception>
    /// <exception cref="KernelException">The kernel refused; the connection goes on as before.</exception>
    public FrozenConnection Freeze()
    {
        if (!SocketOption.TryGet(_socket, SOL_SOCKET, SO_PROTOCOL, out int protocol, out _) || protocol != IPPROTO_TCP)
            throw new NotPassableException(NotPassableReason.NotTcp, null, "The descriptor is not a TCP socket.");
        using NetworkNamespace own = NetworkNamespace.OfThisThread();
        using NetworkNamespace there = NetworkNamespace.OfSocket(_socket);
        _options = [.. s_changedByFreezing.Select(option =>
            (option.Name, option.Level, SocketOption.Get(_socket, option.Level, option.Name)))];
        _frozen?.Dispose();
        DuplicatedDescriptor socket = _processes[0].Descriptor.Duplicate(_descriptor); // a release closes it
        _frozen = socket;
        return own.Name == there.Name ? FrozenConnection.Freeze(socket) : there.Run(() => FrozenConnection.Freeze(socket));
    }

    /// <summary>Leaves the scope: closes the second descriptor and continues the processes that it has stopped.</summary>
    public void Dispose()
    {
        if (_socket is { IsClosed: false })
        {
            LeaveUsable();
            _socket.Dispose();
        }

        _frozen?.Dispose();
        foreach ((ProcessDescriptor descriptor, StoppedProcess stopped) in _processes)
        {
            stopped.Dispose();
            descriptor.Dispose();
        }

        _processes.Clear();
    }

    // A released connection leaves its process an unconnected socket: in repair mode its next connect would seem to succeed and send
    // nothing.
    private void LeaveUsable()
    {
        if (_options.Length == 0 || !RepairMode.IsOn(_socket))
            return;
        SocketOption.Get(_socket, IPPROTO_TCP, TCP_INFO, out TcpInfo info);
        if ((TcpState)info.tcpi_state != TcpState.Closed)
            return; // frozen for good: its owner decides
        RepairMode.Leave(_socket, probe: false, reuseAddress: false);
        foreach ((int name, int level, int value) in _options)
            SocketOption.Set(_socket, level, name, value);
    }

    private static DuplicatedDescriptor Duplicate(ProcessDescriptor process, int processId, int descriptor)
    {
        try
        {
            return process.Duplicate(descriptor);
        }
        catch (KernelException e) when (e.Errno == Errno.EBADF)
        {
            throw new ProcessException($"Process {processId} has no descriptor {descriptor} (ls -l /proc/{processId}/fd).", e);
        }
        catch (KernelException e) when (e.Errno == Errno.EPERM)
        {
            throw new ProcessException($"The descriptors of process {processId} may not be read: run as its user, or with " +
                "CAP_SYS_PTRACE.", e);
        }
    }

    private ProcessDescriptor Stop(int processId)
    {
        ProcessDescriptor process;
        try
        {
            process = ProcessDescriptor.Open(processId);
        }
        catch (KernelException e) when (e.Errno is Errno.ESRCH or Errno.EINVAL)
        {
            throw new ProcessException($"There is no process {processId}.", e);
        }

        try
        {
            _processes.Add((process, StoppedProcess.Stop(processId, process)));
            return process;
        }
        catch (KernelException e) when (e.Errno == Errno.EPERM)
        {
            process.Dispose();
            throw new ProcessException($"Process {processId} may not be stopped: run as its user, or with CAP_KILL.", e);
        }
        catch
        {
            process.Dispose();
            throw;
        }
    }
}
