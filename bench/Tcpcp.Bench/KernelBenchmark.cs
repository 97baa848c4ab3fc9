using Tcpcp.Lab;
using Tcpcp.Linux.Netlink;

namespace Tcpcp.Bench;

/// <summary>
/// What one connection costs: frozen, captured, closed silently, restored in place and activated, beside the C program (bench/kernel/pass.c) that does the same
/// job with the fewest system calls, and beside the same program with a second thread that sleeps: a process with one thread is spared the kernel's counting of
/// references to its descriptors, which no program of .NET is. All have connections of their own over loopback in one network namespace and take turns. The time
/// counts; the processor time stands beside it. The process must have been started in a network namespace of its own.
/// </summary>
internal static class KernelBenchmark
{
    private const int WarmUpRounds = 8; // until the runtime has compiled for speed what the rounds run

    // Short turns: what else runs on the machine meets both sides alike.
    private const int TurnConnections = 100;

    private const string OwnAddress = "127.0.0.2";
    private const string BaselineAddress = "127.0.0.3";
    private const string ThreadedBaselineAddress = "127.0.0.4";

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
        Run(baseline, "1,000 idle", 1000, queueBytes: 0, rounds: 21, goal: 1.10, json);
        Run(baseline, "1,000 with 64 KiB in each queue", 1000, queueBytes: 64 << 10, rounds: 21, goal: 1.15, json);
        Run(baseline, "9,000 idle", 9000, queueBytes: 0, rounds: 9, goal: 1.10, json);
    }

    private static void Run(string baseline, string name, int count, int queueBytes, int rounds, double goal, bool json)
    {
        using KernelConnections own = KernelConnections.Make(OwnAddress, count, queueBytes);
        using KernelBaseline plain = new(baseline, BaselineAddress, count, queueBytes);
        using KernelBaseline threaded = new(baseline, ThreadedBaselineAddress, count, queueBytes, secondThread: true);
        Func<int, int, PassCost>[] sides = [own.Pass, plain.Pass, threaded.Pass];
        List<PassCost>[] costs = [[], [], []];
        List<double> allocated = [];
        for (int round = 0; round < WarmUpRounds + rounds; round++)
        {
            Thread.Sleep(s_idle);
            PassCost[] cost = new PassCost[sides.Length];
            long allocatedBefore = own.AllocatedBytes;
            for (int first = 0; first < count; first += TurnConnections)
            {
                for (int turn = 0; turn < sides.Length; turn++)
                {
                    int side = (turn + round) % sides.Length; // who begins changes with the round
                    cost[side] += sides[side](first, TurnConnections);
                }
            }

            if (round < WarmUpRounds)
                continue;
            for (int side = 0; side < sides.Length; side++)
                costs[side].Add(cost[side]);
            allocated.Add(own.AllocatedBytes - allocatedBefore);
        }

        double MedianEach(IEnumerable<double> values) => values.Order().ElementAt(rounds / 2) / count;
        double Time(int side) => MedianEach(costs[side].Select(cost => cost.Time));
        double ProcessorTime(int side) => MedianEach(costs[side].Select(cost => cost.ProcessorTime));
        new BenchmarkResult($"pass of {name} (median, each)", Time(0), "us", "C", Time(1), goal).Print(json);
        new BenchmarkResult($"pass of {name} (median, each)", Time(0), "us", "C with a second thread", Time(2), goal).Print(json);
        new BenchmarkResult($"processor time of {name} (median, each)", ProcessorTime(0), "us", "C", ProcessorTime(1), Goal: null).Print(json);
        new BenchmarkResult($"processor time of {name} (median, each)", ProcessorTime(0), "us", "C with a second thread", ProcessorTime(2), Goal: null)
            .Print(json);
        if (queueBytes == 0)
            new BenchmarkResult($"allocated for {name} (median, each)", MedianEach(allocated), "bytes",
                "the snapshot and the new socket's handle", own.ResultBytes, Goal: 1).Print(json);
    }
}
