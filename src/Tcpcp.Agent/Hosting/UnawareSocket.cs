using System.Net.Sockets;
using Tcpcp.Agent.Passing;
using Tcpcp.Core;
using Tcpcp.Core.Wire;
using Tcpcp.Linux;
using Tcpcp.Linux.Processes;
using Tcpcp.Linux.Tcp;

namespace Tcpcp.Agent.Hosting;

/// <summary>A socket of a process that knows nothing of tcpcp. The process stands still (SIGSTOP) from before the capture to the verdict.</summary>
internal sealed class UnawareSocket(int processId, int descriptor)
{
    public override string ToString() => $"pid:{processId}/{descriptor}";

    /// <summary>Its connection, as far as it can be told: one or none.</summary>
    public IReadOnlyList<Core.FourTuple> Names()
    {
        try
        {
            using ProcessDescriptor process = ProcessDescriptor.Open(processId);
            using DuplicatedDescriptor duplicate = process.Duplicate(descriptor);
            return [RawSocket.Ends(duplicate, out _, out _)];
        }
        catch (Exception e) when (e is KernelException or IOException)
        {
            return []; // the pass says why
        }
    }

    /// <summary>Passes it: the process sees its socket end quietly.</summary>
    /// <param name="application">What takes it at the destination.</param>
    public async Task<PassResult> PassAsync(AgentHost agent, string application, string destination)
    {
        try
        {
            using ProcessDescriptor process = ProcessDescriptor.Open(processId);
            using Socket socket = Take(process, descriptor);
            StoppedProcess? stopped = null;
            try
            {
                PassRequest request = new()
                {
                    Sockets = [socket],
                    Application = application,
                    Holder = new ProcessHolder
                    {
                        ProcessId = processId,
                        StartTime = ThreadStates.StartTimeOf(processId) ?? throw new ProcessException($"Process {processId} has ended."),
                        SocketNumber = descriptor,
                        WasStopped = StoppedProcess.IsStopped(processId),
                    },
                    QuiesceAsync = _ =>
                    {
                        stopped = StoppedProcess.Stop(processId, process);
                        return ValueTask.FromResult(ReadOnlyMemory<byte>.Empty);
                    },
                    Resume = () => { },
                    Concluded = () => stopped?.Dispose(),
                };
                return await agent.PassAsync(request, destination, CancellationToken.None);
            }
            finally
            {
                stopped?.Dispose(); // by its descriptor, which must be open still
            }
        }
        catch (Exception e) when (e is KernelException or ProcessException or IOException or SocketException)
        {
            return new PassResult(PassFailure.NotPassable, Core.ConnectionOwner.Origin, $"{this}: {e.Message}");
        }
    }

    /// <summary>Goes on with a pass that an earlier agent has begun.</summary>
    /// <param name="recover">Recovers it with the socket, null if the process is gone or has closed it.</param>
    public static async Task<PassResult> RecoverAsync(ProcessHolder holder, Core.FourTuple connection, Func<Socket?, Action, Task<PassResult>> recover)
    {
        ProcessDescriptor? process = null;
        Socket? socket = null;
        StoppedProcess? stopped = null;
        try
        {
            process = ProcessDescriptor.Open(holder.ProcessId);
            if (ThreadStates.StartTimeOf(holder.ProcessId) == holder.StartTime) // else it is another one by now
            {
                stopped = StoppedProcess.Adopt(holder.ProcessId, process, holder.WasStopped);
                socket = Take(process, holder.SocketNumber);
                if (!SocketNames.TryFind(socket, out Core.FourTuple name) || name != connection)
                {
                    socket.Dispose();
                    socket = null;
                }
            }
        }
        catch (Exception e) when (e is KernelException or SocketException)
        {
            // The process, or its descriptor, is gone.
        }

        try
        {
            return await recover(socket, () => stopped?.Dispose());
        }
        finally
        {
            stopped?.Dispose();
            socket?.Dispose();
            process?.Dispose();
        }
    }

    // It shares its flags with the process: it is used by its handle alone.
    private static Socket Take(ProcessDescriptor process, int descriptor)
    {
        using DuplicatedDescriptor duplicate = process.Duplicate(descriptor);
        return new Socket(new SafeSocketHandle(duplicate.Detach(), ownsHandle: true));
    }
}
