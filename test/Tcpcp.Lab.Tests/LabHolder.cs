using System.Globalization;
using Tcpcp.Linux.Processes;

namespace Tcpcp.Lab.Tests;

/// <summary>This executable as a process that makes a lab, tells what it made, and waits to be killed.</summary>
internal static class LabHolder
{
    private const string Variable = "TCPCP_LAB_HOLDER";
    private const string Ready = "READY";

    public static bool IsWanted => Environment.GetEnvironmentVariable(Variable) is not null;

    /// <summary>Starts it; returns when its lab works.</summary>
    public static async Task<(ChildProcess Holder, LabTraces Traces)> StartAsync()
    {
        ChildProcess holder = ChildProcess.Start(Environment.ProcessPath!, [], new ChildOptions
        {
            Environment = new Dictionary<string, string>(StringComparer.Ordinal) { [Variable] = "1" },
            ErrorOutput = ChildOutput.Inherited,
        });
        string output = await holder.Output!.WaitForAsync(Ready, TimeSpan.FromSeconds(60));
        string[] lines = output.Split('\n');
        return (holder, new LabTraces(
            [.. lines[0].Split(' ').Select(pid => int.Parse(pid, CultureInfo.InvariantCulture))], lines[1].Split(' ')));
    }

    public static async Task<int> RunAsync()
    {
        await using LabNetwork lab = await LabNetwork.CreateAsync();
        Host host = lab.AddHost("a", "10.0.0.1/24");
        await using ChildProcess sleeper = host.Start("sleep", ["1000"]);
        await using ChildProcess family = host.Start("sh", ["-c", "setsid sleep 1000 & echo $!; wait"]);
        await family.Output!.WaitForAsync("\n", TimeSpan.FromSeconds(20));
        LabTraces traces = LabTraces.Of(lab, sleeper, family);
        Console.Out.Write($"{string.Join(' ', traces.Processes)}\n{string.Join(' ', traces.Namespaces)}\n{Ready}\n");
        Console.Out.Flush();
        await Task.Delay(Timeout.Infinite);
        return 0;
    }
}
