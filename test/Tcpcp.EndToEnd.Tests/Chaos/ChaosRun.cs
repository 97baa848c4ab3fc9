using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Tcpcp.Check;
using Tcpcp.Client;
using Tcpcp.Core;
using Tcpcp.Core.Tests.Architecture;
using Tcpcp.EndToEnd.Tests.Agents;
using Tcpcp.PassProcess.Chaos;

namespace Tcpcp.EndToEnd.Tests.Chaos;

/// <summary>One run: a lab, what happens in it by a seed, and the judgement.</summary>
internal sealed class ChaosRun : IAsyncDisposable
{
    private const int Alive = 16;
    private const int FirstPort = 10_000;

    private readonly ChaosSetting _setting;
    private readonly Random _random;
    private readonly ChaosLab _lab;
    private readonly ChaosTroubles _troubles;
    private readonly OwnerWatch _watch;
    private readonly TimeSpan _limit;
    private readonly ConcurrentDictionary<FourTuple, ChaosStream> _streams = new();
    private readonly ConcurrentDictionary<FourTuple, bool> _mayEnd = new();
    private readonly List<ChaosDrain> _drains = [];
    private readonly ConcurrentQueue<string> _diary = new();
    private readonly ConcurrentDictionary<string, int> _outcomes = new(StringComparer.Ordinal);
    private readonly long _started = Stopwatch.GetTimestamp();
    private long _number;
    private int _attempts;

    private ChaosRun(ChaosSetting setting, ChaosLab lab)
    {
        (_setting, _lab, _random) = (setting, lab, new Random(setting.Seed));
        _troubles = new ChaosTroubles(lab, setting, new Random(_random.Next()), Note, MarkConnections, () => _drains.Any(drain => drain.MovesAddresses && !drain.Ended.IsCompleted));
        _limit = TimeSpan.FromSeconds(setting.IsPatient ? 300 : 120);
        _watch = new OwnerWatch(lab.Hosts, Note);
    }

    public static async Task<ChaosRun> StartAsync(LabCertificates certificates, ChaosSetting setting) => new(setting, await ChaosLab.StartAsync(setting, certificates));

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
                    _troubles.Begin();
                await Task.Delay(_random.Next(10, 250));
            }

            await _troubles.EndAsync(_limit);
            Note("all is well again");
            await Task.WhenAll(_drains.Select(drain => drain.Ended)).WaitAsync(_limit);
            await EndAsync();
            await AssertNothingIsLeftAsync();
            Assert.Equal([], await _watch.EndAsync());
            await JudgeAsync();
            return string.Create(CultureInfo.InvariantCulture, $"chaos {_setting}: {_streams.Count} connections, passes: {Counted(_outcomes)}; faults: {Counted(_troubles.Counts)}; ")
                + string.Create(CultureInfo.InvariantCulture, $"{_mayEnd.Count} connections met a death; {_watch.Looks} looks for owners");
        }
        catch (Exception e)
        {
            string kept = Keep();
            throw new InvalidOperationException($"Seed {_setting}: {e.Message}\nEverything is in {kept}.", e);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _watch.DisposeAsync();
        foreach (ChaosStream stream in _streams.Values)
            stream.Stop();
        await _lab.DisposeAsync();
        foreach (ChaosStream stream in _streams.Values)
            stream.Socket.Dispose();
    }

    private static string Counted<T>(IReadOnlyDictionary<T, int> counts) =>
        string.Join(", ", counts.OrderBy(one => $"{one.Key}", StringComparer.Ordinal).Select(one => $"{one.Value} {one.Key}"));

    private async Task ConverseAsync()
    {
        (long up, long down) = (Size(), Size());
        ChaosPlan plan = new(++_number, up, down, Math.Max(50_000, (long)(Math.Max(up, down) / (0.2 + (8 * _random.NextDouble()))))); // seconds
        IPEndPoint service = new(ChaosLab.Services[_random.Next(ChaosLab.Services.Count)], ChaosHost.Port);
        while (true)
        {
            Socket socket = _lab.Peer.Run(() => new Socket(service.AddressFamily, SocketType.Stream, ProtocolType.Tcp));
            try
            {
                // What is told of a name is told of one connection, and not of an attempt that was refused before.
                socket.Bind(new IPEndPoint(service.AddressFamily == AddressFamily.InterNetwork ? IPAddress.Any : IPAddress.IPv6Any, FirstPort + _attempts++));
                // Longer than anything here is in doubt; by it the peer hears of a service that has died with its host.
                socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, optionValue: true);
                socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, _setting.IsPatient ? 10 : 5);
                socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, _setting.IsPatient ? 20 : 3);
                socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, 8);
                await socket.ConnectAsync(service).WaitAsync(_limit);
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
        ChaosHost from = _lab.Hosts[_random.Next(_lab.Hosts.Count)], to = _lab.Hosts[_random.Next(_lab.Hosts.Count)];
        int dice = _random.Next(8);
        bool all = dice < 2;
        FourTuple[] connections = from.IsAway ? [] : [.. from.Connections()];
        _random.Shuffle(connections);
        if (!all)
            connections = [.. connections.Take(1 + _random.Next(4))];
        // The addresses go too, unless the other host has none of them then: it may be about to boot.
        bool takeAddresses = dice == 0 && !_setting.IsGateway && from != to && !to.IsTroubled && !from.IsTroubled && ChaosLab.Services.All(from.HasAddress);
        if (from == to || (connections.Length == 0 && !takeAddresses))
            return;
        bool addressesFirst = takeAddresses && _random.Next(2) == 0;
        Note($"{(all ? "all" : string.Join(' ', connections))} from {from.Name} to {to.Name}{(takeAddresses ? $", and the addresses{(addressesFirst ? " first" : "")}" : "")}");
        DrainOrder order = new()
        {
            Destinations = [to.Name],
            Connections = all ? [] : connections,
            Applications = all && !takeAddresses ? ["chaos"] : [],
            TakeAddresses = takeAddresses,
            AddressesFirst = addressesFirst ? ChaosLab.Services : [],
        };
        _drains.Add(new ChaosDrain(from, to, connections, takeAddresses, DrainAsync(from, order)));
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
                _outcomes.AddOrUpdate(progress.Address is null ? outcome : $"addresses {outcome}", 1, (_, count) => count + 1);
                Note($"{progress.Address?.ToString() ?? $"{progress.Connection}"} from {from.Name} to {progress.Destination}: {progress.Result}");
            }
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            _outcomes.AddOrUpdate("not heard of", 1, (_, count) => count + 1);
            Note($"{from.Name}: {e.Message}");
        }
    }

    // What a death of the host's application may end: what has a socket there, or is on its way to there or from there.
    private void MarkConnections(ChaosHost host)
    {
        if (!host.HasApplication)
            return;
        IEnumerable<FourTuple> moving = _drains.ToArray().Where(drain => drain.From == host || drain.To == host).SelectMany(drain => drain.Connections);
        foreach (FourTuple connection in host.Handshakes().Concat(host.Connections()).Concat(moving))
            _mayEnd[connection] = true;
    }

    private async Task EndAsync()
    {
        long started = Stopwatch.GetTimestamp();
        while (_streams.Values.Any(stream => stream.End is null))
        {
            Assert.True(Stopwatch.GetElapsedTime(started) < _limit, $"They hang: {string.Join("; ", _streams.Where(one => one.Value.End is null).Select(one => $"{one.Key} {one.Value}"))}");
            await Task.Delay(20);
        }

        string said = string.Concat(_lab.Hosts.Select(host => host.Said)) + _lab.Server?.Output!.Text + _lab.Server?.ErrorOutput!.Text;
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
        foreach (ChaosHost host in _lab.Hosts)
        {
            await Eventually.True(() => host.Agent.ClosedGates == 0, $"no gate is closed at {host.Name}");
            await Eventually.True(async () => (await host.Agent.OpenPassesAsync()).Count == 0, $"no pass is open at {host.Name}");
        }

        // But for what is in TIME_WAIT at its owner, for a minute.
        foreach (ChaosHost host in _setting.IsGateway ? [] : _lab.Hosts)
        {
            await Eventually.True(() => host.Agent.Forwarded.All(connection => _lab.Hosts.Any(owner => owner.Agent.StateOf(connection) == TcpState.TimeWait)),
                $"nothing is forwarded at {host.Name}");
        }
    }

    private async Task JudgeAsync()
    {
        await _lab.Capture.StopAsync();
        Assert.Equal(0, _lab.Capture.Drops);
        foreach (IPAddress peer in (IPAddress[])[_lab.Peer.IPv4, _lab.Peer.IPv6])
        {
            foreach (ConnectionReport report in CaptureJudge.Judge(_lab.Capture.Path, new JudgeOptions { Peer = peer }).Connections)
            {
                bool mayEnd = _mayEnd.ContainsKey(report.Connection) || !_streams.ContainsKey(report.Connection);
                // What a path doubles or delays may come when all is over, and is answered by an RST then; one that came before would not have left the stream whole.
                bool mayReset = mayEnd || _setting.Path is not null;
                IEnumerable<Contradiction> findings = report.Findings.Where(finding => finding.Kind switch
                {
                    ContradictionKind.Reset => !mayReset,
                    ContradictionKind.UnexpectedFin => !mayEnd,
                    _ => true,
                });
                Assert.True(!findings.Any(), $"{report.Connection}: {string.Join("; ", findings.Select(finding => finding.Message))}");
            }
        }
    }

    private void Note(string what) => _diary.Enqueue(string.Create(CultureInfo.InvariantCulture, $"{Stopwatch.GetElapsedTime(_started).TotalSeconds:F3} {what}"));

    // For who looks for the cause.
    private string Keep()
    {
        string kept = Directory.CreateDirectory(Path.Combine(SourceTree.Root, "artifacts", "chaos", _setting.Seed.ToString(CultureInfo.InvariantCulture))).FullName;
        File.WriteAllLines(Path.Combine(kept, "diary"), _diary);
        foreach (ChaosHost host in _lab.Parties)
        {
            File.WriteAllText(Path.Combine(kept, $"{host.Name}.log"), host.Agent.Log);
            File.WriteAllText(Path.Combine(kept, $"{host.Name}.application"), host.Said);
            if (!host.IsAway && host.HasApplication)
                File.WriteAllLines(Path.Combine(kept, $"{host.Name}.forwarded"), host.Agent.Forwarded.Select(connection => $"{connection} {string.Join(' ', _lab.Hosts.Select(other => other.Agent.StateOf(connection)))}"));
        }

        File.WriteAllLines(Path.Combine(kept, "sockets"), _lab.Hosts.Where(host => !host.IsAway).SelectMany(host => host.Sockets().Select(socket => $"{host.Name} {socket}")));
        File.Copy(_lab.Capture.Path, Path.Combine(kept, "peer.pcapng"), overwrite: true);
        return kept;
    }

    private sealed record ChaosDrain(ChaosHost From, ChaosHost To, IReadOnlyList<FourTuple> Connections, bool MovesAddresses, Task Ended);
}
