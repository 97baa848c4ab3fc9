using System.Net;
using System.Net.Sockets;
using Tcpcp.Client;
using Tcpcp.Lab;
using Tcpcp.Linux.Tcp;
using Tcpcp.Traffic;

namespace Tcpcp.Bench.Blackout;

/// <summary>
/// A connection with 50 MB/s and more in both directions goes from one host to another and back, by their agents and with forward; its two ends know every byte. Shown are the
/// blackout (from the divert to the activation) with the time of each of its steps, and what the peer had to send again.
/// </summary>
internal sealed class BlackoutBenchmark : IAsyncDisposable
{
    private const string ServiceAddress = "10.0.0.100";
    private const int ServicePort = 7000;
    private const int WarmUps = 40;
    private const int Passes = 200;

    private static readonly TimeSpan s_between = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(30);

    private readonly LabNetwork _lab;
    private readonly string _directory;
    private readonly bool _json;
    private readonly Host _peer;
    private readonly List<AgentProcess> _agents = [];
    private int _passed;

    private BlackoutBenchmark(LabNetwork lab, string directory, bool json)
    {
        (_lab, _directory, _json) = (lab, directory, json);
        _peer = lab.AddHost("peer", "10.0.0.1/24");
    }

    /// <param name="part">Null: one connection with forward, step by step. <c>all</c>: every mechanism, as <see cref="MechanismBenchmark"/> does; or one, by its name.</param>
    public static async Task RunAsync(string tcpcp, string baselineProgram, string? part, bool json)
    {
        if (part is not null)
        {
            await MechanismBenchmark.RunAsync(tcpcp, part, json);
            return;
        }

        string directory = Directory.CreateDirectory($"/dev/shm/tcpcp-bench-{Guid.NewGuid():N}").FullName;
        try
        {
            List<PassTimeline> baseline = await PassByBaselineAsync(baselineProgram, directory);
            await using BlackoutBenchmark benchmark = new(await LabNetwork.CreateAsync(), directory, json);
            await benchmark.StartAgentsAsync(tcpcp);
            await benchmark.PassAsync(baseline);
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (AgentProcess agent in _agents)
            await agent.DisposeAsync();
        await _lab.DisposeAsync();
    }

    private async Task StartAgentsAsync(string tcpcp)
    {
        Host home = _lab.AddHost("host-a", "10.0.0.2/24"), other = _lab.AddHost("host-b", "10.0.0.3/24");
        home.AddOwnAddress(IPAddress.Parse(ServiceAddress));
        await AgentProcess.RunAsync(tcpcp, ["cert", "authority", "--out", _directory]);
        _agents.Add(await AgentProcess.ConfigureAsync(tcpcp, _directory, home, other, ServiceAddress, BulkApplication.Name));
        _agents.Add(await AgentProcess.ConfigureAsync(tcpcp, _directory, other, home, ServiceAddress, BulkApplication.Name));
        foreach (AgentProcess agent in _agents)
        {
            agent.TellsSteps = true;
            await agent.StartAsync();
        }

        foreach (AgentProcess agent in _agents)
            await agent.ServeAsync("bulk-application", ServicePort);
    }

    // The same by the C program.
    private static async Task<List<PassTimeline>> PassByBaselineAsync(string program, string directory)
    {
        await using BlackoutBaseline baseline = await BlackoutBaseline.StartAsync(program, directory);
        using BulkFlow flow = new(baseline.Connect(), BulkApplication.DefaultBytesPerSecond);
        List<PassTimeline> passes = [];
        await MoveOnAsync(flow);
        for (int pass = 0; pass < WarmUps + Passes; pass++)
        {
            await Task.Delay(s_between);
            PassTimeline timeline = await baseline.PassAsync();
            await MoveOnAsync(flow);
            if (pass >= WarmUps)
                passes.Add(timeline);
        }

        return passes;
    }

    private async Task PassAsync(List<PassTimeline> baseline)
    {
        Socket socket = _peer.Run(() =>
        {
            Socket connected = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            connected.Connect(new IPEndPoint(IPAddress.Parse(ServiceAddress), ServicePort));
            return connected;
        });
        using BulkFlow flow = new(socket, BulkApplication.DefaultBytesPerSecond);
        List<double> blackouts = [];
        await MoveOnAsync(flow);
        int clean = 0, resent = 0;
        for (int pass = 0; pass < WarmUps + Passes; pass++)
        {
            await Task.Delay(s_between);
            (AgentProcess from, AgentProcess to) = pass % 2 == 0 ? (_agents[0], _agents[1]) : (_agents[1], _agents[0]);
            uint before = Retransmitted(socket);
            double blackout = await PassOnceAsync(from, to);
            _passed++;
            await MoveOnAsync(flow);
            if (pass < WarmUps)
                continue;
            blackouts.Add(blackout);
            uint again = Retransmitted(socket) - before;
            clean += again == 0 ? 1 : 0;
            resent += (int)again;
        }

        PrintBlackouts(blackouts, baseline, clean, resent);
    }

    private void PrintBlackouts(List<double> blackouts, List<PassTimeline> baseline, int clean, int again)
    {
        Print("blackout of a bulk flow, forward (median)", Median(blackouts), "us", "limit", 1000, goal: 1);
        Print("blackout of a bulk flow, forward (p99)", Percentile99(blackouts), "us", "limit", 10_000, goal: 1);
        Print("blackout of a bulk flow, forward (median)", Median(blackouts), "us", "C", Median([.. baseline.Select(pass => pass.Whole)]), goal: 2);
        Print("blackout of a bulk flow, forward (p99)", Percentile99(blackouts), "us", "C", Percentile99([.. baseline.Select(pass => pass.Whole)]), goal: null);
        IReadOnlyList<PassTimeline> passes = [.. PassTimeline.Read(_agents.SelectMany(agent => agent.Steps)).TakeLast(Passes)];
        foreach (string step in PassTimeline.Steps.Skip(1))
            Print($"  of it until {step.Replace('_', ' ')} (median)", Median([.. passes.Select(pass => pass.Of(step))]), "us", "C", Median([.. baseline.Select(pass => pass.Of(step))]), goal: null);
        foreach (string step in PassTimeline.Steps.Skip(1))
            Print($"  of it until {step.Replace('_', ' ')} (p99)", Percentile99([.. passes.Select(pass => pass.Of(step))]), "us", "C", Percentile99([.. baseline.Select(pass => pass.Of(step))]), goal: null);
        Print("passes in which the peer sent something again", Passes - clean, "passes", "1 in 20", Passes / 20, goal: 1);
        Print("segments that the peer sent again", again, "segments", "passes", Passes, goal: null);
    }

    private async Task<double> PassOnceAsync(AgentProcess from, AgentProcess to)
    {
        DrainOrder order = new() { Destinations = [to.Name], Applications = [BulkApplication.Name] };
        await foreach (DrainProgress progress in from.Operator.DrainAsync(order))
        {
            return progress is { Result.Succeeded: true, Blackout: { } blackout } ? blackout.TotalMicroseconds
                : throw new InvalidOperationException($"{progress.Connection} was not passed from {from.Name}: {progress.Result}");
        }

        throw new InvalidOperationException($"{from.Name} had nothing to pass after {_passed} passes.");
    }

    // Both directions flow: so nothing was lost.
    private static async Task MoveOnAsync(BulkFlow flow)
    {
        const int Bytes = 1_000_000;
        (long sent, long received) = (flow.Sent, flow.Received);
        using CancellationTokenSource limit = new(s_limit);
        while (flow.Sent < sent + Bytes || flow.Received < received + Bytes)
        {
            if (flow.Fault is { } fault)
                throw new InvalidOperationException(fault);
            await Task.Delay(1, limit.Token);
        }
    }

    private static uint Retransmitted(Socket socket)
    {
        SocketOption.Get(socket.SafeHandle, SocketLevel.IPPROTO_TCP, TcpOption.TCP_INFO, out TcpInfo info);
        return info.tcpi_total_retrans;
    }

    private void Print(string name, double value, string unit, string baseline, double baselineValue, double? goal) =>
        new BenchmarkResult(name, value, unit, baseline, baselineValue, goal).Print(_json);

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);

    private static double Percentile99(List<double> values) => values.Order().ElementAt(values.Count * 99 / 100);
}
