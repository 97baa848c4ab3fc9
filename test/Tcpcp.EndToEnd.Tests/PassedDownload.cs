using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Tcpcp.Check;
using Tcpcp.Lab;
using Tcpcp.Lab.Capture;
using Tcpcp.Linux.Netlink;
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

    private PassedDownload(LabNetwork lab, string directory, Host peer, ChildProcess a, ChildProcess b)
    {
        _lab = lab;
        _directory = directory;
        _peer = peer;
        A = a;
        B = b;
        _capture = peer.StartCapture(Path.Combine(directory, "peer.pcapng"));
        _curl = peer.Start("curl", ["--silent", "--show-error", "--fail", "--output", Received, $"http://{Service}:8080/{File}"]);
    }

    public ChildProcess A { get; }

    public ChildProcess B { get; }

    private string Received => Path.Combine(_directory, "received.bin");

    /// <param name="filesAtB">False: host B lacks the file, and refuses a connection that is in the middle of it.</param>
    public static async Task<PassedDownload> StartAsync(bool filesAtB = true, int bytesPerSecond = 20_000_000)
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
        hostA.Network.Addresses.Add(hostA.Network.Links.Get(Host.InterfaceName).Index, InterfaceAddress.Parse(Service));
        ChildProcess a = await ServeAsync(hostA, Path.Combine(directory, "files"), bytesPerSecond);
        ChildProcess b = await ServeAsync(hostB, Path.Combine(directory, filesAtB ? "files" : "empty"), bytesPerSecond);
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

    /// <summary>Passes the connection and returns the outcome.</summary>
    public static async Task<JsonElement> PassAsync(ChildProcess from, string to)
    {
        int before = Outcomes(from).Count;
        await from.Input!.WriteAsync(Encoding.ASCII.GetBytes($"pass {to}:7300\n"));
        await from.Input.FlushAsync();
        using PeriodicTimer timer = new(TimeSpan.FromMilliseconds(5));
        using CancellationTokenSource deadline = new(s_limit);
        while (await timer.WaitForNextTickAsync(deadline.Token))
        {
            if (Outcomes(from) is { } outcomes && outcomes.Count > before)
                return outcomes[^1];
            Assert.False(from.Exit.IsCompleted, $"the server ended: {from.ErrorOutput!.Text}");
        }

        throw new TimeoutException();
    }

    /// <summary>Steps that a server has reported.</summary>
    public static IReadOnlyList<string> Steps(ChildProcess server) =>
        [.. Lines(server).Where(line => line.TryGetProperty("action", out _)).Select(line => line.GetProperty("action").GetString()!)];

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
        await _lab.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    private static async Task<ChildProcess> ServeAsync(Host host, string root, int bytesPerSecond)
    {
        ChildProcess server = host.Start(
            Command.Path,
            ["demo-server", "--listen", "0.0.0.0:8080", "--agent", $"{host.IPv4}:7300", "--root", root, "--rate", $"{bytesPerSecond}"],
            new ChildOptions { Input = ChildInput.Pipe });
        await server.Output!.WaitForAsync("\"ready\"", s_limit);
        return server;
    }

    private static List<JsonElement> Outcomes(ChildProcess server) =>
        [.. Lines(server).Where(line => line.GetProperty("event").GetString() == "passed")];

    private static IEnumerable<JsonElement> Lines(ChildProcess server) =>
        server.Output!.Text.Split('\n').Where(line => line.EndsWith('}')).Select(line => JsonDocument.Parse(line).RootElement);
}
