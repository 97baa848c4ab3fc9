using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using Tcpcp.Check;
using Tcpcp.Core;
using Tcpcp.EndToEnd.Tests.Agents;
using Tcpcp.Lab;
using Tcpcp.Lab.Capture;
using Tcpcp.Linux.Diagnostics;

namespace Tcpcp.EndToEnd.Tests.Relays;

/// <summary>Two hosts with an agent and a relay each, clients before them and a server behind them. What the server's host sees is captured too.</summary>
internal sealed class RelayLab : IAsyncDisposable
{
    public const string Listener = "echo";
    public const string Pool = "echoes";
    private const int ServerPort = 9000;

    private readonly List<IDisposable> _servers = [];
    private PacketCapture? _capture;

    private RelayLab(AgentLab agents)
    {
        Agents = agents;
        ServerHost = agents.AddHost("server", "10.0.0.9/24", "fd00::9/64");
        A = RelayOf(agents.A);
        B = RelayOf(agents.B);
    }

    public AgentLab Agents { get; }

    public Host ServerHost { get; }

    public LabRelay A { get; }

    public LabRelay B { get; }

    /// <summary>Where clients connect to.</summary>
    public IPEndPoint Service => new(Agents.Service, AgentLab.Port);

    /// <summary>The server's address, in the family of the clients'.</summary>
    public IPAddress ServerAddress => Agents.Family == ServiceFamily.IPv6 ? ServerHost.IPv6 : ServerHost.IPv4;

    /// <param name="configure">Changes configurations before the start.</param>
    public static async Task<RelayLab> StartAsync(LabCertificates certificates, ServiceFamily family = ServiceFamily.IPv4, Action<RelayLab>? configure = null)
    {
        AgentLab agents = await AgentLab.StartAsync(certificates, family: family);
        RelayLab lab = new(agents);
        try
        {
            lab._capture = lab.ServerHost.StartCapture(Path.Combine(agents.DirectoryPath, "server.pcapng"));
            configure?.Invoke(lab);
            await Task.WhenAll(lab.A.StartAsync(), lab.B.StartAsync());
            await agents.UntilMetAsync();
            return lab;
        }
        catch
        {
            await lab.DisposeAsync();
            throw;
        }
    }

    /// <summary>With an echo server.</summary>
    public static Task<RelayLab> StartWithEchoAsync(LabCertificates certificates, ServiceFamily family = ServiceFamily.IPv4, Action<RelayLab>? configure = null) =>
        StartAsync(certificates, family, lab =>
        {
            IPEndPoint server = new(lab.ServerAddress, ServerPort);
            lab._servers.Add(LabServer.Start(lab.ServerHost, server));
            lab.Serve(server);
            configure?.Invoke(lab);
        });

    /// <summary>Both relays connect clients to that server.</summary>
    public void Serve(IPEndPoint server)
    {
        foreach (LabRelay relay in (LabRelay[])[A, B])
        {
            relay.AddPool(Pool, server);
            relay.Listen(Listener, Pool, Service);
        }
    }

    /// <summary>Passes all sessions of one relay to the other one.</summary>
    /// <returns>What became of each.</returns>
    public Task<IReadOnlyList<JsonElement>> DrainAsync(LabRelay from, int exitCode = 0) => DrainAsync(from, takesAddresses: false, exitCode);

    /// <summary>The same, and perhaps their addresses.</summary>
    public async Task<IReadOnlyList<JsonElement>> DrainAsync(LabRelay from, bool takesAddresses, int exitCode = 0)
    {
        string[] addresses = takesAddresses ? ["--take-addresses", "--agent", (from == A ? Agents.A : Agents.B).SocketPath] : [];
        IReadOnlyList<JsonElement> reports = await from.JsonAsync(exitCode, ["drain", "--to", from == A ? LabAgent.NameB : LabAgent.NameA, .. addresses]);
        if (exitCode == 0)
            Assert.All(reports, report => Assert.Equal(("None", "Destination"), (report.GetProperty("failure").GetString(), report.GetProperty("owner").GetString())));
        return reports;
    }

    /// <summary>Drains there and back, both times with so many sessions.</summary>
    public async Task ThereAndBackAsync(int sessions)
    {
        Assert.Equal(sessions, (await DrainAsync(A)).Count);
        await Eventually.True(async () => await B.SessionsAsync(Listener) == sessions && await A.SessionsAsync(Listener) == 0);
        Assert.Equal(sessions, (await DrainAsync(B)).Count);
        await Eventually.True(async () => await A.SessionsAsync(Listener) == sessions && await B.SessionsAsync(Listener) == 0);
    }

    /// <summary>Returns when a program listens at that port of the server's host.</summary>
    public Task UntilListeningAsync(int port) => Eventually.True(() => ServerHost.Run(() =>
    {
        using SocketDiagnostics sockets = new();
        return sockets.List(TcpState.Listen).Any(socket => socket.Connection.Local.Port == port);
    }));

    /// <summary>Ends the conversations: what was sent has come back, and neither the clients nor the server have noticed anything.</summary>
    public async Task FinishAsync()
    {
        await Agents.FinishAsync();
        AgentLab.AssertClean(await JudgeServerAsync());
    }

    /// <summary>What the server's host saw.</summary>
    public async Task<IReadOnlyList<ConnectionReport>> JudgeServerAsync(bool dscpMayChange = false)
    {
        await _capture!.StopAsync();
        Assert.Equal(0, _capture.Drops);
        CaptureReport report = CaptureJudge.Judge(_capture.Path, new JudgeOptions { Peer = ServerAddress, IsStrict = true, DscpMayChange = dscpMayChange });
        Assert.Equal([], report.Holes);
        return report.Connections;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (IDisposable server in _servers)
            server.Dispose();
        await A.DisposeAsync();
        await B.DisposeAsync();
        await Agents.DisposeAsync();
    }

    private static LabRelay RelayOf(LabAgent agent) => new(agent.Host, Path.GetDirectoryName(agent.SocketPath)!, agent.SocketPath);
}
