using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Nodes;
using Tcpcp.EndToEnd.Tests.Agents;
using Tcpcp.Lab;
using Tcpcp.Linux.Processes;

namespace Tcpcp.EndToEnd.Tests.Relays;

/// <summary><c>tcpcp relay</c> on a host of a lab: a process that is configured by a file and says to systemd when it is ready.</summary>
internal sealed class LabRelay : IAsyncDisposable
{
    private const int SIGHUP = 1; // signal.h
    private const int SIGTERM = 15;

    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(60);

    private readonly Host _host;
    private readonly string _directory;
    private ChildProcess? _process;

    /// <param name="directory">On a memory file system, for its files.</param>
    /// <param name="agentSocket">Of the host's agent; null: it has none.</param>
    public LabRelay(Host host, string directory, string? agentSocket)
    {
        (_host, _directory) = (host, directory);
        Configuration = new JsonObject
        {
            ["agent"] = agentSocket ?? "none",
            ["control"] = new JsonObject { ["socket"] = ControlPath },
            ["listeners"] = new JsonObject(),
            ["pools"] = new JsonObject(),
        };
    }

    /// <summary>What is written to its file when it is started, or told to read it again.</summary>
    public JsonObject Configuration { get; }

    public string Log => _process!.Output!.Text + _process.ErrorOutput!.Text;

    public Host Host => _host;

    public int Pid => _process!.Pid;

    /// <summary>Where commands reach it.</summary>
    public string ControlPath => Path.Combine(_directory, "relay.sock");

    private string ConfigurationFile => Path.Combine(_directory, "relay.json");

    /// <summary>Adds a listener; settings of its own may be added to what is returned.</summary>
    public JsonObject Listen(string name, string pool, params IEnumerable<IPEndPoint> addresses)
    {
        JsonObject listener = new() { ["listen"] = new JsonArray([.. addresses.Select(address => JsonValue.Create($"{address}"))]), ["pool"] = pool };
        Configuration["listeners"]![name] = listener;
        return listener;
    }

    /// <summary>Adds a pool with servers s1, s2 and so on; settings of its own may be added to what is returned.</summary>
    public JsonObject AddPool(string name, params IReadOnlyList<IPEndPoint> servers)
    {
        JsonObject pool = new() { ["servers"] = new JsonObject([.. servers.Select((one, i) => KeyValuePair.Create<string, JsonNode?>($"s{i + 1}", new JsonObject { ["address"] = $"{one}" }))]) };
        Configuration["pools"]![name] = pool;
        return pool;
    }

    public async Task StartAsync()
    {
        await File.WriteAllTextAsync(ConfigurationFile, Configuration.ToJsonString());
        string notifications = Path.Combine(_directory, "relay-notify.sock");
        File.Delete(notifications);
        using Socket systemd = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        systemd.Bind(new UnixDomainSocketEndPoint(notifications));
        Dictionary<string, string> environment = new(StringComparer.Ordinal) { ["NOTIFY_SOCKET"] = notifications };
        // Among the lab's processes, which all end with it: also those that take its place.
        _process = _host.Start(Command.Path, ["relay", "--config", ConfigurationFile], new ChildOptions { Environment = environment });
        await LabAgent.UntilReadyAsync(systemd, _process);
    }

    /// <summary>Lets it read its configuration as it is now.</summary>
    public async Task ReloadAsync()
    {
        string before = Log;
        await File.WriteAllTextAsync(ConfigurationFile, Configuration.ToJsonString());
        _process!.Signal(SIGHUP);
        await Eventually.True(() => Log[before.Length..].Contains("The configuration was", StringComparison.Ordinal));
    }

    /// <summary>Gives it another file, which counts when it reads it.</summary>
    public Task WriteAsync(string configuration) => File.WriteAllTextAsync(ConfigurationFile, configuration);

    /// <summary>Writes its file as it is to be, and puts a new process in its place.</summary>
    /// <returns>What the command says. The lab ends the new process.</returns>
    public async Task<JsonElement> UpgradeAsync()
    {
        await File.WriteAllTextAsync(ConfigurationFile, Configuration.ToJsonString());
        return Assert.Single(await JsonAsync(0, "upgrade"));
    }

    /// <summary>Returns when the process that was started first has ended, and its exit code.</summary>
    public Task<int> FirstEndedAsync() => _process!.Exit.WaitAsync(s_limit);

    /// <summary>Stops it, as systemd does.</summary>
    public async Task<int> StopAsync()
    {
        _process!.Signal(SIGTERM);
        return await _process.Exit.WaitAsync(s_limit);
    }

    /// <summary>Returns when its log has that.</summary>
    public Task UntilLoggedAsync(string text) => Eventually.True(() => Log.Contains(text, StringComparison.Ordinal), $"the relay logs '{text}'");

    /// <summary>Runs a command of <c>tcpcp relay</c>.</summary>
    public Task<(int ExitCode, string Output, string Error)> RunAsync(params string[] arguments) => Command.RunAsync(["relay", .. arguments, "--control", ControlPath]);

    /// <summary>Runs such a command with --json: each line of its output is an object.</summary>
    public async Task<IReadOnlyList<JsonElement>> JsonAsync(int exitCode, params string[] arguments)
    {
        (int actual, string output, string error) = await RunAsync([.. arguments, "--json"]);
        Assert.True(actual == exitCode, $"{actual}: {output}{error}{Log}");
        return LabAgent.Parse(output);
    }

    /// <summary>A figure of the status.</summary>
    /// <param name="kind">listener or server.</param>
    public async Task<JsonElement> RowAsync(string kind, string name) => (await JsonAsync(0, "status"))
        .Single(row => row.GetProperty("kind").GetString() == kind && row.GetProperty("name").GetString() == name);

    /// <summary>Open sessions of a listener.</summary>
    public async Task<int> SessionsAsync(string listener) => (await RowAsync("listener", listener)).GetProperty("sessions").GetInt32();

    public async ValueTask DisposeAsync()
    {
        if (_process is not null)
            await _process.DisposeAsync();
    }
}
