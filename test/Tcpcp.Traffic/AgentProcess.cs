using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Nodes;
using Tcpcp.Client;
using Tcpcp.Lab;
using Tcpcp.Linux.Processes;

namespace Tcpcp.Traffic;

/// <summary>One host's agent: the program, with a configuration and a certificate as an operator makes them.</summary>
internal sealed class AgentProcess : IAsyncDisposable
{
    private const int SIGTERM = 15; // signal.h
    private const int Port = 7300;

    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(30);

    private readonly string _tcpcp;
    private readonly string _directory;
    private readonly Host _host;
    private ChildProcess? _process;
    private ChildProcess? _application;
    private AgentClient? _operator;

    /// <param name="directory">On a memory file system; the authority's files are in it.</param>
    private AgentProcess(string tcpcp, string directory, Host host)
    {
        (_tcpcp, _directory, _host) = (tcpcp, directory, host);
        Configuration = new JsonObject
        {
            ["name"] = Name,
            ["interface"] = Host.InterfaceName,
            ["listen"] = $"{host.IPv4}:{Port}",
            ["certificate"] = new JsonObject { ["file"] = $"{Files}/{Name}.pem", ["key"] = $"{Files}/{Name}.key", ["authority"] = $"{Files}/authority.pem" },
            ["journal"] = $"{Files}/journal",
        };
    }

    public Host Host => _host;

    /// <summary>What is written to its file when it is started.</summary>
    public JsonObject Configuration { get; }

    public string Name => _host.Name;

    /// <summary>From the start of its process until it says that it is ready (sd_notify).</summary>
    public TimeSpan ReadyAfter { get; private set; }

    /// <summary>Whether it writes down the steps of its passes.</summary>
    public bool TellsSteps { get; set; }

    /// <summary>The steps so far, as lines of JSON.</summary>
    public IEnumerable<string> Steps => File.ReadLines(Path.Combine(_directory, $"{Name}.log")).Where(line => line.StartsWith('{'));

    /// <summary>An operator's connection to it.</summary>
    public AgentClient Operator => _operator ?? throw new InvalidOperationException("The agent is not running.");

    /// <summary>Path of the socket that its programs speak to it by.</summary>
    public string LocalSocket => Path.Combine(_directory, $"{Name}.sock");

    /// <param name="other">The host that it exchanges connections with.</param>
    /// <param name="applications">Names that it takes connections for.</param>
    public static async Task<AgentProcess> ConfigureAsync(string tcpcp, string directory, Host host, Host other, string serviceAddress, params string[] applications)
    {
        AgentProcess agent = await CertifyAsync(tcpcp, directory, host);
        agent.Configuration["destinations"] = new JsonObject { [other.Name] = Described(other) };
        agent.Configuration["policy"] = new JsonArray(new JsonObject
        {
            ["origin"] = other.Name,
            ["applications"] = new JsonArray([.. applications.Select(name => JsonValue.Create(name))]),
            ["addresses"] = new JsonArray(serviceAddress),
            ["ports"] = new JsonArray("*"),
        });
        agent.Configuration["redirection"] = "forward";
        agent.Configuration["local"] = new JsonObject { ["socket"] = agent.LocalSocket, ["applications-group"] = "root" };
        return agent;
    }

    /// <summary>An agent that moves packets for other hosts.</summary>
    /// <param name="role">What it is, with its section.</param>
    public static async Task<AgentProcess> ConfigureRedirectorAsync(string tcpcp, string directory, Host host, string role, JsonObject section)
    {
        AgentProcess agent = await CertifyAsync(tcpcp, directory, host);
        (agent.Configuration["role"], agent.Configuration[role]) = (role, section);
        return agent;
    }

    /// <summary>How another agent's file names a host.</summary>
    public static JsonObject Described(Host host) => new()
    {
        ["address"] = $"{host.IPv4}:{Port}", ["packets"] = new JsonArray([.. host.Addresses.Select(address => JsonValue.Create($"{address}"))]),
    };

    private static async Task<AgentProcess> CertifyAsync(string tcpcp, string directory, Host host)
    {
        AgentProcess agent = new(tcpcp, directory, host);
        await agent.RunAsync("cert", "host", host.Name, "--authority", directory, "--out", agent.Files);
        return agent;
    }

    public async Task StartAsync()
    {
        await File.WriteAllTextAsync(ConfigurationFile, Configuration.ToJsonString());
        string path = Path.Combine(_directory, $"{Name}.notify");
        File.Delete(path);
        using Socket notify = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        notify.Bind(new UnixDomainSocketEndPoint(path));
        notify.ReceiveTimeout = (int)s_limit.TotalMilliseconds;
        ChildOutput log = ChildOutput.ToFile(Path.Combine(_directory, $"{Name}.log"));
        string[] events = TellsSteps ? ["--events"] : [];
        long started = Stopwatch.GetTimestamp();
        _process = _host.Start(_tcpcp, ["agent", "--config", ConfigurationFile, .. events], new ChildOptions
        {
            Environment = new Dictionary<string, string>(StringComparer.Ordinal) { ["NOTIFY_SOCKET"] = path },
            Output = log,
        });
        notify.Receive(new byte[64]); // READY=1
        ReadyAfter = Stopwatch.GetElapsedTime(started);
    }

    public async Task StopAsync()
    {
        if (_operator is not null)
            await _operator.DisposeAsync();
        _process!.Signal(SIGTERM);
        await _process.Exit.WaitAsync(s_limit);
        await _process.DisposeAsync();
        (_process, _operator) = (null, null);
    }

    /// <summary>Starts the application and waits until the agent has it and reaches the other agent.</summary>
    /// <param name="application">The program's word for it.</param>
    /// <param name="program">Its path; null: this one.</param>
    public async Task ServeAsync(string application, int port, string? program = null)
    {
        _application = _host.Start(program ?? Environment.ProcessPath!, [application, $"0.0.0.0:{port}", LocalSocket], new ChildOptions
        {
            Environment = new Dictionary<string, string>(StringComparer.Ordinal) { ["DOTNET_TieredPGO"] = "0", ["DOTNET_ThreadPool_UnfairSemaphoreSpinLimit"] = "0" }, // it is compiled for speed once, and not measured meanwhile
        });
        await UntilServedAsync();
    }

    /// <summary>Returns when the agent has an application and reaches the other agent.</summary>
    public async Task UntilServedAsync()
    {
        _operator = await AgentClient.ConnectAsync(new AgentClientOptions { Path = LocalSocket });
        long started = Stopwatch.GetTimestamp();
        while (await _operator.GetStatusAsync() is not { Applications.Count: > 0, Destinations: [{ IsConnected: true }] })
        {
            if (Stopwatch.GetElapsedTime(started) > s_limit)
                throw new TimeoutException($"{Name} has no application or no link. {Log()}");
            await Task.Delay(TimeSpan.FromMilliseconds(10));
        }
    }

    /// <summary>Round trip of an empty call to the other agent, over the connection that passes use.</summary>
    public async Task<TimeSpan> CallAsync() =>
        (await Operator.GetStatusAsync()).Destinations[0].RoundTrip ?? throw new InvalidOperationException($"{Name} got no answer to an empty call.");

    /// <summary>Passes all connections of the application, by the command that an operator types.</summary>
    /// <param name="application">A name of the application.</param>
    /// <returns>The time of the command, and the blackouts that it reports.</returns>
    public async Task<(TimeSpan Time, List<double> BlackoutMicroseconds)> DrainAsync(string to, string application, int connections)
    {
        long started = Stopwatch.GetTimestamp();
        await using ChildProcess drain = _host.Start(_tcpcp, ["drain", "--to", to, "--app", application, "--json", "--agent", LocalSocket]);
        int exitCode = await drain.Exit;
        TimeSpan time = Stopwatch.GetElapsedTime(started);
        string[] lines = (await drain.Output!.Completed).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        if (exitCode != 0 || lines.Length != connections)
        {
            string[] failures = [.. lines.Where(line => !line.Contains("\"failure\":\"None\"", StringComparison.Ordinal)).Take(5)];
            throw new InvalidOperationException($"tcpcp drain ended with {exitCode} and {lines.Length} lines: {drain.ErrorOutput!.Text} {string.Join('\n', failures)} {Log()}");
        }

        return (time, [.. lines.Select(line => JsonDocument.Parse(line).RootElement.GetProperty("blackout_us").GetDouble())]);
    }

    /// <summary>Passes the only connection of the application.</summary>
    /// <exception cref="InvalidOperationException">It was not passed.</exception>
    public async Task PassAsync(string to, string application)
    {
        DrainOrder order = new() { Destinations = [to], Applications = [application] };
        await foreach (DrainProgress progress in Operator.DrainAsync(order))
        {
            if (!progress.Result.Succeeded)
                throw new InvalidOperationException($"{progress.Connection} was not passed from {Name}: {progress.Result} {Log()}");
            return;
        }

        throw new InvalidOperationException($"{Name} had nothing to pass. {Log()}");
    }

    /// <summary>Process number of the agent.</summary>
    public int Pid => _process!.Pid;

    /// <summary>Process number of the application.</summary>
    public int ApplicationPid => _application!.Pid;

    /// <summary>Size of the journal's files.</summary>
    public long JournalBytes => Directory.EnumerateFiles(Path.Combine(Files, "journal")).Sum(file => new FileInfo(file).Length);

    /// <summary>Processor time of the agent and of the application so far, their own and the kernel's on their behalf, in microseconds.</summary>
    public (double Agent, double Application) ProcessorTime => (TimeOf(_process!), TimeOf(_application!));

    private static double TimeOf(ChildProcess process)
    {
        using Process found = Process.GetProcessById(process.Pid);
        return found.TotalProcessorTime.TotalMicroseconds;
    }

    /// <param name="field">VmRSS (resident now) or VmHWM (its highest).</param>
    public double MemoryMegabytes(string field)
    {
        string line = File.ReadLines($"/proc/{_process!.Pid}/status").First(line => line.StartsWith(field + ":", StringComparison.Ordinal));
        return double.Parse(line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) * 1024 / 1e6; // the kernel's kB are KiB
    }

    public async ValueTask DisposeAsync()
    {
        if (_operator is not null)
            await _operator.DisposeAsync();
        foreach (ChildProcess process in new[] { _application, _process }.OfType<ChildProcess>())
            await process.DisposeAsync();
    }

    private string Files => Path.Combine(_directory, Name);

    private string ConfigurationFile => Path.Combine(_directory, $"{Name}.json");

    /// <summary>The last lines that it has written.</summary>
    public string Log() => string.Join('\n', File.ReadLines(Path.Combine(_directory, $"{Name}.log")).TakeLast(5)) + _process?.ErrorOutput!.Text;

    private Task RunAsync(params string[] arguments) => RunAsync(_tcpcp, arguments);

    public static async Task RunAsync(string program, IReadOnlyList<string> arguments)
    {
        await using ChildProcess process = ChildProcess.Start(program, arguments);
        if (await process.Exit != 0)
            throw new InvalidOperationException($"{program} {string.Join(' ', arguments)} failed: {process.ErrorOutput!.Text}");
    }
}
