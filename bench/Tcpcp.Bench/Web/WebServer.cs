using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.RegularExpressions;
using Tcpcp.Lab;
using Tcpcp.Linux.Processes;

namespace Tcpcp.Bench.Web;

/// <summary>A process of <see cref="WebService"/> on a host, and its clients on the same one.</summary>
internal sealed partial class WebServer : IAsyncDisposable
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(30);

    private readonly Host _host;
    private readonly IPEndPoint _endPoint;
    private readonly ChildProcess _process;
    private readonly List<Socket> _idle = [];

    private WebServer(Host host, IPEndPoint endPoint, ChildProcess process) => (_host, _endPoint, _process) = (host, endPoint, process);

    /// <param name="agentSocket">Null: without tcpcp. There need be no agent.</param>
    public static async Task<WebServer> StartAsync(Host host, int port, string? agentSocket)
    {
        IPEndPoint endPoint = new(IPAddress.Loopback, port);
        ChildProcess process = host.Start(Environment.ProcessPath!, ["web-application", $"{endPoint}", .. agentSocket is null ? Array.Empty<string>() : [agentSocket]], new ChildOptions
        {
            Environment = new Dictionary<string, string>(StringComparer.Ordinal) { ["DOTNET_gcServer"] = "1" }, // as a web application has it
        });
        WebServer server = new(host, endPoint, process);
        using CancellationTokenSource limit = new(s_limit);
        while (!await server.TryConnectAsync())
            await Task.Delay(TimeSpan.FromMilliseconds(20), limit.Token);
        return server;
    }

    /// <summary>Requests a second, by wrk over keep-alive connections.</summary>
    public async Task<double> MeasureAsync(int connections, int seconds)
    {
        await using ChildProcess wrk = _host.Start("wrk", ["-t1", $"-c{connections}", $"-d{seconds}s", $"http://{_endPoint}/"]);
        await wrk.Exit;
        string report = await wrk.Output!.Completed;
        Match rate = Rate().Match(report);
        return rate.Success && !report.Contains("errors", StringComparison.Ordinal) ? double.Parse(rate.Groups["rate"].ValueSpan, CultureInfo.InvariantCulture)
            : throw new InvalidOperationException($"{report}{wrk.ErrorOutput!.Text}{_process.Output!.Text}{_process.ErrorOutput!.Text}");
    }

    /// <summary>Connects so many clients, each of which is answered once and then idle.</summary>
    public async Task ConnectAsync(int count)
    {
        for (int i = 0; i < count; i++)
        {
            Socket socket = _host.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
            _idle.Add(socket);
            await socket.ConnectAsync(_endPoint);
            await AskAsync(socket, "/");
        }
    }

    /// <summary>What the process keeps of memory that is managed, which pooled buffers belong to.</summary>
    public async Task<double> MemoryAsync()
    {
        using Socket socket = _host.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
        await socket.ConnectAsync(_endPoint);
        string answer = await AskAsync(socket, "/memory");
        return double.Parse(Body().Match(answer).Groups["bytes"].ValueSpan, CultureInfo.InvariantCulture);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (Socket socket in _idle)
            socket.Dispose();
        await _process.DisposeAsync();
    }

    private static async Task<string> AskAsync(Socket socket, string path)
    {
        await socket.SendAsync(Encoding.ASCII.GetBytes($"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"));
        byte[] buffer = new byte[4096];
        StringBuilder answer = new();
        while (!Body().IsMatch(answer.ToString()))
        {
            int read = await socket.ReceiveAsync(buffer).WaitAsync(s_limit);
            answer.Append(read > 0 ? Encoding.ASCII.GetString(buffer, 0, read) : throw new InvalidOperationException("The server has closed a connection."));
        }

        return answer.ToString();
    }

    private async Task<bool> TryConnectAsync()
    {
        using Socket socket = _host.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
        try
        {
            await socket.ConnectAsync(_endPoint);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    [GeneratedRegex(@"Requests/sec: +(?<rate>[0-9.]+)", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Rate();

    // Chunked or not.
    [GeneratedRegex(@"\r\n\r\n([0-9a-f]+\r\n)?((?<bytes>[0-9]+)|Hello, world)(\r\n0\r\n\r\n)?$", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Body();
}
