using Tcpcp.Linux.Namespaces;

namespace Tcpcp.Linux.Processes;

/// <summary>
/// A PID namespace that ends with this object or with this process, however that ends. Its first process is <c>cat</c>, reading a pipe whose other end
/// only this process holds: when that is closed, cat exits, and the kernel kills everything else in the namespace.
/// </summary>
internal sealed class PidNamespace : IAsyncDisposable
{
    private readonly ChildProcess _first;

    private PidNamespace(ChildProcess first) => _first = first;

    /// <summary>The first process, in this process's numbering.</summary>
    public int FirstProcessId => _first.Pid;

    internal ProcessDescriptor Descriptor => _first.Descriptor;

    /// <summary>Makes the namespace and its first process (CAP_SYS_ADMIN).</summary>
    public static PidNamespace Create() => new(ChildProcess.StartFirst(
        "/bin/cat", new ChildOptions { Input = ChildInput.Pipe, Output = ChildOutput.Discarded, ErrorOutput = ChildOutput.Discarded }));

    /// <summary>Ends every process in the namespace and waits until the kernel has cleared them away.</summary>
    public async ValueTask DisposeAsync() => await _first.DisposeAsync();
}
