using System.Runtime.InteropServices;

namespace Tcpcp.Linux.Processes;

/// <summary>The CPUs that the calling thread may run on.</summary>
internal static partial class ThreadAffinity
{
    private const int MaskBytes = 128; // cpu_set_t

    /// <summary>Every CPU that the system allows this process, whatever its threads were bound to.</summary>
    public static void UseEveryCpu()
    {
        Span<byte> mask = stackalloc byte[MaskBytes];
        mask.Fill(0xff);
        if (sched_setaffinity(0, MaskBytes, mask) != 0)
            throw KernelException.Last("sched_setaffinity");
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int sched_setaffinity(int thread, nuint maskBytes, Span<byte> mask);
}
