using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Tcpcp.Check;
using Tcpcp.Client;
using Tcpcp.Core;
using Tcpcp.Core.Tests.Architecture;
using Tcpcp.EndToEnd.Tests.Agents;
using Tcpcp.Lab;
using Tcpcp.Lab.Capture;
using Tcpcp.Linux.Processes;
using Tcpcp.PassProcess.Chaos;

namespace Tcpcp.EndToEnd.Tests.Chaos;

/// <summary>One run: a lab, what happens in it by a seed, and the judgement.</summary>
internal sealed class ChaosRun : IAsyncDisposable
{
    private const int Alive = 16;
    private const int SIGCONT = 18; // signal.h
    private const int SIGSTOP = 19;

    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(90);
    private static readonly IPAddress[] s_services = [IPAddress.Parse("10.0.0.100"), IPAddress.Parse("fd00::100")];
    private static readonly ChaosFault[] s_faults = Enum.GetValues<ChaosFault>();

    private readonly int _seed;
    private readonly Random _random;
    private readonly string _directory;
    private readonly LabNetwork _lab;
    private readonly Host _peer;
    private readonly ChaosHost[] _hosts;
    private readonly PacketCapture _capture;
    private readonly ConcurrentDictionary<FourTuple, ChaosStream> _streams = new();
    private readonly ConcurrentDictionary<FourTuple, bool> _mayEnd = new();
    private readonly List<(string From, string To, IReadOnlyList<FourTuple> Connections, Task Ended)> _drains = [];
    private readonly List<Task> _troubles = [];
    private readonly ConcurrentQueue<string> _diary = new();
    private readonly ConcurrentDictionary<string, int> _outcomes = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<ChaosFault, int> _faults = new();
    private readonly long _started = Stopwatch.GetTimestamp();
    private long _number;

    private ChaosRun(int seed, LabNetwork lab, LabCertificates certificates)
    {
        (_seed, _random, _lab) = (seed, new Random(seed), lab);
        _directory = Directory.CreateDirectory($"/dev/shm/tcpcp-test-{Guid.NewGuid():N}").FullName;
        _peer = lab.AddHost("peer", "10.0.0.1/24", "fd00::1/64");
        string redirection = AgentLab.Forward;
        _hosts = [.. ((string[])[LabAgent.NameA, LabAgent.NameB, LabAgent.NameC]).Select((name, i) => new ChaosHost(
            LabAgent.Create(lab.AddHost($"{(char)('A' + i)}", $"10.0.0.{2 + i}/24", $"fd00::{2 + i}/64"), name, redirection, _directory, certificates), _random.Next()))];
        foreach (IPAddress service in s_services)
            _hosts[0].Agent.Host.AddOwnAddress(service);
        foreach (ChaosHost host in _hosts)
        {
            foreach (ChaosHost other in _hosts.Where(other => other != host))
                host.Agent.Meet(other.Agent.Host, other.Name);
            host.Agent.Configuration["bounds"] = new JsonObject { ["offer-lifetime"] = "8s", ["answer"] = "4s", ["decision"] = "4s", ["hold"] = "8s", ["resolve-longest"] = "200ms" };
        }

        _capture = _peer.StartCapture(Path.Combine(_directory, "peer.pcapng"));
    }

    public static async Task<ChaosRun> StartAsync(LabCertificates certificates, int seed)
    {
        ChaosRun run = new(seed, await LabNetwork.CreateAsync(), certificates);
        try
        {
            await Task.WhenAll(run._hosts.Select(host => host.Agent.StartAsync()));
            await Task.WhenAll(run._hosts.Select(host => host.StartApplicationAsync()));
            return run;
        }
        catch
        {
            await run.DisposeAsync();
            throw;
        }
    }

    /// <summary>Lets things happen, ends them, and judges.</summary>
    /// <returns>What has happened.</returns>
    public async Task<string> RunAsync(TimeSpan time)
    {
        try
        {
            while (Stopwatch.GetElapsedTime(_started) < time)
            {
                while (_streams.Values.Count(stream => stream.End is null) < Alive)
                    await ConverseAsync();
                if (_random.Next(100) < 70)
                    BeginDrain();
                else
                    BeginTrouble();
                await Task.Delay(_random.Next(10, 250));
            }

            await Task.WhenAll(_troubles).WaitAsync(s_limit);
            Note("all is well again");
            await Task.WhenAll(_drains.Select(drain => drain.Ended)).WaitAsync(s_limit);
            await EndAsync();
            await AssertNothingIsLeftAsync();
            await JudgeAsync();
            return $"chaos {_seed}: {_streams.Count} connections, passes: {string.Join(", ", _outcomes.OrderBy(one => one.Key).Select(one => $"{one.Value} {one.Key}"))}; " +
                $"faults: {string.Join(", ", _faults.OrderBy(one => one.Key).Select(one => $"{one.Value} {one.Key}"))}; {_mayEnd.Count} connections met a death";
        }
        catch (Exception e)
        {
            string kept = Keep();
            throw new InvalidOperationException($"Seed {_seed}: {e.Message}\nEverything is in {kept}.", e);
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (ChaosStream stream in _streams.Values)
            stream.Stop();
        foreach (ChaosHost host in _hosts)
            await host.Agent.DisposeAsync();
        await _capture.DisposeAsync();
        await _lab.DisposeAsync();
        foreach (ChaosStream stream in _streams.Values)
            stream.Socket.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    private async Task ConverseAsync()
    {
        (long up, long down) = (Size(), Size());
        ChaosPlan plan = new(++_number, up, down, Math.Max(50_000, (long)(Math.Max(up, down) / (0.2 + (8 * _random.NextDouble()))))); // seconds
        IPEndPoint service = new(s_services[_random.Next(s_services.Length)], ChaosHost.Port);
        while (true)
        {
            Socket socket = _peer.Run(() => new Socket(service.AddressFamily, SocketType.Stream, ProtocolType.Tcp));
            try
            {
                // Longer than anything here is in doubt; by it the peer hears of a service that has died with its host.
                socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, optionValue: true);
                socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, 10);
                socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, 5);
                socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, 8);
                await socket.ConnectAsync(service).WaitAsync(s_limit);
                ChaosStream stream = new(socket, plan) { Ended = ended => Note($"the peer's {ended}") };
                _streams[AgentLab.NameOf(socket)] = stream;
                Note($"conversation {plan} {AgentLab.NameOf(socket)}");
                stream.Start();
                return;
            }
            catch (SocketException e) when (e.SocketErrorCode is SocketError.ConnectionRefused or SocketError.ConnectionReset)
            {
                socket.Dispose(); // nobody listens while the application is dead
                await Task.Delay(20);
            }
        }
    }

    // From 10 bytes to 30 MB; many are alike for long.
    private long Size() => (long)Math.Pow(10, 1 + (_random.NextDouble() * 6.5));

    private void BeginDrain()
    {
        ChaosHost from = _hosts[_random.Next(_hosts.Length)], to = _hosts[_random.Next(_hosts.Length)];
        bool all = _random.Next(4) == 0;
        FourTuple[] connections = from.IsAway ? [] : [.. from.Connections()];
        _random.Shuffle(connections);
        if (!all)
            connections = [.. connections.Take(1 + _random.Next(4))];
        if (from == to || connections.Length == 0)
            return;
        Note($"{(all ? "all" : string.Join(' ', connections))} from {from.Name} to {to.Name}");
        DrainOrder order = new() { Destinations = [to.Name], Connections = all ? [] : connections, Applications = all ? ["chaos"] : [] };
        _drains.Add((from.Name, to.Name, connections, DrainAsync(from, order)));
    }

    private async Task DrainAsync(ChaosHost from, DrainOrder order)
    {
        await Task.Yield();
        try
        {
            await using AgentClient client = await AgentClient.ConnectAsync(new AgentClientOptions { Path = from.Agent.SocketPath });
            await foreach (DrainProgress progress in client.DrainAsync(order))
            {
                string outcome = progress.Result.Failure == PassFailure.None ? "done" : $"{progress.Result.Failure}";
                _outcomes.AddOrUpdate(outcome, 1, (_, count) => count + 1);
                Note($"{progress.Connection} from {from.Name} to {progress.Destination}: {progress.Result}");
            }
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            _outcomes.AddOrUpdate("not heard of", 1, (_, count) => count + 1);
            Note($"{from.Name}: {e.Message}");
        }
    }

    private void BeginTrouble()
    {
        ChaosHost host = _hosts[_random.Next(_hosts.Length)];
        ChaosFault fault = s_faults[_random.Next(s_faults.Length)];
        TimeSpan time = TimeSpan.FromMilliseconds(_random.Next(5, 1500));
        if (host.IsTroubled || (fault == ChaosFault.Rebooted && host == _hosts[0])) // the host of the address is nobody's guest
            return;
        host.IsTroubled = true;
        _faults.AddOrUpdate(fault, 1, (_, count) => count + 1);
        _troubles.Add(TroubleAsync(host, fault, time));
    }

    private async Task TroubleAsync(ChaosHost host, ChaosFault fault, TimeSpan time)
    {
        Note($"{host.Name}: {fault} for {time.TotalMilliseconds} ms");
        switch (fault)
        {
            case ChaosFault.AgentKilled:
                await host.Agent.KillAsync();
                await Task.Delay(time);
                await host.Agent.StartAsync();
                break;
            case ChaosFault.AgentStopped:
                await StopAsync(host.Agent.Process, time);
                break;
            case ChaosFault.ApplicationStopped:
                await StopAsync(host.Application, time);
                break;
            case ChaosFault.ApplicationKilled:
                MarkConnections(host);
                await host.KillApplicationAsync();
                MarkConnections(host);
                await Task.Delay(time);
                await host.StartApplicationAsync();
                break;
            case ChaosFault.LinkCut:
                host.CutLinks();
                await Task.Delay(time);
                host.HealLinks();
                break;
            case ChaosFault.Loss:
                LossDirection direction = time.Ticks % 2 == 0 ? LossDirection.Ingress : LossDirection.Egress;
                host.Agent.Host.SetLoss(2, direction);
                await Task.Delay(time);
                host.Agent.Host.SetLoss(0, direction);
                break;
            case ChaosFault.SecondAgent:
                await using (ChildProcess second = host.Agent.Host.Start(Command.Path, ["agent", "--config", host.Agent.ConfigurationFile]))
                    Assert.NotEqual(0, await second.Exit.WaitAsync(s_limit));
                break;
            case ChaosFault.Rebooted:
                MarkConnections(host);
                await host.KillApplicationAsync();
                await host.Agent.KillAsync();
                MarkConnections(host);
                Directory.Delete(host.Agent.JournalDirectory, recursive: true);
                host.IsAway = true;
                host.Agent.Host = await _lab.RebootAsync(host.Agent.Host);
                host.IsAway = false;
                await Task.Delay(time);
                await host.Agent.StartAsync();
                await host.StartApplicationAsync();
                break;
        }

        Note($"{host.Name}: {fault} is over");
        host.IsTroubled = false;
    }

    private static async Task StopAsync(ChildProcess process, TimeSpan time)
    {
        process.Signal(SIGSTOP);
        await Task.Delay(time);
        process.Signal(SIGCONT);
    }

    // What a death of the host's application may end: what has a socket there, or is on its way to there or from there.
    private void MarkConnections(ChaosHost host)
    {
        IEnumerable<FourTuple> moving = _drains.Where(drain => drain.From == host.Name || drain.To == host.Name).SelectMany(drain => drain.Connections);
        foreach (FourTuple connection in host.Connections().Concat(moving))
            _mayEnd[connection] = true;
    }

    private async Task EndAsync()
    {
        long started = Stopwatch.GetTimestamp();
        while (_streams.Values.Any(stream => stream.End is null))
        {
            Assert.True(Stopwatch.GetElapsedTime(started) < s_limit, $"They hang: {string.Join("; ", _streams.Where(one => one.Value.End is null).Select(one => $"{one.Key} {one.Value}"))}");
            await Task.Delay(20);
        }

        string said = string.Concat(_hosts.Select(host => host.Said));
        Assert.DoesNotContain("WRONG", said, StringComparison.Ordinal);
        Assert.DoesNotContain("Unhandled", said, StringComparison.Ordinal);
        foreach ((FourTuple connection, ChaosStream stream) in _streams)
        {
            Assert.False(stream.End!.StartsWith("WRONG", StringComparison.Ordinal), $"{connection} {stream}");
            if (!_mayEnd.ContainsKey(connection))
                Assert.True(stream.End == ChaosStream.Complete, $"{connection} {stream}");
        }
    }

    private async Task AssertNothingIsLeftAsync()
    {
        foreach (ChaosHost host in _hosts)
        {
            await Eventually.True(() => host.Agent.ClosedGates == 0, $"no gate is closed at {host.Name}");
            await Eventually.True(async () => (await host.Agent.OpenPassesAsync()).Count == 0, $"no pass is open at {host.Name}");
            // But for what is in TIME_WAIT at its owner, for a minute.
            await Eventually.True(() => host.Agent.Forwarded.All(connection => _hosts.Any(owner => owner.Agent.StateOf(connection) == TcpState.TimeWait)),
                $"nothing is forwarded at {host.Name}");
        }
    }

    private async Task JudgeAsync()
    {
        await _capture.StopAsync();
        Assert.Equal(0, _capture.Drops);
        foreach (IPAddress peer in (IPAddress[])[_peer.IPv4, _peer.IPv6])
        {
            foreach (ConnectionReport report in CaptureJudge.Judge(_capture.Path, new JudgeOptions { Peer = peer }).Connections)
            {
                IEnumerable<Contradiction> findings = _mayEnd.ContainsKey(report.Connection) || !_streams.ContainsKey(report.Connection)
                    ? report.Findings.Where(finding => finding.Kind is not (ContradictionKind.Reset or ContradictionKind.UnexpectedFin))
                    : report.Findings;
                Assert.True(!findings.Any(), $"{report.Connection}: {string.Join("; ", findings.Select(finding => finding.Message))}");
            }
        }
    }

    private void Note(string what) => _diary.Enqueue(string.Create(CultureInfo.InvariantCulture, $"{Stopwatch.GetElapsedTime(_started).TotalSeconds:F3} {what}"));

    // For who looks for the cause.
    private string Keep()
    {
        string kept = Directory.CreateDirectory(Path.Combine(SourceTree.Root, "artifacts", "chaos", _seed.ToString(CultureInfo.InvariantCulture))).FullName;
        File.WriteAllLines(Path.Combine(kept, "diary"), _diary);
        foreach (ChaosHost host in _hosts)
        {
            File.WriteAllText(Path.Combine(kept, $"{host.Name}.log"), host.Agent.Log);
            File.WriteAllText(Path.Combine(kept, $"{host.Name}.application"), host.Said);
            if (!host.IsAway)
                File.WriteAllLines(Path.Combine(kept, $"{host.Name}.forwarded"), host.Agent.Forwarded.Select(connection => $"{connection} {string.Join(' ', _hosts.Select(other => other.Agent.StateOf(connection)))}"));
        }

        File.Copy(_capture.Path, Path.Combine(kept, "peer.pcapng"), overwrite: true);
        return kept;
    }
}
