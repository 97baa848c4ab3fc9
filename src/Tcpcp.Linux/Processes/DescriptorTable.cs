using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Tcpcp.Linux.Processes;

/// <summary>The numbers of this process's descriptors, for libraries that wait by select(2): it knows those below 1024 alone, and glibc ends the program for others.</summary>
[KernelHeader("linux/sched.h")]
internal static partial class DescriptorTable
{
    private const int CLONE_FILES = 0x400;
    private const int FirstUnusable = 1024 - 32; // the work may open some
    private const int Freed = 32;

    /// <summary>Does work that opens descriptors and waits for them by select: here, or where the numbers are used up on a thread with a table of its own, in the caller's namespaces.</summary>
    /// <param name="work">It must not hand work to other threads, nor use descriptors that are open already.</param>
    public static T RunWithLowNumbers<T>(Func<T> work)
    {
        if (NextNumber() < FirstUnusable)
            return work();
        int[] freed = [.. Enumerable.Range(3, FirstUnusable).Where(IsNotTheRuntimes).Take(Freed)];
        T? result = default;
        ExceptionDispatchInfo? failure = null;
        Thread thread = new(() =>
        {
            try
            {
                if (unshare(CLONE_FILES) != 0)
                    throw KernelException.Last("unshare");
                foreach (int number in freed)
                    _ = close(number); // of this thread alone
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

    // The runtime maps the code that it makes by a file in memory.
    private static bool IsNotTheRuntimes(int number) => new FileInfo($"/proc/self/fd/{number}").LinkTarget?.Contains("memfd:", StringComparison.Ordinal) == false;

    private static int NextNumber()
    {
        using SafeFileHandle next = File.OpenHandle("/dev/null");
        return (int)next.DangerousGetHandle();
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int unshare(int flags);

    [LibraryImport("libc")]
    private static partial int close(int number);
}
