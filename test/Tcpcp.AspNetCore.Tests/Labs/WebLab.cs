using System.Net;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Tcpcp.Core;
using Tcpcp.EndToEnd.Tests;
using Tcpcp.EndToEnd.Tests.Agents;
using Tcpcp.Linux.Diagnostics;
using Tcpcp.Linux.Processes;

namespace Tcpcp.AspNetCore.Tests.Labs;

/// <summary>Two hosts with an agent and the same web application each, behind one address, and a peer that is a client.</summary>
internal sealed class WebLab : IAsyncDisposable
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(60);

    private readonly List<WebApplicationHost> _applications = [];
    private readonly List<ChildProcess> _processes = [];
    private string _name = WebApplicationHost.Name;

    private WebLab(AgentLab agents) => Agents = agents;

    public AgentLab Agents { get; }

    public WebApplicationHost A => _applications[0];

    public WebApplicationHost B => _applications[1];

    public Uri Address => new($"http://{Agents.Service}:{AgentLab.Port}");

    /// <summary>With an application of this process on each host.</summary>
    /// <param name="contentRoot">Of the application with that number.</param>
    public static async Task<WebLab> StartAsync(LabCertificates certificates, Action<WebApplication, string> map, Func<AgentLab, int, string>? contentRoot = null,
        Action<TcpcpOptions>? configureA = null, Action<IServiceCollection>? configureServices = null)
    {
        WebLab lab = new(await AgentLab.StartAsync(certificates));
        try
        {
            for (int i = 0; i < lab.Agents.Agents.Count; i++)
            {
                LabAgent agent = lab.Agents.Agents[i];
                lab._applications.Add(await WebApplicationHost.StartAsync(agent, app => map(app, agent.Name), contentRoot?.Invoke(lab.Agents, i), i == 0 ? configureA : null, configureServices));
            }

            await lab.Agents.UntilMetAsync();
            return lab;
        }
        catch
        {
            await lab.DisposeAsync();
            throw;
        }
    }

    /// <summary>With a sample of that project as a process on each host.</summary>
    /// <param name="arguments">Of the program, for a host.</param>
    public static async Task<WebLab> StartSampleAsync(LabCertificates certificates, string project, string program, Func<AgentLab, LabAgent, IReadOnlyList<string>> arguments)
    {
        WebLab lab = new(await AgentLab.StartAsync(certificates)) { _name = program };
        try
        {
            string configuration = Path.GetFileName(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory));
            string path = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "..", "..", project, configuration, program));
            foreach (LabAgent agent in lab.Agents.Agents)
            {
                ChildProcess process = agent.Start(path, ["--urls", $"http://*:{AgentLab.Port}", "--Tcpcp:AgentSocket", agent.SocketPath, "--Logging:LogLevel:Default", "Warning",
                    "--Logging:LogLevel:Tcpcp", "Debug", .. arguments(lab.Agents, agent)]);
                lab._processes.Add(process);
                await agent.UntilListeningAsync(process);
            }

            await lab.Agents.UntilMetAsync();
            return lab;
        }
        catch
        {
            await lab.DisposeAsync();
            throw;
        }
    }

    /// <summary>A sample's process.</summary>
    public ChildProcess ProgramOf(LabAgent agent) => _processes[Agents.Agents.ToList().IndexOf(agent)];

    /// <summary>What the samples and the agents have logged.</summary>
    public string Log => string.Concat(_processes.Select(process => process.Output!.Text + process.ErrorOutput!.Text)) + string.Concat(Agents.Agents.Select(agent => agent.Log));

    /// <summary>Passes all connections of a host to the other one by the command.</summary>
    /// <returns>What became of each.</returns>
    public async Task<IReadOnlyList<JsonElement>> DrainAsync(LabAgent from, int exitCode = 0)
    {
        (int actual, string output, string error) = await from.RunAsync("drain", "--to", from == Agents.A ? LabAgent.NameB : LabAgent.NameA, "--app", _name, "--json");
        Assert.True(actual == exitCode, $"{actual}: {output}{error}{Log}");
        return LabAgent.Parse(output);
    }

    /// <summary>Drains one host after the other, so many times in all; each time so many connections move. What has come to the agent there may not yet be the application's.</summary>
    public async Task BackAndForthAsync(int times, int connections)
    {
        for (int i = 0; i < times; i++)
        {
            LabAgent from = Agents.Agents[i % 2], to = Agents.Agents[(i + 1) % 2];
            HashSet<string> moved = [];
            await Eventually.True(async () =>
            {
                IReadOnlyList<JsonElement> outcomes = LabAgent.Parse((await from.RunAsync("drain", "--to", to.Name, "--app", _name, "--json")).Output);
                foreach (JsonElement outcome in outcomes.Where(one => one.GetProperty("connection").ValueKind != JsonValueKind.Null))
                {
                    Assert.True(outcome.GetProperty("owner").GetString() == "Destination", $"{outcome} {Log}");
                    moved.Add(outcome.GetProperty("connection").GetString()!);
                }

                return moved.Count == connections;
            });
        }
    }

    /// <summary>Returns when a host has so many of the service's connections.</summary>
    public static Task UntilConnectedAsync(LabAgent agent, int count, int port = AgentLab.Port) => Eventually.True(() => count == agent.Host.Run(() =>
    {
        using SocketDiagnostics sockets = new();
        return sockets.List(TcpState.Established).Count(one => one.Connection.Local.Port == port && one.Inode != 0);
    }));

    /// <summary>Starts a program as the peer.</summary>
    public ChildProcess StartClient(string program, params IReadOnlyList<string> arguments) => Agents.Peer.Start(program, arguments);

    /// <summary>What a program that succeeds prints.</summary>
    public async Task<string> OutputAsync(ChildProcess process)
    {
        int exitCode = await process.Exit.WaitAsync(s_limit);
        string output = await process.Output!.Completed.WaitAsync(s_limit);
        Assert.True(exitCode == 0, $"{exitCode}: {output}{process.ErrorOutput!.Text}{Log}");
        return output;
    }

    /// <summary>Connects the peer.</summary>
    public async Task<TextConversation> ConnectAsync(int port = AgentLab.Port)
    {
        Socket socket = Agents.Peer.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true });
        await socket.ConnectAsync(new IPEndPoint(Agents.Service, port)).WaitAsync(s_limit);
        return new TextConversation(socket);
    }

    /// <summary>A client of .NET at the peer.</summary>
    public SocketsHttpHandler CreateHandler() => new()
    {
        ConnectCallback = async (context, cancellationToken) =>
        {
            Socket socket = Agents.Peer.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true });
            await socket.ConnectAsync(context.DnsEndPoint, cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        },
        SslOptions = { RemoteCertificateValidationCallback = (_, certificate, _, _) => certificate?.Subject == WebApplicationHost.CertificateSubject }, // each application makes its own
    };

    /// <summary>Opens a WebSocket of the peer.</summary>
    /// <param name="isDeflated">It offers permessage-deflate.</param>
    public async Task<ClientWebSocket> ConnectWebSocketAsync(string path, string? subProtocol = null, bool isDeflated = false)
    {
        ClientWebSocket client = new();
        if (subProtocol is not null)
            client.Options.AddSubProtocol(subProtocol);
        if (isDeflated)
            client.Options.DangerousDeflateOptions = new WebSocketDeflateOptions();
        using HttpMessageInvoker invoker = new(CreateHandler(), disposeHandler: false); // the connection is its
        await client.ConnectAsync(new UriBuilder(Address) { Scheme = "ws", Path = path }.Uri, invoker, default).WaitAsync(s_limit);
        return client;
    }

    /// <summary>Nothing is left of a pass, and what the peer saw contradicts nothing.</summary>
    public async Task AssertNothingWasNoticedAsync()
    {
        await Agents.AssertNothingIsLeftAsync();
        AgentLab.AssertClean(await Agents.JudgeAsync());
    }

    public async ValueTask DisposeAsync()
    {
        foreach (WebApplicationHost application in _applications)
            await application.DisposeAsync();
        await Agents.DisposeAsync();
    }
}

/// <summary>A client's connection that is written and read by hand.</summary>
internal sealed class TextConversation(Socket socket) : IDisposable
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(30);

    private readonly StringBuilder _read = new();

    public Socket Socket => socket;

    public async Task WriteAsync(string text)
    {
        for (ReadOnlyMemory<byte> bytes = Encoding.Latin1.GetBytes(text); bytes.Length > 0;)
            bytes = bytes[await socket.SendAsync(bytes)..];
    }

    /// <summary>Reads until that has come.</summary>
    /// <returns>All up to its end, which is not returned again.</returns>
    public async Task<string> ReadToAsync(string text)
    {
        byte[] buffer = new byte[64 << 10];
        for (int seen = 0; ;)
        {
            int index = _read.ToString(seen, _read.Length - seen).IndexOf(text, StringComparison.Ordinal);
            if (index >= 0)
            {
                string all = _read.ToString(0, seen + index + text.Length);
                _read.Remove(0, all.Length);
                return all;
            }

            seen = Math.Max(0, _read.Length - text.Length);
            int read = await socket.ReceiveAsync(buffer).WaitAsync(s_limit);
            Assert.True(read > 0, $"The connection has ended after '{_read}'.");
            _read.Append(Encoding.Latin1.GetString(buffer, 0, read));
        }
    }

    public void Dispose() => socket.Dispose();
}
