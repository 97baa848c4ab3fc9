using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Tcpcp.Linux.Processes;

/// <summary>The numbers of this process's descriptors, for libraries that wait by select(2): it knows those below 1024 alone, and glibc ends the program for others.</summary>
[KernelHeader("linux/close_range.h")]
internal static partial class DescriptorTable
{
    private const uint CLOSE_RANGE_UNSHARE = 1 << 1;
    private const int FirstUnusable = 1024 - 32; // the work may open some

    /// <summary>Does work that opens descriptors and waits for them by select: here, or where the numbers are used up on a thread with a table of its own, in the caller's namespaces.</summary>
    /// <param name="work">It must not hand work to other threads, nor use descriptors that are open already.</param>
    public static T RunWithLowNumbers<T>(Func<T> work)
    {
        if (NextNumber() < FirstUnusable)
            return work();
        T? result = default;
        ExceptionDispatchInfo? failure = null;
        Thread thread = new(() =>
        {
            try
            {
                if (close_range(3, uint.MaxValue, CLOSE_RANGE_UNSHARE) != 0)
                    throw KernelException.Last("close_range");
                result = work();
            }
            catch (Exception e)
            {
                failure = ExceptionDispatchInfo.Capture(e);
            }
        })
        { IsBackground = true, Name = "tcpcp low numbers" };
        thread.Start();
        thread.Join();
        failure?.Throw();
        return result!;
    }

    private static int NextNumber()
    {
        using SafeFileHandle next = File.OpenHandle("/dev/null");
        return (int)next.DangerousGetHandle();
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int close_range(uint first, uint last, uint flags);
}
