using Tcpcp.Check;
using Tcpcp.Traffic;

namespace Tcpcp.Bench.Blackout;

/// <summary>
/// A connection with 50 MB/s and more in both directions is passed 20 times there and back by each mechanism, over IPv4 and IPv6, with pauses of 0, 20 and 100 ms
/// between freeze and activation, and is refused 20 times after the divert. Shown is what the peer felt. Then it is passed over a path with faults, and its rate is measured.
/// </summary>
internal static class MechanismBenchmark
{
    private const int WarmUps = 10;
    private const int Laps = 20; // there and back
    private const int Refusals = 20;
    private const int FaultyPasses = 200;
    private const int Rates = 10;

    private static readonly int[] s_pauses = [0, 20, 100]; // ms

    /// <param name="part"><c>all</c>, the name of one mechanism, <c>faults</c> or <c>rate</c>.</param>
    public static async Task RunAsync(string tcpcp, string part, bool json)
    {
        bool IsWanted(string name) => part is "all" || string.Equals(part, name, StringComparison.OrdinalIgnoreCase);
        foreach (Mechanism mechanism in Enum.GetValues<Mechanism>().Where(one => IsWanted(BulkLab.RedirectionOf(one))))
        {
            foreach (bool ipv6 in (bool[])[false, true])
                await MoveAsync(tcpcp, mechanism, ipv6, $"{BulkLab.RedirectionOf(mechanism)}, {(ipv6 ? "IPv6" : "IPv4")}", json);
        }

        if (IsWanted("faults"))
            await PassFaultyAsync(tcpcp, json);
        if (IsWanted("rate"))
            await MeasureRatesAsync(tcpcp, json);
    }

    private static async Task MoveAsync(string tcpcp, Mechanism mechanism, bool ipv6, string name, bool json)
    {
        foreach (int pause in s_pauses)
            await PassAsync(tcpcp, mechanism, ipv6, pause, pause == 0 ? name : $"{name}, pause of {pause} ms", json);
        foreach (BulkRefusal refusal in Enum.GetValues<BulkRefusal>())
            await RefuseAsync(tcpcp, mechanism, ipv6, refusal, $"{name}, refused {(refusal == BulkRefusal.ByKernel ? "by the kernel" : "by the application")}", json);
    }

    private static async Task PassAsync(string tcpcp, Mechanism mechanism, bool ipv6, int pause, string name, bool json)
    {
        await using BulkLab lab = await BulkLab.StartAsync(tcpcp, mechanism, ipv6);
        for (int i = 0; i < WarmUps; i++)
            await lab.PassAsync();
        List<BulkPass> passes = [];
        for (int i = 0; i < 2 * Laps; i++)
            passes.Add(await lab.PassAsync(TimeSpan.FromMilliseconds(pause)));
        double[] blackouts = [.. passes.Select(pass => pass.Blackout!.Value.TotalMicroseconds).Order()];
        Print($"{name}: blackout (median)", blackouts[blackouts.Length / 2], "us", "pause", Math.Max(pause * 1000, 1), goal: null, json);
        Print($"{name}: blackout (p99)", blackouts[blackouts.Length * 99 / 100], "us", "pause", Math.Max(pause * 1000, 1), goal: null, json);
        await PrintFeltAsync(lab, passes, name, isQuick: pause == 0, json);
    }

    private static async Task RefuseAsync(string tcpcp, Mechanism mechanism, bool ipv6, BulkRefusal refusal, string name, bool json)
    {
        await using BulkLab lab = await BulkLab.StartAsync(tcpcp, mechanism, ipv6);
        List<BulkPass> passes = [];
        for (int i = 0; i < Refusals; i++)
            passes.Add((await lab.RefuseAsync(refusal)).Pass);
        await PrintFeltAsync(lab, passes, name, isQuick: true, json);
    }

    private static async Task PassFaultyAsync(string tcpcp, bool json)
    {
        await using BulkLab lab = await BulkLab.StartAsync(tcpcp, Mechanism.Forward, ipv6: false, BulkOptions.Faulty);
        for (int i = 0; i < FaultyPasses; i++)
            await lab.PassAsync();
        ConnectionReport report = await lab.FinishAsync();
        Print("forward over a faulty path: contradictions", report.Contradictions, "contradictions", "passes", FaultyPasses, goal: 0, json);
        foreach (Contradiction finding in report.Findings.Take(3))
            Console.Error.WriteLine(finding.Message);
    }

    private static async Task MeasureRatesAsync(string tcpcp, bool json)
    {
        await using (BulkLab lab = await BulkLab.StartAsync(tcpcp, Mechanism.Forward, ipv6: false, BulkOptions.SmallBuffer with { IsCaptured = false }))
        {
            List<(double Before, double After)> rates = [];
            for (int i = 0; i < Rates; i++)
                rates.Add(await RateWatch.CompareAsync(lab));
            double before = Median([.. rates.Select(rate => rate.Before)]);
            Print("sender to a buffer of 64 KiB, slower after a pass (median)", before / Median([.. rates.Select(rate => rate.After)]), "times", "before", 1, goal: 1 / 0.9, json);
            await lab.EndAsync();
        }

        await using (BulkLab lab = await BulkLab.StartAsync(tcpcp, Mechanism.Forward, ipv6: false, BulkOptions.FarBbr with { IsCaptured = false }))
        {
            List<double> regained = [];
            for (int i = 0; i < Rates; i++)
                regained.Add((await RateWatch.RegainAsync(lab, TimeSpan.FromMilliseconds(40))).Regained?.TotalMilliseconds ?? double.MaxValue);
            Print("BBR on a path of 20 ms after a pause of 40 ms: at 0.9 times its rate again (median)", Median(regained), "ms", "limit", 200, goal: 1, json);
            Print("BBR on a path of 20 ms after a pause of 40 ms: at 0.9 times its rate again (max)", regained.Max(), "ms", "limit", 200, goal: null, json);
            await lab.EndAsync();
        }
    }

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);

    // Every byte has been compared by then, and nothing is missing: else this ends with an exception.
    private static async Task PrintFeltAsync(BulkLab lab, List<BulkPass> passes, string name, bool isQuick, bool json)
    {
        ConnectionReport report = await lab.FinishAsync();
        double seconds = (report.End - report.Begin).TotalSeconds;
        Print($"{name}: both directions", (lab.Flow.Sent + lab.Flow.Received) / 2e6 / seconds, "MB/s", "wanted", 50, goal: null, json);
        Print($"{name}: passes in which the peer sent something again", passes.Count(pass => !pass.Again.IsNothing), "passes", "1 in 20", passes.Count / 20.0, isQuick ? 1 : null, json);
        Print($"{name}: passes in which it sent more again than its tail loss probe", passes.Count(pass => !pass.Again.IsNoLoss), "passes", "1 in 20", passes.Count / 20.0, goal: 1, json);
        Print($"{name}: segments that it sent again", passes.Sum(pass => pass.Again.Resent), "segments", "passes", passes.Count, goal: null, json);
        Print($"{name}: retransmission timers of it that ran out", passes.Sum(pass => pass.Again.TimeOuts), "timers", "passes", passes.Count, goal: 0, json);
        Print($"{name}: contradictions", report.Contradictions, "contradictions", "passes", passes.Count, goal: 0, json);
        foreach (string explanation in passes.Where(pass => !pass.Again.IsNoLoss).Select(pass => $"{pass}").Concat(report.Findings.Take(3).Select(finding => finding.Message)))
            Console.Error.WriteLine($"  {name}: {explanation}");
    }

    private static void Print(string name, double value, string unit, string baseline, double baselineValue, double? goal, bool json) =>
        new BenchmarkResult(name, value, unit, baseline, baselineValue, goal).Print(json);
}
