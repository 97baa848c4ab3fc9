using System.Net.Sockets;
using Tcpcp.Core;
using Tcpcp.Agent.Passing;
using Tcpcp.Linux;
using Tcpcp.Linux.Processes;

namespace Tcpcp.Agent.Hosting;

/// <summary>A socket of a process that knows nothing of tcpcp. The process stands still (SIGSTOP) from before the capture to the verdict.</summary>
internal sealed class UnawareSocket(int processId, int descriptor)
{
    public override string ToString() => $"pid:{processId}/{descriptor}";

    /// <summary>Passes it: the process sees its socket end quietly.</summary>
    /// <param name="application">What takes it at the destination.</param>
    public async Task<PassResult> PassAsync(AgentHost agent, string application, string destination)
    {
        StoppedProcess? stopped = null;
        try
        {
            using ProcessDescriptor process = ProcessDescriptor.Open(processId);
            using DuplicatedDescriptor duplicate = process.Duplicate(descriptor);
            using Socket socket = new(new SafeSocketHandle(duplicate.Detach(), ownsHandle: true)); // used by its handle alone: it shares its flags with the process
            PassRequest request = new()
            {
                Sockets = [socket],
                Application = application,
                QuiesceAsync = _ =>
                {
                    stopped = StoppedProcess.Stop(processId, process);
                    return ValueTask.FromResult(ReadOnlyMemory<byte>.Empty);
                },
                Resume = () => { }, // continued below, when the outcome is known
            };
            return await agent.PassAsync(request, destination, CancellationToken.None);
        }
        catch (Exception e) when (e is KernelException or ProcessException or IOException or SocketException)
        {
            return new PassResult(PassFailure.NotPassable, ConnectionOwner.Origin, $"{this}: {e.Message}");
        }
        finally
        {
            stopped?.Dispose();
        }
    }
}
