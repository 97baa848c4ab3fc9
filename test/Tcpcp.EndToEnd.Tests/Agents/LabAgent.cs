using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Tcpcp.Client;
using Tcpcp.Core;
using Tcpcp.Lab;
using Tcpcp.Linux.Diagnostics;
using Tcpcp.Linux.Nftables;
using Tcpcp.Linux.Processes;
using Tcpcp.Linux.Switching;

namespace Tcpcp.EndToEnd.Tests.Agents;

/// <summary>A host of a lab and its <c>tcpcp agent</c>, a process that is configured by a file and says to systemd when it is ready.</summary>
internal sealed class LabAgent : IAsyncDisposable
{
    public const string NameA = "host-a";
    public const string NameB = "host-b";
    public const string NameC = "host-c";
    public const string NameGateway = "gateway";

    /// <summary>Group of the programs that may pass connections: nobody's, and root may anyway.</summary>
    public const string ApplicationsGroup = "54322";

    private const int SIGTERM = 15; // signal.h

    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(60);

    private readonly string _directory;
    private readonly List<ChildProcess> _programs = [];
    private readonly List<string> _earlierLogs = [];
    private ChildProcess? _process;

    private LabAgent(Host host, string name, string directory, JsonObject configuration) =>
        (Host, Name, _directory, Configuration) = (host, name, directory, configuration);

    /// <summary>A new one after a boot.</summary>
    public Host Host { get; set; }

    public string Name { get; }

    /// <summary>What is written to the file at the next start.</summary>
    public JsonObject Configuration { get; }

    public string SocketPath => Path.Combine(_directory, "agent.sock");

    public string JournalDirectory => Path.Combine(_directory, "journal");

    public string ConfigurationFile => Path.Combine(_directory, "agent.json");

    /// <summary>Variables of the agent's environment at the next start.</summary>
    public Dictionary<string, string> Environment { get; } = new(StringComparer.Ordinal);

    /// <summary>The agent that runs now.</summary>
    public ChildProcess Process => _process!;

    public bool IsRunning => _process is not null;

    /// <summary>What it and those before it have logged.</summary>
    public string Log => string.Concat(_earlierLogs) + _process?.Output!.Text + _process?.ErrorOutput!.Text;

    /// <param name="directory">On a memory file system.</param>
    public static LabAgent Create(Host host, string name, Host other, string otherName, string redirection, string directory, LabCertificates certificates)
    {
        LabAgent agent = Create(host, name, redirection, directory, certificates);
        agent.Meet(other, otherName);
        return agent;
    }

    /// <summary>An agent that knows no other.</summary>
    /// <inheritdoc cref="Create(Host, string, Host, string, string, string, LabCertificates)"/>
    public static LabAgent Create(Host host, string name, string redirection, string directory, LabCertificates certificates) =>
        new(host, name, Directory.CreateDirectory(Path.Combine(directory, name)).FullName, new JsonObject
        {
            ["name"] = name,
            ["interface"] = Host.InterfaceName,
            ["listen"] = $"{host.IPv4}:7300",
            ["certificate"] = new JsonObject { ["file"] = certificates.FileOf(name), ["key"] = certificates.KeyOf(name), ["authority"] = certificates.Authority },
            ["destinations"] = new JsonObject(),
            ["policy"] = new JsonArray(),
            ["redirection"] = redirection,
            ["packet-switch"] = System.Environment.GetEnvironmentVariable("TCPCP_TEST_SWITCH") ?? "auto",
            ["hold"] = System.Environment.GetEnvironmentVariable("TCPCP_TEST_HOLD") ?? "auto",
            ["local"] = new JsonObject
            {
                ["socket"] = Path.Combine(directory, name, "agent.sock"), ["applications-group"] = ApplicationsGroup, ["operators-group"] = "root",
            },
            ["journal"] = Path.Combine(directory, name, "journal"),
            ["bounds"] = new JsonObject // for a machine that does much else
            {
                ["offer-lifetime"] = "60s", ["answer"] = "20s", ["decision"] = "20s", ["hold"] = "30s", ["resolve-longest"] = "200ms",
            },
            ["log-level"] = "debug",
        });

    /// <summary>An agent that moves packets for other hosts.</summary>
    /// <param name="role">What it is, with its section.</param>
    public static LabAgent CreateRedirector(Host host, string name, string role, JsonObject section, string directory, LabCertificates certificates) =>
        new(host, name, Directory.CreateDirectory(Path.Combine(directory, name)).FullName, new JsonObject
        {
            ["name"] = name,
            ["role"] = role,
            ["interface"] = Host.InterfaceName,
            ["listen"] = $"{host.IPv4}:7300",
            ["certificate"] = new JsonObject { ["file"] = certificates.FileOf(name), ["key"] = certificates.KeyOf(name), ["authority"] = certificates.Authority },
            [role] = section,
            ["bounds"] = new JsonObject { ["resolve-longest"] = "200ms" },
            ["log-level"] = "debug",
        });

    /// <summary>From its next start on it passes connections to another agent, and takes those that come from there.</summary>
    /// <param name="byTunnel">Packets go through a tunnel to there.</param>
    public void Meet(Host other, string name, bool byTunnel = false)
    {
        Configuration["destinations"]![name] = new JsonObject
        {
            ["address"] = $"{other.IPv4}:7300", ["packets"] = new JsonArray([.. other.Addresses.Select(address => JsonValue.Create($"{address}"))]),
        };
        if (byTunnel)
            Configuration["destinations"]![name]!["tunnel"] = "vxlan";
        Configuration["policy"]!.AsArray().Add(new JsonObject
        {
            ["origin"] = name, ["applications"] = new JsonArray("*"), ["addresses"] = new JsonArray("*"), ["ports"] = new JsonArray("*"),
        });
    }

    /// <summary>Starts the agent when the one before, which may be dying yet, is gone; and returns when it is ready.</summary>
    public async Task StartAsync()
    {
        await Eventually.True(() => !IsRunning);
        await File.WriteAllTextAsync(ConfigurationFile, Configuration.ToJsonString());
        string notifications = Path.Combine(_directory, "notify.sock");
        File.Delete(notifications);
        using Socket systemd = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        systemd.Bind(new UnixDomainSocketEndPoint(notifications));
        Environment["NOTIFY_SOCKET"] = notifications;
        _process = StartProcess(Command.Path, ["agent", "--config", ConfigurationFile], new ChildOptions { Environment = Environment });
        await UntilReadyAsync(systemd, _process);
    }

    /// <summary>Kills it, as kill -9 does.</summary>
    public async Task KillAsync()
    {
        await Process.DisposeAsync();
        _earlierLogs.Add(Log[_earlierLogs.Sum(log => log.Length)..]);
        _process = null;
    }

    /// <summary>Stops it, as systemd does.</summary>
    /// <returns>Its exit code.</returns>
    public async Task<int> StopAsync()
    {
        Process.Signal(SIGTERM);
        int exitCode = await Process.Exit.WaitAsync(s_limit);
        await KillAsync();
        return exitCode;
    }

    /// <summary>Starts a program on the host. It dies with the thread that started it, however that ends.</summary>
    public ChildProcess Start(string program, IReadOnlyList<string> arguments, ChildOptions? options = null)
    {
        ChildProcess process = StartProcess(program, arguments, options);
        _programs.Add(process);
        return process;
    }

    /// <summary>Returns when a program listens at the service's port.</summary>
    public Task UntilListeningAsync(ChildProcess program) => Eventually.True(() => program.Exit.IsCompleted
        ? throw new InvalidOperationException($"It has ended: {program.Output!.Text}{program.ErrorOutput!.Text}")
        : Host.Run(() =>
        {
            using SocketDiagnostics sockets = new();
            return sockets.List(TcpState.Listen).Any(socket => socket.Connection.Local.Port == AgentLab.Port);
        }));

    /// <summary>Runs a command of tcpcp that speaks with this agent.</summary>
    public async Task<(int ExitCode, string Output, string Error)> RunAsync(params string[] arguments)
    {
        await using ChildProcess process = StartCommand(arguments);
        int exitCode = await process.Exit.WaitAsync(s_limit);
        return (exitCode, await process.Output!.Completed.WaitAsync(s_limit), await process.ErrorOutput!.Completed.WaitAsync(s_limit));
    }

    /// <summary>Starts such a command; it is the caller's.</summary>
    public ChildProcess StartCommand(params string[] arguments) => StartProcess(Command.Path, [.. arguments, "--agent", SocketPath]);

    /// <summary>Runs such a command with --json: each line of its output is an object.</summary>
    public async Task<IReadOnlyList<JsonElement>> JsonAsync(int exitCode, params string[] arguments)
    {
        (int actual, string output, string error) = await RunAsync([.. arguments, "--json"]);
        Assert.True(actual == exitCode, $"{actual}: {output}{error}{Log}");
        return Parse(output);
    }

    public static IReadOnlyList<JsonElement> Parse(string lines) =>
        [.. lines.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement)];

    public async Task<AgentStatus> StatusAsync()
    {
        await using AgentClient client = await AgentClient.ConnectAsync(new AgentClientOptions { Path = SocketPath });
        return await client.GetStatusAsync();
    }

    public async Task<IReadOnlyList<OpenPass>> OpenPassesAsync(bool inDoubtOnly = false)
    {
        await using AgentClient client = await AgentClient.ConnectAsync(new AgentClientOptions { Path = SocketPath });
        return await client.ListPassesAsync(inDoubtOnly);
    }

    /// <summary>Passes a connection; returns when the other host alone has it.</summary>
    public async Task PassAsync(FourTuple connection, LabAgent to)
    {
        await Eventually.True(() => Owns(connection));
        (int exitCode, string output, string error) = await RunAsync("pass", $"{connection}", "--to", to.Name);
        Assert.True(exitCode == 0, output + error + Log + to.Log);
        await Eventually.True(() => to.Owns(connection) && !Owns(connection));
    }

    /// <summary>Whether a program of this host has a live connection of that name.</summary>
    public bool Owns(FourTuple connection) => Host.Run(() =>
    {
        using SocketDiagnostics sockets = new();
        return sockets.Find(connection) is { State: TcpState.Established, Inode: not 0 };
    });

    /// <summary>In what state this host has a connection, if it has it.</summary>
    public TcpState? StateOf(FourTuple connection) => Host.Run(() =>
    {
        using SocketDiagnostics sockets = new();
        return sockets.Find(connection)?.State;
    });

    /// <summary>Connections whose packets this host sends on to another one.</summary>
    public IReadOnlyList<FourTuple> Forwarded => Host.Run(() =>
        (IReadOnlyList<FourTuple>)[.. (PacketSwitch.Find(SwitchPlace.Forward)?.Entries ?? []).Select(one => one.Entry.Connection)]);

    /// <summary>Connections of this host that are behind the gate.</summary>
    public IReadOnlyList<FourTuple> Gated => Host.Run(() =>
    {
        using SetElements elements = new();
        return elements.List(new FourTupleSet(FourTupleSet.NFPROTO_INET, "tcpcp", "closed")) ?? [];
    });

    /// <summary>How many these are.</summary>
    public int ClosedGates => Gated.Count;

    public async ValueTask DisposeAsync()
    {
        foreach (ChildProcess program in _programs)
            await program.DisposeAsync();
        if (_process is not null)
            await KillAsync();
    }

    // With the process numbers of this process, which are those of /proc on the host.
    private ChildProcess StartProcess(string program, IReadOnlyList<string> arguments, ChildOptions? options = null) =>
        ChildProcess.Start("setpriv", ["--pdeathsig", "KILL", program, .. arguments], options, Host.Thread);

    /// <summary>Returns when a program has told systemd, which is that socket, that it is ready.</summary>
    public static async Task UntilReadyAsync(Socket systemd, ChildProcess process)
    {
        byte[] datagram = new byte[4096];
        while (true)
        {
            Task<int> said = systemd.ReceiveAsync(datagram);
            if (await Task.WhenAny(said, process.Exit).WaitAsync(s_limit) != said)
                throw new InvalidOperationException($"It has ended with {await process.Exit}: {process.Output!.Text}{process.ErrorOutput!.Text}");
            if (Encoding.UTF8.GetString(datagram, 0, await said).Split('\n').Contains("READY=1"))
                return;
        }
    }
}
