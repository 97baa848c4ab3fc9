using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using Tcpcp.Core;
using Tcpcp.EndToEnd.Tests.Agents;
using Tcpcp.Lab;
using Tcpcp.Linux.Diagnostics;
using Tcpcp.Linux.Nftables;
using Tcpcp.Linux.Processes;

namespace Tcpcp.EndToEnd.Tests.Chaos;

/// <summary>A host of a chaos run: its agent and, unless it is the gateway, its application, to which everything may happen.</summary>
internal sealed class ChaosHost
{
    public const int Port = 8080;
    private const string Cut = "test-cut";
    private const string FakeTime = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";

    private readonly List<string> _earlier = [];
    private readonly List<int> _agents = [];
    private readonly int _seed;
    private readonly string _clock;
    private readonly IPEndPoint? _server;
    private ChildProcess? _application;
    private JournalSpace? _journal;

    /// <param name="server">Its application is a relay before that; null: one that answers itself.</param>
    public ChaosHost(LabAgent agent, int seed, bool hasClock, bool hasApplication, IPEndPoint? server = null)
    {
        (Agent, _seed, HasApplication, _server) = (agent, seed, hasApplication, server);
        string directory = Path.GetDirectoryName(agent.ConfigurationFile)!;
        (_clock, OrderFile) = (Path.Combine(directory, "clock"), Path.Combine(directory, "stop-at-verdict"));
        HasClock = hasClock && File.Exists(FakeTime);
        if (HasClock)
        {
            StepClock(TimeSpan.Zero);
            foreach ((string name, string value) in ((string, string)[])[("LD_PRELOAD", FakeTime), ("FAKETIME_TIMESTAMP_FILE", _clock), ("FAKETIME_CACHE_DURATION", "1"), ("FAKETIME_DONT_FAKE_MONOTONIC", "1")])
                agent.Environment[name] = value;
        }

        if (hasApplication)
            MountJournal();
    }

    public LabAgent Agent { get; }

    public string Name => Agent.Name;

    public bool HasApplication { get; }

    /// <summary>Its time of day can be changed.</summary>
    public bool HasClock { get; }

    /// <summary>Something happens to it just now.</summary>
    public bool IsTroubled { get; set; }

    /// <summary>It boots just now.</summary>
    public bool IsAway { get; set; }

    public ChildProcess Application => _application!;

    /// <summary>The number of the agent's process in it makes the application stop that before the next verdict, and removes the file.</summary>
    public string OrderFile { get; }

    /// <summary>What its applications said, one after the other.</summary>
    public string Said => string.Concat(_earlier) + _application?.Output!.Text + _application?.ErrorOutput!.Text;

    public async Task StartAgentAsync()
    {
        await Agent.StartAsync();
        _agents.Add(Agent.Process.Pid);
    }

    /// <summary>Ends the agent, and removes what libfaketime has left of those that were killed.</summary>
    public async Task EndAgentAsync()
    {
        await Agent.DisposeAsync();
        foreach (int agent in HasClock ? _agents : [])
        {
            File.Delete($"/dev/shm/faketime_shm_{agent}");
            File.Delete($"/dev/shm/sem.faketime_sem_{agent}");
        }
    }

    public async Task StartApplicationAsync()
    {
        if (!HasApplication)
            return;
        if (_server is { } server)
        {
            await StartRelayAsync(server);
            return;
        }

        string[] arguments = ["chaos", Agent.SocketPath, Port.ToString(CultureInfo.InvariantCulture), _seed.ToString(CultureInfo.InvariantCulture), OrderFile];
        _application = Agent.Start(Path.Combine(AppContext.BaseDirectory, "Tcpcp.PassProcess"), arguments);
        await Eventually.True(() => _application.Output!.Text.Contains("ready", StringComparison.Ordinal) || _application.Exit.IsCompleted);
        Assert.False(_application.Exit.IsCompleted, $"{Name}: the application did not start: {_application.Output!.Text}{_application.ErrorOutput!.Text}");
    }

    private async Task StartRelayAsync(IPEndPoint server)
    {
        string directory = Path.GetDirectoryName(Agent.ConfigurationFile)!;
        string file = Path.Combine(directory, "relay.json");
        await File.WriteAllTextAsync(file, new JsonObject
        {
            ["application"] = "chaos",
            ["agent"] = Agent.SocketPath,
            ["control"] = new JsonObject { ["socket"] = Path.Combine(directory, "relay.sock") },
            ["listeners"] = new JsonObject
            {
                ["chaos"] = new JsonObject { ["listen"] = new JsonArray([.. ChaosLab.Services.Select(service => JsonValue.Create($"{new IPEndPoint(service, Port)}"))]), ["pool"] = "chaos", ["keep-alive"] = "5s" },
            },
            ["pools"] = new JsonObject { ["chaos"] = new JsonObject { ["servers"] = new JsonObject { ["s1"] = new JsonObject { ["address"] = $"{server}" } } } },
        }.ToJsonString());
        _application = Agent.Start(Command.Path, ["relay", "--config", file]);
        await Eventually.True(() => _application.Output!.Text.Contains("is ready", StringComparison.Ordinal) || _application.Exit.IsCompleted);
        Assert.False(_application.Exit.IsCompleted, $"{Name}: the relay did not start: {_application.Output!.Text}{_application.ErrorOutput!.Text}");
    }

    public async Task KillApplicationAsync()
    {
        if (_application is null)
            return;
        await _application.DisposeAsync();
        _earlier.Add(_application.Output!.Text + _application.ErrorOutput!.Text);
        _application = null;
    }

    /// <summary>Connections of the service that have a socket here.</summary>
    public IReadOnlyList<ListedSocket> Sockets() => Agent.Host.Run(() =>
    {
        using SocketDiagnostics sockets = new();
        return (IReadOnlyList<ListedSocket>)[.. sockets.List().Where(socket => socket.Connection.Local.Port == Port)];
    });

    /// <inheritdoc cref="Sockets"/>
    public IReadOnlyList<FourTuple> Connections() => [.. Sockets().Select(socket => socket.Connection)];

    /// <summary>Connections of the service that are about to have a socket here: the peer may think that they have one.</summary>
    public IReadOnlyList<FourTuple> Handshakes() => Agent.Host.Run(() =>
    {
        using SocketDiagnostics sockets = new();
        return (IReadOnlyList<FourTuple>)[.. sockets.List(TcpState.SynReceived).Select(socket => socket.Connection).Where(connection => connection.Local.Port == Port)];
    });

    public bool HasAddress(IPAddress address) => Agent.Host.Network.Addresses.List().Any(assigned => assigned.Address.Address.Equals(address));

    /// <summary>The file system that its journal is on; a new and empty one after a boot.</summary>
    public JournalSpace Journal => _journal!;

    public void MountJournal() => _journal = JournalSpace.Mount(Agent);

    /// <summary>Changes a resource limit of the agent (prlimit(1)).</summary>
    /// <param name="limit">Such as <c>nofile=30:20000</c>.</param>
    public async Task LimitAgentAsync(string limit)
    {
        await using ChildProcess prlimit = Agent.Host.Start("prlimit", ["--pid", Agent.Process.Pid.ToString(CultureInfo.InvariantCulture), $"--{limit}"]);
        await prlimit.Exit; // it fails if the agent has died
    }

    /// <summary>Of the agent's descriptors; 0 if it has died.</summary>
    public int HighestDescriptor()
    {
        try
        {
            return Directory.EnumerateFileSystemEntries($"/proc/{Agent.Process.Pid}/fd").Max(path => int.Parse(Path.GetFileName(path), CultureInfo.InvariantCulture));
        }
        catch (Exception e) when (e is IOException or InvalidOperationException or UnauthorizedAccessException)
        {
            return 0;
        }
    }

    /// <summary>Of the agent's own writable memory; 0 if it has died.</summary>
    public long DataBytes()
    {
        try
        {
            string line = File.ReadLines($"/proc/{Agent.Process.Pid}/status").First(line => line.StartsWith("VmData:", StringComparison.Ordinal));
            return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2], CultureInfo.InvariantCulture) << 10;
        }
        catch (Exception e) when (e is IOException or InvalidOperationException)
        {
            return 0;
        }
    }

    /// <summary>By so much from the right time, for the agent, within a second.</summary>
    public void StepClock(TimeSpan step)
    {
        string next = _clock + ".next";
        File.WriteAllText(next, step.TotalSeconds.ToString("+0;-0", CultureInfo.InvariantCulture));
        File.Move(next, _clock, overwrite: true);
    }

    /// <summary>Nothing passes between this agent and others until it is healed.</summary>
    public void CutLinks() => Agent.Host.Run(() => LibNftables.Run($$"""
        add table inet {{Cut}}
        add chain inet {{Cut}} in { type filter hook input priority -400; }
        add chain inet {{Cut}} out { type filter hook output priority -400; }
        add rule inet {{Cut}} in tcp dport 7300 drop
        add rule inet {{Cut}} in tcp sport 7300 drop
        add rule inet {{Cut}} out tcp dport 7300 drop
        add rule inet {{Cut}} out tcp sport 7300 drop
        """));

    public void HealLinks() => Agent.Host.Run(() => LibNftables.Run($"delete table inet {Cut}"));
}
