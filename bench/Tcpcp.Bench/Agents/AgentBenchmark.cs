using System.Net;
using Tcpcp.Client;
using Tcpcp.Gate;
using Tcpcp.Lab;
using Tcpcp.Traffic;

namespace Tcpcp.Bench.Agents;

/// <summary>
/// Two agents, each on a host of its own with an application, pass a peer's idle connections: singly, and by the thousand with <c>tcpcp drain</c>. Beside it stand the
/// round trip of an empty call between the agents and the C program (bench/kernel/pass.c). All connections have one service address, which cannot move while any of them
/// remains: its host forwards the packets of those that have left. On the way back it takes them in again.
/// </summary>
internal sealed class AgentBenchmark : IAsyncDisposable
{
    private const string ServiceAddress = "10.0.0.100";
    private const int ServicePort = 7000;
    private const int Starts = 7;
    private const int SingleConnections = 200;
    private const int SingleRate = 100; // a second
    private const int SingleWarmUpLaps = 2;
    private const int SingleLaps = 4;
    private const int DrainedConnections = 5000;
    private const int DrainWarmUps = 1;
    private const int Drains = 3;
    private const int KernelConnections = 1000;

    // Who has sent within the last second is frozen a little later, since its timestamps may be ahead; and a restored connection counts as such.
    private static readonly TimeSpan s_idle = TimeSpan.FromMilliseconds(1200);

    // By then an agent has given back what only its start has needed.
    private static readonly TimeSpan s_idleAgent = TimeSpan.FromSeconds(2);

    private readonly LabNetwork _lab;
    private readonly string _directory;
    private readonly bool _json;
    private readonly Host _kernelHost;
    private readonly ConnectionGate _kernelGate;
    private readonly KernelBaseline _kernel;
    private readonly PeerConnections _peer;
    private readonly List<AgentProcess> _agents = [];
    private readonly List<double> _kernelMicroseconds = [];
    private readonly List<double> _kernelProcessorMicroseconds = [];

    private AgentBenchmark(LabNetwork lab, string directory, string kernelBaseline, bool json)
    {
        (_lab, _directory, _json) = (lab, directory, json);
        _peer = new PeerConnections(lab.AddHost("peer", "10.0.0.1/24"), new IPEndPoint(IPAddress.Parse(ServiceAddress), ServicePort));
        _kernelHost = lab.AddHost("kernel", "10.0.0.4/24");
        _kernelHost.Network.Links.SetMtu("lo", 1500); // as in the benchmark of the kernel's part
        _kernelGate = _kernelHost.Run(() => ConnectionGate.Open());
        _kernel = _kernelHost.Run(() => new KernelBaseline(kernelBaseline, "127.0.0.3", KernelConnections, queueBytes: 0));
    }

    private AgentProcess Home => _agents[0];

    private AgentProcess Other => _agents[1];

    /// <param name="part"><c>single</c> or <c>drain</c>; null: both.</param>
    public static async Task RunAsync(string tcpcp, string kernelBaseline, string? part, bool json)
    {
        string directory = Directory.CreateDirectory($"/dev/shm/tcpcp-bench-{Guid.NewGuid():N}").FullName;
        try
        {
            await using AgentBenchmark benchmark = new(await LabNetwork.CreateAsync(), directory, kernelBaseline, json);
            await benchmark.StartAgentsAsync(tcpcp);
            if (part is null or "single")
                await benchmark.PassSinglyAsync();
            if (part is null or "drain")
                await benchmark.DrainAsync();
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    public async ValueTask DisposeAsync()
    {
        _peer.Dispose();
        foreach (AgentProcess agent in _agents)
            await agent.DisposeAsync();
        _kernel.Dispose();
        _kernelGate.Dispose();
        await _lab.DisposeAsync();
    }

    private async Task StartAgentsAsync(string tcpcp)
    {
        Host home = _lab.AddHost("host-a", "10.0.0.2/24"), other = _lab.AddHost("host-b", "10.0.0.3/24");
        home.AddOwnAddress(IPAddress.Parse(ServiceAddress));
        await AgentProcess.RunAsync(tcpcp, ["cert", "authority", "--out", _directory]);
        _agents.Add(await AgentProcess.ConfigureAsync(tcpcp, _directory, home, other, ServiceAddress, EchoService.Name, EchoService.GroupedName));
        _agents.Add(await AgentProcess.ConfigureAsync(tcpcp, _directory, other, home, ServiceAddress, EchoService.Name, EchoService.GroupedName));
        List<double> readyAfter = [];
        for (int start = 0; start < Starts; start++)
        {
            if (start > 0)
                await Home.StopAsync();
            await Home.StartAsync();
            readyAfter.Add(Home.ReadyAfter.TotalMilliseconds);
        }

        await Other.StartAsync();
        foreach (AgentProcess agent in _agents)
            await agent.ServeAsync("agent-application", ServicePort);
        await Task.Delay(s_idleAgent);
        Limit("agent ready after its start (median)", Median(readyAfter), "ms", 100);
        Limit("agent before its first pass, resident", _agents.Max(agent => agent.MemoryMegabytes("VmRSS")), "MB", 40);
    }

    private async Task PassSinglyAsync()
    {
        _peer.Connect(SingleConnections);
        await _peer.EchoAsync();
        List<double>[] blackouts = [[], []];
        List<double> calls = [];
        for (int lap = 0; lap < SingleWarmUpLaps + SingleLaps; lap++)
        {
            await Task.Delay(s_idle);
            (AgentProcess from, AgentProcess to) = lap % 2 == 0 ? (Home, Other) : (Other, Home);
            List<double> measured = await PassOneByOneAsync(from, to), called = await CallAsync(from);
            if (lap >= SingleWarmUpLaps)
            {
                blackouts[lap % 2].AddRange(measured);
                calls.AddRange(called);
            }

            await _peer.EchoAsync();
            PassInKernel();
        }

        foreach ((string way, List<double> measured) in new[] { ("there", blackouts[0]), ("back", blackouts[1]) })
        {
            Print($"blackout of one idle connection, {way} (median)", Median(measured), "us", "empty call (median)", Median(calls), goal: 3);
            Print($"blackout of one idle connection, {way} (median)", Median(measured), "us", "C, the kernel's part", Median(_kernelMicroseconds), goal: null);
            Limit($"blackout of one idle connection, {way} (p99)", Percentile99(measured), "us", 5000);
        }
    }

    private async Task DrainAsync()
    {
        _peer.Connect(DrainedConnections);
        await DrainAsync(EchoService.GroupedName, $"in passes of {EchoService.GroupSize}");
        await DrainAsync(EchoService.Name, "one by one");
        foreach (AgentProcess agent in _agents)
            Limit($"agent of {agent.Name} after {4 * (DrainWarmUps + Drains) * DrainedConnections:N0} connections, resident at most", agent.MemoryMegabytes("VmHWM"), "MB", 150);
    }

    private async Task DrainAsync(string application, string manner)
    {
        List<double>[] each = [[], []], blackouts = [[], []];
        (double Agents, double Applications) before = ProcessorTime();
        for (int drain = 0; drain < DrainWarmUps + Drains; drain++)
        {
            for (int way = 0; way < 2; way++)
            {
                await _peer.EchoAsync();
                await Task.Delay(s_idle);
                (AgentProcess from, AgentProcess to) = way == 0 ? (Home, Other) : (Other, Home);
                (TimeSpan time, List<double> measured) = await from.DrainAsync(to.Name, application, DrainedConnections);
                if (drain < DrainWarmUps)
                    continue;
                each[way].Add(time.TotalMicroseconds / DrainedConnections);
                blackouts[way].AddRange(measured);
            }

            PassInKernel();
        }

        await _peer.EchoAsync();
        (double Agents, double Applications) after = ProcessorTime();
        int passed = 2 * (DrainWarmUps + Drains) * DrainedConnections;
        foreach ((string way, int number) in new[] { ("there", 0), ("back", 1) })
        {
            string name = $"drain of 5,000 idle connections {manner}, {way}";
            Print($"{name}, wall time each (median)", Median(each[number]), "us", "3,000 a second", 1e6 / 3000, goal: 1);
            Print($"{name}, wall time each (median)", Median(each[number]), "us", "C, the kernel's part", Median(_kernelMicroseconds), goal: null);
            Limit($"{name}, blackout (p99)", Percentile99(blackouts[number]), "us", 50_000);
        }

        double kernel = Median(_kernelProcessorMicroseconds);
        Print($"drain {manner}, processor time of both agents, each", (after.Agents - before.Agents) / passed, "us", "C, the kernel's part", kernel, goal: null);
        Print($"drain {manner}, processor time of both applications, each", (after.Applications - before.Applications) / passed, "us", "C, the kernel's part", kernel, goal: null);
    }

    private void PassInKernel()
    {
        PassCost cost = _kernel.Pass(0, KernelConnections);
        _kernelMicroseconds.Add(cost.Time / KernelConnections);
        _kernelProcessorMicroseconds.Add(cost.ProcessorTime / KernelConnections);
    }

    private (double Agents, double Applications) ProcessorTime() =>
        (_agents.Sum(agent => agent.ProcessorTime.Agent), _agents.Sum(agent => agent.ProcessorTime.Application));

    // So slowly that a pass has ended before the next one begins.
    private static async Task<List<double>> PassOneByOneAsync(AgentProcess from, AgentProcess to)
    {
        List<double> blackouts = [];
        DrainOrder order = new() { Destinations = [to.Name], Applications = [EchoService.Name], Rate = SingleRate };
        await foreach (DrainProgress progress in from.Operator.DrainAsync(order))
        {
            blackouts.Add(progress is { Result.Succeeded: true, Blackout: { } blackout } ? blackout.TotalMicroseconds
                : throw new InvalidOperationException($"{progress.Connection} was not passed from {from.Name}: {progress.Result}"));
        }

        return blackouts.Count == SingleConnections ? blackouts : throw new InvalidOperationException($"{from.Name} has passed {blackouts.Count} connections.");
    }

    private static async Task<List<double>> CallAsync(AgentProcess from)
    {
        List<double> calls = [];
        for (int i = 0; i < SingleConnections; i++)
        {
            await Task.Delay(TimeSpan.FromSeconds(1.0 / SingleRate));
            calls.Add((await from.CallAsync()).TotalMicroseconds);
        }

        return calls;
    }

    private void Limit(string name, double value, string unit, double limit) => Print(name, value, unit, "limit", limit, goal: 1);

    private void Print(string name, double value, string unit, string baseline, double baselineValue, double? goal) =>
        new BenchmarkResult(name, value, unit, baseline, baselineValue, goal).Print(_json);

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);

    private static double Percentile99(List<double> values) => values.Order().ElementAt(values.Count * 99 / 100);
}
