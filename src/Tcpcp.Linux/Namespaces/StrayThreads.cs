using System.Globalization;
using System.Runtime.InteropServices;

namespace Tcpcp.Linux.Namespaces;

/// <summary>
/// Finds threads that a delegate of a <see cref="NamespaceThread"/> left in its namespace. A thread-pool thread there would open the sockets of
/// code that knows nothing about namespaces in the wrong one: such a delegate has to fail, or the cause is never found.
/// </summary>
internal sealed partial class StrayThreads(string networkNamespace, int ownThread)
{
    private const int AT_FDCWD = -100; // fcntl.h
    private const uint STATX_NLINK = 4; // linux/stat.h
    private const int StatxBytes = 256;
    private const int LinkCountOffset = 16; // stx_nlink

    // The runtime's own, which open no sockets and start nothing; they end when idle. The kernel keeps 15 characters of a name.
    private static readonly string[] s_harmless = [".NET Tiered Com", ".NET BGC", ".NET Server GC", ".NET SigHandler"];

    private int _threadsBefore;

    public void Remember() => _threadsBefore = CountThreads();

    /// <exception cref="InvalidOperationException">The delegate started a thread.</exception>
    public void ThrowIfAny()
    {
        if (CountThreads() <= _threadsBefore)
            return;
        foreach (string task in Directory.EnumerateDirectories("/proc/self/task"))
        {
            if (int.Parse(Path.GetFileName(task.AsSpan()), CultureInfo.InvariantCulture) != ownThread && IsHere(task) && IsHarmful(task))
            {
                throw new InvalidOperationException(
                    $"The delegate started the thread '{NameOf(task)}' in the namespace of a host: it may only work synchronously there. Make the " +
                    "socket there, and use it asynchronously, start tasks, timers and threads outside.");
            }
        }
    }

    private bool IsHere(string task)
    {
        try
        {
            return File.ResolveLinkTarget(task + "/ns/net", returnFinalTarget: false)?.Name == networkNamespace;
        }
        catch (IOException)
        {
            return false; // it has ended
        }
    }

    // A new thread has its maker's name until it sets its own.
    private bool IsHarmful(string task)
    {
        string maker = NameOf($"/proc/self/task/{ownThread.ToString(CultureInfo.InvariantCulture)}");
        string name = maker;
        for (int attempt = 0; attempt < 100 && name == maker; attempt++)
        {
            Thread.Sleep(1);
            name = NameOf(task);
        }

        return name.Length > 0 && !s_harmless.Contains(name, StringComparer.Ordinal);
    }

    private static string NameOf(string task)
    {
        try
        {
            return File.ReadAllText(task + "/comm").TrimEnd();
        }
        catch (IOException)
        {
            return "";
        }
    }

    private static int CountThreads()
    {
        Span<byte> status = stackalloc byte[StatxBytes];
        return statx(AT_FDCWD, "/proc/self/task", 0, STATX_NLINK, status) == 0
            ? MemoryMarshal.Read<int>(status[LinkCountOffset..])
            : throw KernelException.Last("statx", "/proc/self/task");
    }

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int statx(int directory, string path, int flags, uint mask, Span<byte> status);
}
