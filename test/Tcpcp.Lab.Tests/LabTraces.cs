using System.Globalization;
using Tcpcp.Linux.Processes;

namespace Tcpcp.Lab.Tests;

/// <summary>What a lab leaves on the machine while it lives, and what is left of it later.</summary>
internal sealed record LabTraces(IReadOnlyList<int> Processes, IReadOnlyList<string> Namespaces)
{
    private static readonly string[] s_kinds = ["net", "mnt", "pid"];

    /// <summary>Of a living lab: the given processes, the descendants of its PID namespace's first process's namespace, and all namespaces.</summary>
    public static LabTraces Of(LabNetwork lab, params ChildProcess[] children)
    {
        int first = lab.Processes.FirstProcessId;
        string pidNamespace = LinkOf($"/proc/{first}/ns/pid")!;
        List<int> processes = [];
        HashSet<string> namespaces = [pidNamespace];
        foreach (string process in AllProcesses().Where(process => LinkOf(process + "/ns/pid") == pidNamespace))
        {
            int id = int.Parse(Path.GetFileName(process), CultureInfo.InvariantCulture);
            processes.Add(id);
            if (id != first) // the first process is in the machine's own network
                namespaces.UnionWith(s_kinds.Select(kind => LinkOf($"{process}/ns/{kind}")).OfType<string>());
        }

        namespaces.UnionWith(lab.Hosts.Select(host => host.Thread.NetworkNamespace.Name));
        Assert.All(children, child => Assert.Contains(child.Pid, processes));
        return new LabTraces(processes, [.. namespaces]);
    }

    /// <summary>The processes that are still alive.</summary>
    public IReadOnlyList<int> LivingProcesses() => [.. Processes.Where(IsAlive)];

    /// <summary>The namespaces that a thread is in or a descriptor holds, with the holder.</summary>
    public IReadOnlyList<string> LivingNamespaces() =>
    [
        .. from process in AllProcesses()
           from link in Links(process)
           where Namespaces.Contains(link.Target, StringComparer.Ordinal)
           select $"{link.Target} in {link.Path}",
    ];

    private static bool IsAlive(int process)
    {
        try
        {
            string stat = File.ReadAllText($"/proc/{process}/stat");
            return stat[stat.LastIndexOf(')') + 2] is not ('Z' or 'X');
        }
        catch (IOException)
        {
            return false;
        }
    }

    private static IEnumerable<string> AllProcesses() =>
        Directory.EnumerateDirectories("/proc").Where(path => char.IsAsciiDigit(Path.GetFileName(path)[0]));

    private static IEnumerable<(string Path, string Target)> Links(string process)
    {
        IEnumerable<string> paths = EntriesOf(process + "/task").SelectMany(task => s_kinds.Select(kind => $"{task}/ns/{kind}"))
            .Concat(EntriesOf(process + "/fd"));
        return from path in paths let target = LinkOf(path) where target is not null select (path, target);
    }

    private static string[] EntriesOf(string directory)
    {
        try
        {
            return Directory.GetFileSystemEntries(directory);
        }
        catch (IOException)
        {
            return []; // the process has ended
        }
    }

    private static string? LinkOf(string path)
    {
        try
        {
            return Path.GetFileName(new FileInfo(path).LinkTarget);
        }
        catch (IOException)
        {
            return null;
        }
    }
}
