using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Tcpcp.Linux.Processes;

/// <summary>Both ends of a new pipe, closed on exec.</summary>
[KernelHeader("fcntl.h")]
internal readonly partial record struct Pipe(SafeFileHandle ReadEnd, SafeFileHandle WriteEnd)
{
    private const int O_CLOEXEC = 0x80000; // fcntl.h

    public static Pipe Open()
    {
        Span<int> ends = stackalloc int[2];
        return pipe2(ends, O_CLOEXEC) == 0
            ? new Pipe(new SafeFileHandle(ends[0], ownsHandle: true), new SafeFileHandle(ends[1], ownsHandle: true))
            : throw KernelException.Last("pipe2");
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int pipe2(Span<int> ends, int flags);
}
