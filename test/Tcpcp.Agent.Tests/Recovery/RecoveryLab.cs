using System.Diagnostics;
using System.Net;
using Tcpcp.Agent.Link;
using Tcpcp.Agent.Passing;
using Tcpcp.Agent.Tests.Conversations;
using Tcpcp.Agent.Tests.Link;
using Tcpcp.Check;
using Tcpcp.Lab;
using Tcpcp.Lab.Capture;
using Tcpcp.Linux.Netlink;
using Tcpcp.Linux.Nftables;
using Tcpcp.Linux.Processes;

namespace Tcpcp.Agent.Tests.Recovery;

/// <summary>
/// A peer and two hosts with real agents (mutual TLS, takeover) and living applications. One conversation after another is passed from the host that has the
/// service address to the other one, something happens at a step, and the conversation must be where the design says. What the peer sees is captured.
/// </summary>
internal sealed class RecoveryLab : IAsyncDisposable
{
    private const int BytesPerSecond = 4_000_000;
    private const int Progress = 200_000;
    private const int ServicePort = 8080;
    private const int AgentPort = 7300;
    private const string Cut = "test-cut";

    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(60);
    private static readonly IPEndPoint s_service = new(IPAddress.Parse("10.0.0.100"), ServicePort);

    private readonly LabNetwork _lab;
    private readonly string _directory;
    private readonly Host _peer;
    private readonly RecoveryHost[] _hosts;
    private PacketCapture? _capture;
    private Conversation? _conversation;
    private int _captures;

    private RecoveryLab(LabNetwork lab, string directory)
    {
        (_lab, _directory) = (lab, directory);
        _peer = lab.AddHost("peer", "10.0.0.1/24");
        _hosts =
        [
            new RecoveryHost("a", directory, lab.AddHost("a", AddressOf("a") + "/24")),
            new RecoveryHost("b", directory, lab.AddHost("b", AddressOf("b") + "/24")),
        ];
        _hosts[0].Host.AddOwnAddress(s_service.Address);
    }

    public static async Task<RecoveryLab> CreateAsync()
    {
        RecoveryLab lab = new(await LabNetwork.CreateAsync(), Directory.CreateDirectory($"/dev/shm/tcpcp-test-{Guid.NewGuid():N}").FullName);
        try
        {
            using TestAuthority authority = new();
            foreach (RecoveryHost host in lab._hosts)
                Configure(host, authority.Issue(lab._directory, host.Name));
            foreach (RecoveryHost host in lab._hosts)
                await host.StartWhatIsMissingAsync(ServicePort, BytesPerSecond);
            return lab;
        }
        catch
        {
            await lab.DisposeAsync();
            throw;
        }
    }

    /// <summary>Passes a conversation, lets the fault happen at the step, and mends it.</summary>
    public async Task RunAsync(RecoveryFault fault, PassSide side, PassAction step)
    {
        RecoveryHost origin = Array.Find(_hosts, HasAddress)!;
        RecoveryHost destination = OtherThan(origin);
        _capture = _peer.StartCapture(Path.Combine(_directory, $"peer{++_captures}.pcapng"));
        _conversation = Conversation.Start(_peer, s_service, BytesPerSecond);
        await _conversation.ProgressAsync(Progress);
        RecoveryHost there = side == PassSide.Origin ? origin : destination;
        ChildProcess? application = origin.Application;
        int ends = origin.CountAgentLines("step Origin:Done");
        int outcomes = await ApplyAsync(fault, $"{side}:{step}", origin, destination, there);
        foreach (RecoveryHost host in _hosts)
            await host.StartWhatIsMissingAsync(ServicePort, BytesPerSecond);
        int wanted = outcomes + (fault == RecoveryFault.SecondPass ? 2 : 1);
        if (application == origin.Application) // else nobody hears how it ended
            await Until.True(() => origin.CountApplicationLines("passed ") >= wanted, s_limit, () => Log);
        RecoveryOutcome outcome = await AwaitOutcomeAsync(origin, destination, ends);
        Assert.True(RecoveryRules.Allowed(fault, side, step).HasFlag(outcome), $"It is {outcome}. {Log}");
        await AssertNothingIsLeftAsync();
        await JudgeAsync(outcome);
        _conversation.Dispose();
        _conversation = null;
    }

    public async ValueTask DisposeAsync()
    {
        _conversation?.Dispose();
        foreach (RecoveryHost host in _hosts)
            await host.DisposeAsync();
        if (_capture is not null)
            await _capture.DisposeAsync();
        await _lab.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    private string Log => $"{_conversation} {string.Join("\n", _hosts.Select(host => host.Log))}";

    // Returns how many passes had ended before that with the fault.
    private async Task<int> ApplyAsync(RecoveryFault fault, string step, RecoveryHost origin, RecoveryHost destination, RecoveryHost there)
    {
        bool kills = fault is RecoveryFault.AgentKilled or RecoveryFault.BothAgentsKilled or RecoveryFault.JournalDeleted or RecoveryFault.AgentAndApplicationKilled;
        await there.OrderAgentAsync($"{(kills ? "kill" : "stall")} {step}");
        int suffered = CountSufferings(origin);
        int stalled = there.CountAgentLines("stalled");
        int outcomes = await OrderUntilAsync(origin, destination, () => kills ? there.Agent!.Exit.IsCompleted : there.CountAgentLines("stalled") > stalled);
        if (kills)
            await there.AgentDiesAsync();
        switch (fault)
        {
            case RecoveryFault.BothAgentsKilled:
                await OtherThan(there).KillAgentAsync();
                break;
            case RecoveryFault.JournalDeleted:
                there.DeleteJournal();
                break;
            case RecoveryFault.AgentAndApplicationKilled:
                await there.KillApplicationAsync();
                break;
            case RecoveryFault.OriginApplicationKilled:
                await origin.KillApplicationAsync();
                await there.OrderAgentAsync("go");
                break;
            case RecoveryFault.DestinationApplicationKilled:
                await destination.KillApplicationAsync();
                await there.OrderAgentAsync("go");
                break;
            case RecoveryFault.SecondPass:
                await TrySecondPassAsync(origin, destination);
                await there.OrderAgentAsync("go");
                break;
            case RecoveryFault.LinkCut:
                await CutAsync(origin, destination, there, suffered);
                break;
            case RecoveryFault.DestinationRebooted:
                await RebootAsync(destination);
                if (there == origin)
                    await origin.OrderAgentAsync("go");
                break;
            default:
                break;
        }

        return outcomes;
    }

    // On a busy machine a pass may be given up before the step, which changes nothing: then it is ordered again; and an agent that was started again may not listen yet.
    private async Task<int> OrderUntilAsync(RecoveryHost origin, RecoveryHost destination, Func<bool> isThere)
    {
        const int Attempts = 5;
        int outcomes = 0;
        long started = Stopwatch.GetTimestamp();
        for (int attempt = 1; attempt <= Attempts && !isThere(); attempt++)
        {
            outcomes = origin.CountApplicationLines("passed ");
            await origin.OrderApplicationAsync($"pass {destination.Name}");
            await Until.True(() => isThere() || origin.CountApplicationLines("passed ") > outcomes, s_limit, () => Log);
            if (origin.CountApplicationLines("passed ") == outcomes)
                continue;
            string outcome = origin.LastApplicationLine("passed ");
            if (outcome.StartsWith("passed Interrupted", StringComparison.Ordinal))
                break; // by the death of the agent
            if (outcome.StartsWith("passed DestinationUnreachable", StringComparison.Ordinal) && Stopwatch.GetElapsedTime(started) < s_limit)
            {
                attempt--;
                await Task.Delay(TimeSpan.FromMilliseconds(50));
            }
        }

        await Until.True(isThere, s_limit, () => Log);
        return outcomes;
    }

    private async Task TrySecondPassAsync(RecoveryHost origin, RecoveryHost destination)
    {
        ChildProcess? application = origin.Application;
        int outcomes = origin.CountApplicationLines("passed ");
        await origin.OrderApplicationAsync($"pass {destination.Name}");
        await Until.True(() => origin.CountApplicationLines("passed ") > outcomes, s_limit, () => Log);
        string outcome = origin.LastApplicationLine("passed ");
        Assert.True(outcome.Contains("NotPassable Origin", StringComparison.Ordinal) || outcome.Contains("Nothing", StringComparison.Ordinal), $"{outcome}. {Log}");
    }

    private async Task CutAsync(RecoveryHost origin, RecoveryHost destination, RecoveryHost there, int suffered)
    {
        destination.Host.Run(() => LibNftables.Run($$"""
            add table inet {{Cut}}
            add chain inet {{Cut}} in { type filter hook input priority -400; }
            add chain inet {{Cut}} out { type filter hook output priority -400; }
            add rule inet {{Cut}} in tcp dport {{AgentPort}} drop
            add rule inet {{Cut}} in tcp sport {{AgentPort}} drop
            add rule inet {{Cut}} out tcp dport {{AgentPort}} drop
            add rule inet {{Cut}} out tcp sport {{AgentPort}} drop
            """));
        await there.OrderAgentAsync("go");
        await Until.True(() => CountSufferings(origin) > suffered, s_limit, () => Log);
        destination.Host.Run(() => LibNftables.Run($"delete table inet {Cut}"));
    }

    private static int CountSufferings(RecoveryHost origin) =>
        origin.CountAgentLines("step Origin:InDoubt") + origin.CountAgentLines("step Origin:Done") + origin.CountAgentLines("step Origin:Thawed");

    private async Task RebootAsync(RecoveryHost host)
    {
        await host.KillApplicationAsync();
        await host.KillAgentAsync();
        host.DeleteJournal();
        host.Host = await _lab.RebootAsync(host.Host);
    }

    private async Task<RecoveryOutcome> AwaitOutcomeAsync(RecoveryHost origin, RecoveryHost destination, int ends)
    {
        int atOrigin = origin.CountApplicationLines("ended ");
        int atDestination = destination.CountApplicationLines("ended ");
        (long sent, long received) = (_conversation!.Sent + Progress, _conversation.Received + Progress);
        await Until.True(() => Lives() || _conversation.End is not null || HasLostItsAddress(), s_limit, () => Log);
        if (!_hosts.Any(HasAddress))
        {
            origin.Host.AddOwnAddress(s_service.Address); // as its operator would
            origin.Host.Announce(s_service.Address);
            await Until.True(() => Lives() || _conversation.End is not null, s_limit, () => Log);
        }

        if (_conversation.End is null)
            await _conversation.FinishAsync();
        if (_conversation.End is "ConnectionReset")
            return RecoveryOutcome.Ended;
        Assert.True(_conversation.End is "", $"{Log}");
        string end = $"ended sent {_conversation.Received} received {_conversation.Sent}: end of stream";
        if (_conversation.Sent < sent || _conversation.Received < received)
            return RecoveryOutcome.Ended; // by a FIN of the service
        await Until.True(() => origin.CountApplicationLines("ended ") + destination.CountApplicationLines("ended ") > atOrigin + atDestination, s_limit, () => Log);
        bool isAtOrigin = origin.CountApplicationLines("ended ") > atOrigin;
        Assert.True(end == (isAtOrigin ? origin : destination).LastApplicationLine("ended "), $"{end} {Log}");
        return isAtOrigin ? RecoveryOutcome.Origin : RecoveryOutcome.Destination;

        bool Lives() => _conversation.Sent >= sent && _conversation.Received >= received;
        bool HasLostItsAddress() => !_hosts.Any(HasAddress) && origin.CountAgentLines("step Origin:Done") > ends && !_hosts.Any(host => host.ClosedGates() > 0);
    }

    private async Task AssertNothingIsLeftAsync()
    {
        await Until.True(() => _hosts.All(host => host.ClosedGates() == 0), s_limit, () => $"gates {string.Join(' ', _hosts.Select(host => host.ClosedGates()))} {Log}");
        await Until.True(() => _hosts.All(host => host.OpenPasses() == 0), s_limit, () => $"passes {string.Join(' ', _hosts.Select(host => host.OpenPasses()))} {Log}");
        await Until.True(() => _hosts.Count(HasAddress) == 1, s_limit, () => $"addresses {_hosts.Count(HasAddress)} {Log}");
    }

    private async Task JudgeAsync(RecoveryOutcome outcome)
    {
        await _capture!.StopAsync();
        Assert.Equal(0, _capture.Drops);
        ConnectionReport connection = CaptureJudge.Judge(_capture.Path, new JudgeOptions { Peer = _peer.IPv4, IsStrict = true }).Connections
            .Single(one => one.HasHandshake);
        IEnumerable<Contradiction> findings = outcome == RecoveryOutcome.Ended
            ? connection.Findings.Where(finding => finding.Kind is not (ContradictionKind.Reset or ContradictionKind.UnexpectedFin))
            : connection.Findings;
        Assert.Equal([], findings.Select(finding => finding.Message));
        File.Delete(_capture.Path);
    }

    private RecoveryHost OtherThan(RecoveryHost host) => host == _hosts[0] ? _hosts[1] : _hosts[0];

    private static bool HasAddress(RecoveryHost host) =>
        host.Host.Network.Addresses.List().Any(address => address.Address == InterfaceAddress.Single(s_service.Address));

    private static string AddressOf(string name) => name == "a" ? "10.0.0.2" : "10.0.0.3";

    private static void Configure(RecoveryHost host, CertificateFiles files)
    {
        string other = host.Name == "a" ? "b" : "a";
        File.WriteAllText(host.ConfigurationPath, $$"""
            {
              "name": "{{host.Name}}",
              "interface": "eth0",
              "listen": "{{AddressOf(host.Name)}}:{{AgentPort}}",
              "certificate": { "file": "{{files.Certificate}}", "key": "{{files.Key}}", "authority": "{{files.Authority}}" },
              "destinations": { "{{other}}": { "address": "{{AddressOf(other)}}:{{AgentPort}}" } },
              "policy": [ { "origin": "{{other}}", "applications": ["stream"], "addresses": ["{{s_service.Address}}"], "ports": ["{{ServicePort}}"] } ],
              "local": { "socket": "{{host.SocketPath}}", "applications-group": "root", "operators-group": "root" },
              "journal": "{{host.JournalDirectory}}",
              "bounds": { "answer": "4s", "decision": "4s", "offer-lifetime": "8s" }
            }
            """);
    }
}
