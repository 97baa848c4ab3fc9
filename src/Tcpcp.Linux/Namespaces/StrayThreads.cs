using System.Globalization;
using Microsoft.Win32.SafeHandles;

namespace Tcpcp.Linux.Namespaces;

/// <summary>
/// Finds threads that a delegate of a <see cref="NamespaceThread"/> left in its namespace. A thread-pool thread there would open the sockets of
/// code that knows nothing about namespaces in the wrong one: such a delegate has to fail, or the cause is never found.
/// </summary>
internal sealed class StrayThreads(string networkNamespace, int ownThread)
{
    // The runtime's own, which open no sockets and start nothing; they end when idle. The kernel keeps 15 characters of a name.
    private static readonly string[] s_harmless = [".NET Tiered Com", ".NET BGC", ".NET Server GC", ".NET SigHandler"];

    private static readonly SafeFileHandle s_load = File.OpenHandle("/proc/loadavg");

    private int _newestBefore;

    public void Remember() => _newestBefore = NewestTask();

    /// <exception cref="InvalidOperationException">The delegate started a thread.</exception>
    public void ThrowIfAny()
    {
        if (NewestTask() == _newestBefore)
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

    // The last number in /proc/loadavg is that of the newest thread or process in our PID namespace: unchanged, nobody made one. (A count of threads would
    // miss one that starts while another ends.)
    private static int NewestTask()
    {
        Span<byte> text = stackalloc byte[128];
        text = text[..RandomAccess.Read(s_load, text, 0)].TrimEnd((byte)'\n');
        return int.Parse(text[(text.LastIndexOf((byte)' ') + 1)..], CultureInfo.InvariantCulture);
    }
}
