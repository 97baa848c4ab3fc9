using System.Globalization;
using Tcpcp.Lab;
using Tcpcp.Linux.Netlink;
using Tcpcp.Linux.Processes;

namespace Tcpcp.Bench;

/// <summary>
/// What one connection costs: frozen, captured, closed silently, restored in place and activated, beside the C program (bench/kernel/pass.c) that does the same
/// job with the fewest system calls. Both have connections of their own over loopback in one network namespace and take turns. The process must have been
/// started in a network namespace of its own.
/// </summary>
internal static class KernelBenchmark
{
    private const int WarmUpRounds = 3;
    private const int Rounds = 7;
    private const string OwnAddress = "127.0.0.2";
    private const string BaselineAddress = "127.0.0.3";

    // A connection that has sent data within the last second takes longer to freeze, since its timestamps may be ahead; and a restored one counts as such.
    private static readonly TimeSpan s_idle = TimeSpan.FromMilliseconds(1100);

    public static void Run(string baseline, bool json)
    {
        using (RouteNetlink network = RouteNetlink.Open())
        {
            network.Links.SetMtu("lo", 1500); // with 64 KiB a small window would lower the MSS, and a signature would have to be looked for
            network.Links.SetUp("lo");
        }

        // 64 KiB fit in each queue without a socket option.
        Sysctl.Write("net/ipv4/tcp_rmem", "4096 262144 6291456");
        Sysctl.Write("net/ipv4/tcp_wmem", "4096 524288 6291456");
        Run(baseline, "1,000 idle", 1000, queueBytes: 0, goal: 1.10, json);
        Run(baseline, "1,000 with 64 KiB in each queue", 1000, queueBytes: 64 << 10, goal: 1.15, json);
        Run(baseline, "9,000 idle", 9000, queueBytes: 0, goal: 1.10, json);
    }

    private static void Run(string baseline, string name, int count, int queueBytes, double goal, bool json)
    {
        using KernelConnections own = KernelConnections.Make(OwnAddress, count, queueBytes);
        ChildProcess other = ChildProcess.Start(baseline, [BaselineAddress, $"{count}", $"{queueBytes}"], new ChildOptions { Input = ChildInput.Pipe });
        AwaitLine(other, 0);
        List<double> times = [], baselineTimes = [], processorTimes = [], baselineProcessorTimes = [], allocated = [];
        for (int round = 0; round < WarmUpRounds + Rounds; round++)
        {
            Thread.Sleep(s_idle);
            other.Input!.Write("pass\n"u8);
            other.Input.Flush();
            double[] answer = [.. AwaitLine(other, round + 1).Split(' ').Select(value => double.Parse(value, CultureInfo.InvariantCulture))];
            (TimeSpan time, TimeSpan processorTime, long bytes) = own.PassAll();
            if (round < WarmUpRounds)
                continue;
            baselineTimes.Add(answer[0] / 1000 / count);
            baselineProcessorTimes.Add(answer[1] / 1000 / count);
            times.Add(time.TotalMicroseconds / count);
            processorTimes.Add(processorTime.TotalMicroseconds / count);
            allocated.Add((double)bytes / count);
        }

        other.Input!.Dispose(); // its end
        other.Exit.GetAwaiter().GetResult();
        new BenchmarkResult($"pass of {name} (median, each)", Median(times), "us", "C", Median(baselineTimes), goal).Print(json);
        new BenchmarkResult($"processor time of {name} (median, each)", Median(processorTimes), "us", "C", Median(baselineProcessorTimes), goal).Print(json);
        if (queueBytes == 0)
            new BenchmarkResult($"allocated for {name} (median, each)", Median(allocated), "bytes", "the snapshot and the new socket's handle",
                own.ResultBytes, 1).Print(json);
    }

    // The lines that it has written so far: "ready", then the nanoseconds of each round.
    private static string AwaitLine(ChildProcess process, int line)
    {
        while (true)
        {
            string[] lines = process.Output!.Text.Split('\n');
            if (lines.Length > line + 1)
                return lines[line];
            if (process.Exit.IsCompleted)
                throw new InvalidOperationException($"The C program failed: {process.ErrorOutput!.Text}");
            Thread.Sleep(1);
        }
    }

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);
}
