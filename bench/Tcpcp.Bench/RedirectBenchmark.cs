using System.Diagnostics;
using System.Net;
using Tcpcp.Core;
using Tcpcp.Linux.Switching;

namespace Tcpcp.Bench;

/// <summary>
/// What the packet switch costs, BPF beside nftables: to switch one connection, one of 1,000 that are switched by one call, and on the way of a packet that is
/// redirected, or looked at and let pass. Each mechanism has a host of its own; they take turns in short rounds, and who begins changes. Of a packet it is the time in
/// write(2) of a TAP interface: it arrives there, and has gone through the switch and out of a veth interface when that returns.
/// </summary>
internal static class RedirectBenchmark
{
    private const int Connections = 1000;
    private const int WarmUpRounds = 10;
    private const int Rounds = 41;
    private const int PacketsEach = 2000;

    public static void Run(bool json)
    {
        using SwitchedPath bpf = new(SwitchChoice.Bpf);
        using SwitchedPath nftables = new(SwitchChoice.Nftables);
        using SwitchedPath none = new(null);
        SwitchedPath[] both = [bpf, nftables];
        FourTuple[] all = [.. Enumerable.Range(0, Connections).Select(number => Connection(number % 2 == 1, 10_000 + number))];

        foreach ((string name, Func<SwitchedPath, int, double> measure) in ((string, Func<SwitchedPath, int, double>)[])
        [
            ("one switch", (path, round) => OneByOne(path, all, round)),
            ("one of 1,000 batched switches", (path, round) => Batched(path, all, round)),
        ])
        {
            double[] medians = Medians(both, measure);
            new BenchmarkResult($"{name} (median, each)", medians[0], "us", "nftables", medians[1], Goal: 1).Print(json);
        }

        foreach (bool ipv6 in (bool[])[false, true])
        {
            string family = ipv6 ? "IPv6" : "IPv4";
            byte[] redirected = SwitchedPath.Frame(all[ipv6 ? 1 : 0]), other = SwitchedPath.Frame(Connection(ipv6, 9));
            double[] medians = Medians(both, (path, _) => path.Send(redirected, PacketsEach));
            new BenchmarkResult($"a redirected packet, {family} (median)", medians[0], "us", "nftables", medians[1], Goal: 1).Print(json);
            medians = Medians([bpf, nftables, none], (path, _) => path.Send(other, PacketsEach));
            new BenchmarkResult($"a packet that is let pass, {family} (median)", medians[0], "us", "nftables", medians[1], Goal: 1).Print(json);
            new BenchmarkResult($"a packet that BPF lets pass, {family} (median)", medians[0], "us", "without a switch", medians[2], Goal: null).Print(json);
        }

        foreach (SwitchedPath path in both)
            path.CheckRedirected(2 * (WarmUpRounds + Rounds) * PacketsEach);
    }

    private static double OneByOne(SwitchedPath path, FourTuple[] connections, int round)
    {
        long start = Stopwatch.GetTimestamp();
        foreach (FourTuple connection in connections)
            path.Switch!.Set(new SwitchEntry(connection, path.TargetOf(connection, round)));
        return Stopwatch.GetElapsedTime(start).TotalMicroseconds / connections.Length;
    }

    private static double Batched(SwitchedPath path, FourTuple[] connections, int round)
    {
        long start = Stopwatch.GetTimestamp();
        path.Switch!.Set([.. connections.Select(connection => new SwitchEntry(connection, path.TargetOf(connection, round)))]);
        return Stopwatch.GetElapsedTime(start).TotalMicroseconds / connections.Length;
    }

    // The last round leaves every connection redirected.
    private static double[] Medians(SwitchedPath[] paths, Func<SwitchedPath, int, double> measure)
    {
        List<double>[] times = [.. paths.Select(_ => new List<double>())];
        for (int round = -WarmUpRounds; round < Rounds; round++)
        {
            for (int turn = 0; turn < paths.Length; turn++)
            {
                int index = (turn + round + WarmUpRounds) % paths.Length;
                double time = measure(paths[index], round);
                if (round >= 0)
                    times[index].Add(time);
            }
        }

        return [.. times.Select(one => one.Order().ElementAt(one.Count / 2))];
    }

    private static FourTuple Connection(bool ipv6, int port) => new(
        new IPEndPoint(IPAddress.Parse(ipv6 ? "2001:db8::1" : "192.0.2.1"), 80), new IPEndPoint(IPAddress.Parse(ipv6 ? "2001:db8::9" : "192.0.2.9"), port));
}
