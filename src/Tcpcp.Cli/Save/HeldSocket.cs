using System.Diagnostics;
using Tcpcp.Cli.Connections;
using Tcpcp.Linux.Diagnostics;
using Tcpcp.Linux.Processes;

namespace Tcpcp.Cli.Save;

/// <summary>A connection's socket with every process that holds it stopped, until the scope is left.</summary>
internal sealed class HeldSocket : IDisposable
{
    private readonly ForeignSocket _socket;
    private readonly long _stoppedAt = Stopwatch.GetTimestamp();

    private HeldSocket(SocketOwner owner, uint inode)
    {
        _socket = ForeignSocket.Take(owner.ProcessId, owner.Descriptor);
        try
        {
            if (InodeOf(owner) != inode)
                throw new ProcessException($"{owner} has closed the connection meanwhile.");
            Processes = StopAll(inode);
        }
        catch
        {
            _socket.Dispose();
            throw;
        }
    }

    /// <summary>The processes that hold it.</summary>
    public IReadOnlyList<int> Processes { get; }

    /// <summary>How long the processes have been, or were, stopped.</summary>
    public TimeSpan Stopped { get; private set; }

    /// <summary>Finds the processes of a connection and stops them.</summary>
    /// <exception cref="ConnectionNotFoundException">There is no such connection, or no process to be seen that holds it.</exception>
    public static HeldSocket Take(ConnectionArgument connection)
    {
        // A descriptor says it all, also where the connection is of another network namespace.
        if (connection is ConnectionArgument.Descriptor descriptor)
        {
            SocketOwner named = new(descriptor.ProcessId, descriptor.Number, SocketOwners.CommandOf(descriptor.ProcessId) ?? "process");
            return new HeldSocket(named, InodeOf(named));
        }

        using SocketDiagnostics diagnostics = new();
        ResolvedConnection found = connection.Resolve(diagnostics);
        return found.Owners is [SocketOwner owner, ..]
            ? new HeldSocket(owner, found.Socket.Inode)
            : throw new ConnectionNotFoundException(found.UnreadableProcesses > 0
                ? $"No process that you may see holds {found.Socket.Connection}, and " +
                    $"{found.UnreadableProcesses} may not be read: run tcpcp as root."
                : $"No process of this PID namespace holds {found.Socket.Connection}: its own has " +
                    "closed it, or runs in another container.");
    }

    /// <inheritdoc cref="ForeignSocket.Freeze"/>
    public FrozenConnection Freeze() => _socket.Freeze();

    /// <summary>Continues the processes.</summary>
    public void Dispose()
    {
        _socket.Dispose();
        Stopped = Stopwatch.GetElapsedTime(_stoppedAt);
    }

    private static uint InodeOf(SocketOwner owner)
    {
        try
        {
            return SocketOwners.InodeOf(owner.ProcessId, owner.Descriptor)
                ?? throw new ConnectionNotFoundException($"Descriptor {owner.Descriptor} of {owner.Command} {owner.ProcessId} " +
                    "is not a socket.");
        }
        catch (Linux.KernelException e)
        {
            throw new ConnectionNotFoundException($"There is no descriptor {owner.Descriptor} of a process {owner.ProcessId} " +
                $"that you may read: {e.Message}");
        }
    }

    // A process that runs may give the socket to another one: until none is found that was not stopped.
    private List<int> StopAll(uint inode)
    {
        HashSet<int> stopped = [];
        while (true)
        {
            List<int> running = [.. SocketOwners.Read().Of(inode).Select(owner => owner.ProcessId).Where(stopped.Add)];
            if (running.Count == 0)
                return [.. stopped.Where(process => process != Environment.ProcessId).Order()];
            running.ForEach(_socket.StopToo);
        }
    }
}
