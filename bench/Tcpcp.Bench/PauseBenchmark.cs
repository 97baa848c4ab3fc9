using System.Text.Json;
using Tcpcp.Linux.Processes;

namespace Tcpcp.Bench;

/// <summary>
/// What the peer feels of a pass: the longest time without a packet in a download that is passed there and back, beside the same download left alone,
/// alternating in one run. And the blackout, beside the longest silence that the download has without any pass.
/// </summary>
internal static class PauseBenchmark
{
    private const int Rounds = 7;

    public static async Task RunAsync(string tcpcp, bool json)
    {
        List<double> alone = [], passed = [], blackouts = [];
        for (int round = 0; round < Rounds; round++)
        {
            alone.Add((await DemoAsync(tcpcp, passes: 0)).GetProperty("longest_silence_us").GetDouble());
            JsonElement report = await DemoAsync(tcpcp, passes: 2);
            passed.Add(report.GetProperty("longest_silence_us").GetDouble());
            blackouts.AddRange(report.GetProperty("blackout_us").EnumerateArray().Select(value => value.GetDouble()));
        }

        new BenchmarkResult("longest silence, passed twice (median)", Median(passed), "us", "left alone", Median(alone), 5).Print(json);
        new BenchmarkResult("blackout (median)", Median(blackouts), "us", "longest silence, left alone", Median(alone), 1).Print(json);
        new BenchmarkResult("blackout (max)", blackouts.Max(), "us", "longest silence, left alone (max)", alone.Max(), 2).Print(json);
    }

    private static async Task<JsonElement> DemoAsync(string tcpcp, int passes)
    {
        await using ChildProcess process = ChildProcess.Start(tcpcp, ["demo", "--json", "--size", "128", "--passes", $"{passes}"]);
        int exitCode = await process.Exit;
        return exitCode == 0
            ? JsonDocument.Parse(await process.Output!.Completed).RootElement
            : throw new InvalidOperationException($"tcpcp demo failed: {process.Output!.Text} {process.ErrorOutput!.Text}");
    }

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);
}
