using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Tcpcp.Check;
using Tcpcp.EndToEnd.Tests.Agents;
using Tcpcp.Lab;
using Tcpcp.Lab.Capture;
using Tcpcp.Linux.Processes;

namespace Tcpcp.EndToEnd.Tests;

/// <summary>A peer that downloads with curl from a file server on host A; host B has the same server, and what its options say of files.</summary>
internal sealed class PassedDownload : IAsyncDisposable
{
    public const int Bytes = 60_000_000;
    private const string File = "file.bin";
    private const string Service = "10.0.0.100";
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(60);

    private readonly LabNetwork _lab;
    private readonly string _directory;
    private readonly Host _peer;
    private readonly PacketCapture _capture;
    private readonly ChildProcess _curl;

    private PassedDownload(LabNetwork lab, string directory, Host peer, PassedServer a, PassedServer b)
    {
        _lab = lab;
        _directory = directory;
        _peer = peer;
        A = a;
        B = b;
        _capture = peer.StartCapture(Path.Combine(directory, "peer.pcapng"));
        _curl = peer.Start("curl", ["--silent", "--show-error", "--fail", "--output", Received, $"http://{Service}:8080/{File}"]);
    }

    public PassedServer A { get; }

    public PassedServer B { get; }

    private string Received => Path.Combine(_directory, "received.bin");

    /// <param name="certificates">Of the agents.</param>
    /// <param name="filesAtB">False: host B lacks the file, and refuses a connection that is in the middle of it.</param>
    public static async Task<PassedDownload> StartAsync(LabCertificates certificates, bool filesAtB = true, int bytesPerSecond = 20_000_000)
    {
        string directory = Directory.CreateTempSubdirectory("tcpcp-test-").FullName;
        Directory.CreateDirectory(Path.Combine(directory, "files"));
        Directory.CreateDirectory(Path.Combine(directory, "empty"));
        byte[] bytes = RandomNumberGenerator.GetBytes(Bytes);
        await System.IO.File.WriteAllBytesAsync(Path.Combine(directory, "files", File), bytes);
        LabNetwork lab = await LabNetwork.CreateAsync();
        Host peer = lab.AddHost("peer", "10.0.0.1/24");
        Host hostA = lab.AddHost("A", "10.0.0.2/24");
        Host hostB = lab.AddHost("B", "10.0.0.3/24");
        hostA.AddOwnAddress(IPAddress.Parse(Service));
        string agents = Directory.CreateDirectory(Path.Combine(directory, "agents")).FullName;
        LabAgent agentA = LabAgent.Create(hostA, LabAgent.NameA, hostB, LabAgent.NameB, AgentLab.Takeover, agents, certificates);
        LabAgent agentB = LabAgent.Create(hostB, LabAgent.NameB, hostA, LabAgent.NameA, AgentLab.Takeover, agents, certificates);
        PassedServer a = await PassedServer.StartAsync(agentA, Path.Combine(directory, "files"), bytesPerSecond);
        PassedServer b = await PassedServer.StartAsync(agentB, Path.Combine(directory, filesAtB ? "files" : "empty"), bytesPerSecond);
        return new PassedDownload(lab, directory, peer, a, b);
    }

    /// <summary>Waits until curl has written so much of the file.</summary>
    public async Task ReachAsync(double fraction)
    {
        using PeriodicTimer timer = new(TimeSpan.FromMilliseconds(2));
        using CancellationTokenSource deadline = new(s_limit);
        while (await timer.WaitForNextTickAsync(deadline.Token))
        {
            FileInfo file = new(Received);
            if (file.Exists && file.Length >= Bytes * fraction)
                return;
            Assert.False(_curl.Exit.IsCompleted, $"curl ended early: {_curl.ErrorOutput!.Text}");
        }
    }

    /// <summary>Waits for the end of the download and judges what the peer saw; the bytes must be equal.</summary>
    public async Task<CaptureReport> FinishAsync()
    {
        int exit = await _curl.Exit.WaitAsync(s_limit);
        Assert.True(exit == 0, $"curl: {exit} {_curl.ErrorOutput!.Text}");
        await _capture.StopAsync();
        Assert.Equal(0, _capture.Drops);
        Assert.Equal(
            Convert.ToHexString(SHA256.HashData(await System.IO.File.ReadAllBytesAsync(Path.Combine(_directory, "files", File)))),
            Convert.ToHexString(SHA256.HashData(await System.IO.File.ReadAllBytesAsync(Received))));
        return CaptureJudge.Judge(_capture.Path, new JudgeOptions { Peer = IPAddress.Parse("10.0.0.1"), IsStrict = true });
    }

    public async ValueTask DisposeAsync()
    {
        await A.DisposeAsync();
        await B.DisposeAsync();
        await _lab.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }
}

/// <summary>A host's agent, and a file server that is an application of it.</summary>
internal sealed class PassedServer : IAsyncDisposable
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(60);

    private readonly ChildProcess _server;

    private PassedServer(LabAgent agent, ChildProcess server) => (Agent, _server) = (agent, server);

    public LabAgent Agent { get; }

    public static async Task<PassedServer> StartAsync(LabAgent agent, string root, int bytesPerSecond)
    {
        await agent.StartAsync();
        ChildProcess server = agent.Start(
            Command.Path, ["demo-server", "--listen", "0.0.0.0:8080", "--agent", agent.SocketPath, "--root", root, "--rate", $"{bytesPerSecond}"],
            new ChildOptions { Input = ChildInput.Pipe });
        await server.Output!.WaitForAsync("\"ready\"", s_limit);
        return new PassedServer(agent, server);
    }

    /// <summary>Passes the connection and returns the outcome.</summary>
    public async Task<JsonElement> PassToAsync(string host)
    {
        int before = Outcomes.Count;
        await _server.Input!.WriteAsync(Encoding.ASCII.GetBytes($"pass {host}\n"));
        await _server.Input.FlushAsync();
        await Eventually.True(() => Outcomes.Count > before || _server.Exit.IsCompleted);
        Assert.False(_server.Exit.IsCompleted, $"the server ended: {_server.ErrorOutput!.Text}");
        return Outcomes[^1];
    }

    public async ValueTask DisposeAsync() => await Agent.DisposeAsync();

    private List<JsonElement> Outcomes =>
        [.. LabAgent.Parse(_server.Output!.Text[..(_server.Output.Text.LastIndexOf('\n') + 1)]).Where(line => line.GetProperty("event").GetString() == "passed")];
}
