using System.Globalization;
using System.Net;
using System.Text;
using Tcpcp.Agent.Tests.Conversations;
using Tcpcp.Check;
using Tcpcp.Gate;
using Tcpcp.Lab;
using Tcpcp.Lab.Capture;
using Tcpcp.Linux.Netlink;
using Tcpcp.Linux.Nftables;
using Tcpcp.Linux.Processes;

namespace Tcpcp.Agent.Tests.Local;

/// <summary>
/// A peer that has a conversation with an application on host A; host B has the same application. Each host has an agent, and agent and application are
/// processes of their own. What the peer sees is captured.
/// </summary>
internal sealed class ApplicationLab : IAsyncDisposable
{
    public const string A = "A";
    public const string B = "B";

    private const int BytesPerSecond = 4_000_000;
    private const int AgentPort = 7300;
    private const string Python = "/usr/bin/python3"; // of the system: other users can reach it
    private const string User = "54321";
    private const string Group = "54322";

    private static readonly IPEndPoint s_service = new(IPAddress.Parse("10.0.0.100"), 8080);
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(60);

    private readonly LabNetwork _lab;
    private readonly string _directory;
    private readonly Host _peer;
    private readonly PacketCapture _capture;
    private readonly Dictionary<string, Host> _hosts = [];
    private readonly Dictionary<string, ChildProcess> _agents = [];
    private readonly Dictionary<string, ChildProcess> _applications = [];
    private Conversation? _conversation;

    private ApplicationLab(LabNetwork lab, string directory)
    {
        (_lab, _directory) = (lab, directory);
        _peer = lab.AddHost("peer", "10.0.0.1/24");
        _hosts[A] = lab.AddHost(A, AddressOf(A) + "/24");
        _hosts[B] = lab.AddHost(B, AddressOf(B) + "/24");
        _hosts[A].Network.Addresses.Add(_hosts[A].Network.Links.Get(Host.InterfaceName).Index, InterfaceAddress.Single(s_service.Address));
        _capture = _peer.StartCapture(Path.Combine(directory, "peer.pcapng"));
    }

    public Conversation Conversation => _conversation!;

    /// <summary>With both agents running.</summary>
    public static async Task<ApplicationLab> CreateAsync()
    {
        ApplicationLab lab = new(await LabNetwork.CreateAsync(), Directory.CreateDirectory($"/dev/shm/tcpcp-test-{Guid.NewGuid():N}").FullName);
        try
        {
            await lab.StartAgentAsync(A, B);
            await lab.StartAgentAsync(B, A);
            return lab;
        }
        catch
        {
            await lab.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts the library's application.</summary>
    /// <param name="killAt">Where it kills itself.</param>
    public Task StartApplicationAsync(string host, string? killAt = null)
    {
        List<string> arguments = ["application", SocketOf(host), $"0.0.0.0:{s_service.Port}", BytesPerSecond.ToString(CultureInfo.InvariantCulture)];
        if (killAt is not null)
            arguments.Add(killAt);
        return StartAsync(_applications, host, PassProgram, arguments);
    }

    /// <summary>Starts the Python sample as a user without any capability, in the applications' group.</summary>
    public async Task StartPythonEchoAsync(string host)
    {
        foreach (string file in new[] { "tcpcp_client.py", "echo.py" })
            File.Copy(Path.Combine(AppContext.BaseDirectory, "python", file), Path.Combine(_directory, file), overwrite: true);
        await StartAsync(_applications, host, "setpriv",
        [
            "--reuid", User, "--regid", Group, "--clear-groups", "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs",
            Python, "-B", Path.Combine(_directory, "echo.py"), SocketOf(host), "0.0.0.0", s_service.Port.ToString(CultureInfo.InvariantCulture),
        ]);
    }

    /// <summary>Starts the library's smallest sample, an echo server.</summary>
    public async Task StartEchoAsync(string host)
    {
        await StartAsync(_applications, host, Path.Combine(AppContext.BaseDirectory, "passing-echo"), [$"0.0.0.0:{s_service.Port}", SocketOf(host)], readyLine: null);
        await Until.True(() => _agents[host].Output!.Text.Contains("local Registered passing-echo echo", StringComparison.Ordinal), s_limit, Log);
    }

    public async Task ConverseAsync(bool isEchoed = false)
    {
        _conversation = Conversation.Start(_peer, s_service, BytesPerSecond, isEchoed);
        await _conversation.ProgressAsync(500_000);
    }

    /// <summary>Orders the application at one host to pass what it has to another.</summary>
    public async Task OrderPassAsync(string from, string to)
    {
        await _applications[from].Input!.WriteAsync(Encoding.ASCII.GetBytes($"pass {to}\n"));
        await _applications[from].Input!.FlushAsync();
    }

    /// <summary>The agent at one host wants an application's connections to leave.</summary>
    public async Task WantAsync(string from, string application, string to)
    {
        await _agents[from].Input!.WriteAsync(Encoding.ASCII.GetBytes($"want {application} {to}\n"));
        await _agents[from].Input!.FlushAsync();
    }

    /// <returns>Failure and owner, as the application was told, such as <c>None Destination</c>.</returns>
    public Task<string> OutcomeAsync(string from, int number = 0) => OutcomeAsync(_applications[from], number);

    /// <returns>Failure and owner of what was wanted, as the agent was told.</returns>
    public Task<string> WantedOutcomeAsync(string from, int number = 0) => OutcomeAsync(_agents[from], number);

    public async Task DiesAsync(string host) => Assert.True(await _applications[host].Exit.WaitAsync(s_limit) == 128 + 9, Log());

    /// <summary>The peer closes its side, every byte has arrived, and it noticed nothing.</summary>
    public async Task FinishAsync()
    {
        await Conversation.ProgressAsync(500_000);
        await Conversation.FinishAsync();
        Assert.True(Conversation.End is "", $"{Conversation} {Log()}");
        await AssertNothingIsLeftAsync();
        foreach (ConnectionReport connection in await JudgeAsync())
        {
            Assert.Equal([], connection.Findings.Select(finding => finding.Message));
            Assert.Equal((0, 0), (connection.ServiceResets, connection.UnexpectedFins));
        }
    }

    /// <summary>The peer has heard by FIN or RST that it is over, and saw nothing wrong before.</summary>
    public async Task AssertEndedAsync()
    {
        await Until.True(() => Conversation.End is not null, s_limit, () => $"{Conversation} {Log()}");
        Assert.True(Conversation.End is "" or "ConnectionReset", $"{Conversation}");
        await AssertNothingIsLeftAsync();
        foreach (ConnectionReport connection in await JudgeAsync())
        {
            Assert.Equal([], connection.Findings
                .Where(finding => finding.Kind is not (ContradictionKind.Reset or ContradictionKind.UnexpectedFin)).Select(finding => finding.Message));
        }
    }

    /// <summary>How many sockets a host's agent has open: those of the network that no pass leaves behind.</summary>
    public int SocketsOfAgent(string host) => Directory.EnumerateFiles($"/proc/{_agents[host].Pid}/fd")
        .Count(file => new FileInfo(file).LinkTarget is { } target && target.StartsWith("socket:", StringComparison.Ordinal));

    public async ValueTask DisposeAsync()
    {
        _conversation?.Dispose();
        foreach (ChildProcess process in _applications.Values.Concat(_agents.Values))
            await process.DisposeAsync();
        await _capture.DisposeAsync();
        await _lab.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    public string Log() => string.Join('\n', _agents.Concat(_applications).Select(one => $"{one.Key}: {one.Value.Output!.Text}{one.Value.ErrorOutput!.Text}"));

    private async Task<string> OutcomeAsync(ChildProcess process, int number)
    {
        string line = "";
        await Until.True(() => (line = Lines(process, "passed ").ElementAtOrDefault(number) ?? "").Length > 0, s_limit, Log);
        return string.Join(' ', line.Split(' ')[1..3]);
    }

    private static string PassProgram => Path.Combine(AppContext.BaseDirectory, "Tcpcp.PassProcess");

    private static string AddressOf(string host) => host == A ? "10.0.0.2" : "10.0.0.3";

    private string SocketOf(string host) => Path.Combine(_directory, $"{host}.sock");

    private Task StartAgentAsync(string host, string other) => StartAsync(_agents, host, PassProgram,
    [
        "agent", host, $"{AddressOf(host)}:{AgentPort}", Path.Combine(_directory, $"{host}.journal"), SocketOf(host), Group, $"{other}={AddressOf(other)}:{AgentPort}",
    ]);

    private async Task StartAsync(Dictionary<string, ChildProcess> processes, string host, string program, IReadOnlyList<string> arguments, string? readyLine = "ready")
    {
        ChildProcess process = _hosts[host].Start(program, arguments, new ChildOptions { Input = ChildInput.Pipe });
        processes[host] = process;
        if (readyLine is not null)
            await Until.True(() => Lines(process, readyLine).Any(), s_limit, () => process.Output!.Text + process.ErrorOutput!.Text);
    }

    private async Task AssertNothingIsLeftAsync() =>
        await Until.True(() => ClosedGates(A) + ClosedGates(B) == 0, s_limit, () => $"gates A {ClosedGates(A)} B {ClosedGates(B)} {Log()}");

    private async Task<IReadOnlyList<ConnectionReport>> JudgeAsync()
    {
        await _capture.StopAsync();
        Assert.Equal(0, _capture.Drops);
        return CaptureJudge.Judge(_capture.Path, new JudgeOptions { Peer = _peer.IPv4, IsStrict = true }).Connections;
    }

    private int ClosedGates(string host) => _hosts[host].Run(() =>
    {
        using SetElements elements = new();
        return ConnectionGate.ListClosed(elements)?.Count ?? 0;
    });

    private static IEnumerable<string> Lines(ChildProcess process, string beginning) =>
        process.Output!.Text.Split('\n')[..^1].Where(line => line.StartsWith(beginning, StringComparison.Ordinal)); // the last may still grow
}
