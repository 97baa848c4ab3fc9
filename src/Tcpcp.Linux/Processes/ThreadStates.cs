using System.Globalization;

namespace Tcpcp.Linux.Processes;

/// <summary>What the threads of a process do (proc_pid_stat(5)): R runs, S sleeps, D waits for the kernel, T is stopped, t is traced, Z has
/// ended.</summary>
internal static class ThreadStates
{
    /// <summary>One letter a thread; none if there is no such process.</summary>
    public static IReadOnlyList<char> Of(int processId)
    {
        List<char> states = [];
        try
        {
            string threads = string.Create(CultureInfo.InvariantCulture, $"/proc/{processId}/task");
            foreach (string thread in Directory.EnumerateDirectories(threads))
            {
                if (Of(thread) is { } state)
                    states.Add(state);
            }
        }
        catch (DirectoryNotFoundException)
        {
            // It has ended.
        }

        return states;
    }

    /// <summary>When a process began, in clock ticks after the boot; null: there is none.</summary>
    public static ulong? StartTimeOf(int processId)
    {
        const int Field = 22 - 3; // of those after the program's name
        try
        {
            string stat = File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{processId}/stat"));
            return ulong.Parse(stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[Field], CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            return null;
        }
    }

    /// <summary>The process that traces it (ptrace(2)); 0: none.</summary>
    public static int TracerOf(int processId)
    {
        const string Field = "TracerPid:";
        try
        {
            string? line = File.ReadLines(string.Create(CultureInfo.InvariantCulture, $"/proc/{processId}/status"))
                .FirstOrDefault(line => line.StartsWith(Field, StringComparison.Ordinal));
            return line is null ? 0 : int.Parse(line.AsSpan(Field.Length).Trim(), CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            return 0;
        }
    }

    // The letter is the first field after the program's name, which stands in brackets and can have brackets itself.
    private static char? Of(string thread)
    {
        try
        {
            string stat = File.ReadAllText(thread + "/stat");
            return stat[stat.LastIndexOf(')') + 2];
        }
        catch (IOException)
        {
            return null; // the thread has ended
        }
    }
}
