using Tcpcp.Lab;
using Tcpcp.Linux.Netlink;

namespace Tcpcp.Bench;

/// <summary>
/// What one connection costs: frozen, captured, closed silently, restored in place and activated, beside the C program (bench/kernel/pass.c) that does the same
/// job with the fewest system calls. Both have connections of their own over loopback in one network namespace and take turns. The time counts; the processor time
/// stands beside it. The process must have been started in a network namespace of its own.
/// </summary>
internal static class KernelBenchmark
{
    private const int WarmUpRounds = 8; // until the runtime has compiled for speed what the rounds run

    // Short turns: what else runs on the machine meets both sides alike.
    private const int TurnConnections = 100;

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
        Run(baseline, "1,000 idle", 1000, queueBytes: 0, rounds: 21, goal: 1.10, json);
        Run(baseline, "1,000 with 64 KiB in each queue", 1000, queueBytes: 64 << 10, rounds: 21, goal: 1.15, json);
        Run(baseline, "9,000 idle", 9000, queueBytes: 0, rounds: 9, goal: 1.10, json);
    }

    private static void Run(string baseline, string name, int count, int queueBytes, int rounds, double goal, bool json)
    {
        using KernelConnections own = KernelConnections.Make(OwnAddress, count, queueBytes);
        using KernelBaseline other = new(baseline, BaselineAddress, count, queueBytes);
        List<PassCost> costs = [], baselineCosts = [];
        List<double> allocated = [];
        for (int round = 0; round < WarmUpRounds + rounds; round++)
        {
            Thread.Sleep(s_idle);
            PassCost cost = default, baselineCost = default;
            long allocatedBefore = own.AllocatedBytes;
            for (int first = 0; first < count; first += TurnConnections)
            {
                // Who begins changes with the round.
                if (round % 2 == 0)
                    baselineCost += other.Pass(first, TurnConnections);
                cost += own.Pass(first, TurnConnections);
                if (round % 2 != 0)
                    baselineCost += other.Pass(first, TurnConnections);
            }

            if (round < WarmUpRounds)
                continue;
            costs.Add(cost);
            baselineCosts.Add(baselineCost);
            allocated.Add(own.AllocatedBytes - allocatedBefore);
        }

        double MedianEach(IEnumerable<double> values) => values.Order().ElementAt(rounds / 2) / count;
        new BenchmarkResult($"pass of {name} (median, each)", MedianEach(costs.Select(cost => cost.Time)), "us",
            "C", MedianEach(baselineCosts.Select(cost => cost.Time)), goal).Print(json);
        new BenchmarkResult($"processor time of {name} (median, each)", MedianEach(costs.Select(cost => cost.ProcessorTime)), "us",
            "C", MedianEach(baselineCosts.Select(cost => cost.ProcessorTime)), Goal: null).Print(json);
        if (queueBytes == 0)
            new BenchmarkResult($"allocated for {name} (median, each)", MedianEach(allocated), "bytes",
                "the snapshot and the new socket's handle", own.ResultBytes, Goal: 1).Print(json);
    }
}
