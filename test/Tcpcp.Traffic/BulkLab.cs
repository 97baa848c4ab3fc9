using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Tcpcp.Check;
using Tcpcp.Client;
using Tcpcp.Core;
using Tcpcp.Lab;
using Tcpcp.Lab.Capture;
using Tcpcp.Linux.Netlink;

namespace Tcpcp.Traffic;

/// <summary>
/// A peer, two hosts with an agent and a bulk application each, and what one mechanism needs to move the packets between them. One connection flows in both directions, its ends
/// know every byte, and it is passed there and back. What the peer sees is captured.
/// </summary>
internal sealed class BulkLab : IAsyncDisposable
{
    private const int Port = 7000;
    private const double ProgressSeconds = 0.07; // longer than what a pass disturbs
    private const long MaxProgressBytes = 4_000_000;

    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(30);

    private readonly LabNetwork _lab;
    private readonly Mechanism _mechanism;
    private readonly IPAddress _service;
    private readonly string _directory = Directory.CreateDirectory($"/dev/shm/tcpcp-bulk-{Guid.NewGuid():N}").FullName;
    private readonly List<BulkHost> _hosts = [];
    private AgentProcess? _redirector;
    private PacketCapture? _capture;
    private BulkFlow? _flow;
    private long _sentProgress;
    private long _receivedProgress;

    private BulkLab(LabNetwork lab, Mechanism mechanism, bool ipv6)
    {
        (_lab, _mechanism) = (lab, mechanism);
        _service = IPAddress.Parse(ipv6 ? "fd00::100" : "10.0.0.100");
        Peer = lab.AddHost("peer", "10.0.0.1/24", "fd00::1/64");
    }

    public Host Peer { get; }

    /// <summary>The peer's end.</summary>
    public BulkFlow Flow => _flow!;

    /// <summary>As the service's host names it.</summary>
    public FourTuple Connection { get; private set; }

    /// <summary>The host that has the connection.</summary>
    public BulkHost Owner => _hosts.Single(host => host.Application.FlowOf(Connection) is not null);

    /// <summary>The other one.</summary>
    public BulkHost Other => _hosts.Single(host => host.Application.FlowOf(Connection) is null);

    /// <summary>Starts everything, and connects the peer.</summary>
    /// <param name="tcpcp">Path of the program.</param>
    /// <param name="options">What is not as by default.</param>
    public static async Task<BulkLab> StartAsync(string tcpcp, Mechanism mechanism, bool ipv6, BulkOptions? options = null)
    {
        BulkLab lab = new(await LabNetwork.CreateAsync(), mechanism, ipv6);
        try
        {
            options ??= new BulkOptions();
            await lab.StartAgentsAsync(tcpcp, options);
            await lab.ConnectAsync(options);
            return lab;
        }
        catch
        {
            await lab.DisposeAsync();
            throw;
        }
    }

    /// <summary>Passes the connection to the other host; returns when it flows there.</summary>
    /// <param name="pause">How long it stands still between freeze and activation at least.</param>
    public async Task<BulkPass> PassAsync(TimeSpan pause = default)
    {
        (BulkHost from, BulkHost to) = (Owner, Other);
        to.Application.Examination = pause;
        BulkWatch watch = new([Peer, from.Host, to.Host], Flow.Socket);
        DrainProgress outcome = await DrainAsync(from, to);
        to.Application.Examination = TimeSpan.Zero;
        if (!outcome.Result.Succeeded)
            throw new InvalidOperationException($"{outcome.Connection} was not passed: {outcome.Result}\n{Logs()}");
        await ProgressAsync();
        return watch.End(outcome.Blackout);
    }

    /// <summary>Tries to pass the connection where it is refused after the divert; returns when it flows as before.</summary>
    /// <returns>Also what the agents say of it.</returns>
    /// <exception cref="InvalidOperationException">It is not as before.</exception>
    public async Task<(BulkPass Pass, PassResult Result)> RefuseAsync(BulkRefusal refusal)
    {
        (BulkHost from, BulkHost to) = (Owner, Other);
        IReadOnlyList<string>[] rules = [.. _hosts.Select(host => host.ListRules())];
        IDisposable? name = null;
        if (refusal == BulkRefusal.ByApplication)
            to.Application.Objection = "not now";
        else
            from.Application.Quiescing = () => name = to.TakeName(Connection);
        BulkWatch watch = new([Peer, from.Host, to.Host], Flow.Socket);
        DrainProgress outcome = await DrainAsync(from, to);
        (to.Application.Objection, from.Application.Quiescing) = (null, null);
        name?.Dispose();
        if (outcome.Result.Succeeded)
            throw new InvalidOperationException($"It was not refused: {outcome.Result}\n{Logs()}");
        await UntilAsync(() => from.Application.FlowOf(Connection) is not null, "The application does not go on");
        await ProgressAsync();
        await UntilAsBeforeAsync(from, rules);
        return (watch.End(blackout: null), outcome.Result);
    }

    /// <summary>Returns when both ends, as far as they send, have sent and received for some time more.</summary>
    /// <exception cref="InvalidOperationException">A byte was wrong, or the connection has ended.</exception>
    public async Task ProgressAsync()
    {
        (long sent, long received) = (Flow.Sent, Flow.Received);
        await UntilAsync(() => Flow.Sent >= sent + _sentProgress && Flow.Received >= received + _receivedProgress, "The connection does not flow");
    }

    /// <summary>Both ends stop sending; returns when each has received all that the other has sent.</summary>
    public async Task EndAsync()
    {
        BulkFlow service = Owner.Application.FlowOf(Connection)!;
        Flow.SendsNoMore = service.SendsNoMore = true;
        await UntilAsync(() => service.Received == Flow.Sent && Flow.Received == service.Sent, "Bytes were lost");
    }

    /// <summary>The same where it is captured.</summary>
    /// <returns>What the peer saw.</returns>
    public async Task<ConnectionReport> FinishAsync()
    {
        await EndAsync();
        await _capture!.StopAsync();
        CaptureReport report = CaptureJudge.Judge(_capture.Path, new JudgeOptions { Peer = Connection.Peer.Address, IsStrict = true });
        if (_capture.Drops > 0 || report.Holes.Count > 0)
            throw new InvalidOperationException($"The capture lacks frames: {string.Join(' ', report.Holes)}");
        return report.Connections.Single(one => one.Connection == Connection);
    }

    public async ValueTask DisposeAsync()
    {
        _flow?.Dispose();
        foreach (BulkHost host in _hosts)
            await host.Application.DisposeAsync();
        foreach (AgentProcess agent in _hosts.Select(host => host.Agent).Append(_redirector).OfType<AgentProcess>())
            await agent.DisposeAsync();
        await _lab.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    private async Task StartAgentsAsync(string tcpcp, BulkOptions options)
    {
        Host[] hosts = [.. ((string[])["host-a", "host-b"]).Select((name, number) => _lab.AddHost(name, $"10.0.0.{number + 2}/24", $"fd00::{number + 2}/64"))];
        await AgentProcess.RunAsync(tcpcp, ["cert", "authority", "--out", _directory]);
        AgentProcess[] agents = await Task.WhenAll(hosts.Select((host, number) =>
            AgentProcess.ConfigureAsync(tcpcp, _directory, host, hosts[1 - number], $"{_service}", BulkApplication.Name)));
        foreach (AgentProcess agent in agents)
        {
            agent.Configuration["redirection"] = RedirectionOf(_mechanism);
            agent.Configuration["congestion"] = options.Congestion;
            agent.Configuration["bounds"] = Bounds();
        }

        foreach (Host host in hosts.Where(_ => options.Algorithm is not null))
            host.Run(() => Sysctl.Write("net/ipv4/tcp_congestion_control", options.Algorithm!));
        _redirector = await MakePathAsync(tcpcp, hosts);
        foreach (AgentProcess agent in agents.Where(_ => _redirector is not null))
            agent.Configuration["redirectors"] = new JsonObject { [_redirector!.Name] = new JsonObject { ["address"] = $"{_redirector.Host.IPv4}:7300" } };
        await Task.WhenAll(agents.Append(_redirector).OfType<AgentProcess>().Select(agent => Task.Run(agent.StartAsync)));
        foreach (AgentProcess agent in agents)
        {
            IPEndPoint listen = new(_service.AddressFamily == AddressFamily.InterNetworkV6 ? IPAddress.IPv6Any : IPAddress.Any, Port);
            _hosts.Add(new BulkHost(agent, await BulkApplication.StartAsync(agent.Host, listen, agent.LocalSocket, options.ServiceBytesPerSecond)));
            await agent.UntilServedAsync();
        }

        if (_mechanism == Mechanism.Gateway)
            await UntilAsync(() => _redirector!.Log().Contains("All backends have named their connections", StringComparison.Ordinal), "The gateway does not know its backends");
    }

    // For a machine that does much else.
    private static JsonObject Bounds() => new() { ["offer-lifetime"] = "60s", ["answer"] = "20s", ["decision"] = "20s", ["hold"] = "30s", ["resolve-longest"] = "200ms" };

    /// <summary>The mechanism's name in an agent's file.</summary>
    public static string RedirectionOf(Mechanism mechanism) => mechanism switch
    {
        Mechanism.Takeover => "takeover",
        Mechanism.Forward => "forward",
        Mechanism.Gateway => "gateway",
        _ => "peer-route",
    };

    // What the peer's packets need to come to a host; and whose agent moves them, if it is not one of the hosts'.
    private async Task<AgentProcess?> MakePathAsync(string tcpcp, Host[] hosts)
    {
        if (_mechanism is Mechanism.Takeover or Mechanism.Forward)
        {
            hosts[0].AddOwnAddress(_service);
            return null;
        }

        foreach (Host host in hosts)
            host.AddSilentAddress(_service);
        if (_mechanism == Mechanism.Gateway)
        {
            return await AgentProcess.ConfigureRedirectorAsync(tcpcp, _directory, _lab.AddHost("gateway", "10.0.0.9/24", "fd00::9/64"), "gateway", new JsonObject
            {
                ["services"] = new JsonArray(new JsonObject { ["addresses"] = new JsonArray($"{_service}"), ["ports"] = new JsonArray($"{Port}") }),
                ["backends"] = new JsonObject(hosts.Select(host => KeyValuePair.Create<string, JsonNode?>(host.Name, AgentProcess.Described(host)))),
            });
        }

        Peer.Network.Routes.Add(Route.Via(InterfaceAddress.Single(_service), AddressOf(hosts[0])));
        return await AgentProcess.ConfigureRedirectorAsync(tcpcp, _directory, Peer, "peer-route", new JsonObject
        {
            ["hosts"] = new JsonObject(hosts.Select(host => KeyValuePair.Create<string, JsonNode?>(host.Name, new JsonObject
            {
                ["next-hops"] = new JsonArray($"{host.IPv4}", $"{host.IPv6}"), ["addresses"] = new JsonArray($"{_service}"),
            }))),
        });
    }

    private async Task ConnectAsync(BulkOptions options)
    {
        string file = Path.Combine(_directory, "peer.pcapng");
        if (options.Path is { } path)
            Peer.MoveFarAway(path);
        if (options.IsCaptured)
            _capture = options.Path is null ? Peer.StartCapture(file) : Peer.StartCaptureBeyondPath(file);
        Socket socket = Peer.Run(() =>
        {
            Socket connected = new(_service.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            options.Prepare?.Invoke(connected);
            connected.Connect(new IPEndPoint(_service, Port));
            return connected;
        });
        Connection = new FourTuple((IPEndPoint)socket.RemoteEndPoint!, (IPEndPoint)socket.LocalEndPoint!);
        _flow = new BulkFlow(socket, options.PeerBytesPerSecond);
        await UntilAsync(() => _hosts.Exists(host => host.Application.FlowOf(Connection) is not null), "The connection was not accepted");
        (_sentProgress, _receivedProgress) = (ProgressOf(options.PeerBytesPerSecond), ProgressOf(options.ServiceBytesPerSecond));
        await ProgressAsync();
    }

    private static long ProgressOf(double bytesPerSecond) => (long)Math.Min(bytesPerSecond * ProgressSeconds, MaxProgressBytes);

    private static async Task<DrainProgress> DrainAsync(BulkHost from, BulkHost to)
    {
        DrainOrder order = new() { Destinations = [to.Name], Applications = [BulkApplication.Name] };
        await foreach (DrainProgress progress in from.Agent.Operator.DrainAsync(order))
            return progress;
        throw new InvalidOperationException($"{from.Name} had nothing to pass.");
    }

    private async Task UntilAsBeforeAsync(BulkHost owner, IReadOnlyList<string>[] rules)
    {
        foreach ((BulkHost host, IReadOnlyList<string> before) in _hosts.Zip(rules))
        {
            await UntilAsync(async () => host.ListRules().SequenceEqual(before) && (await host.Agent.Operator.ListPassesAsync()).Count == 0,
                () => $"{host.Name} has {string.Join(", ", host.ListRules())} and had {string.Join(", ", before)}");
        }

        if (FindPath() is var path && path != AddressOf(owner.Host).ToString())
            throw new InvalidOperationException($"The peer's packets go to {path}, and the connection is at {owner.Name}.");
    }

    // Where the mechanism sends the peer's packets, but for forward, whose entries are rules of a host.
    private string FindPath() => new BulkPath(Peer, [.. _hosts.Select(host => host.Host)], _redirector?.Host, _service).Find(_mechanism, Connection, Owner.Host);

    private IPAddress AddressOf(Host host) => _service.AddressFamily == AddressFamily.InterNetworkV6 ? host.IPv6 : host.IPv4;

    private Task UntilAsync(Func<bool> condition, string otherwise) => UntilAsync(() => Task.FromResult(condition()), () => otherwise);

    private async Task UntilAsync(Func<Task<bool>> condition, Func<string> otherwise)
    {
        using PeriodicTimer timer = new(TimeSpan.FromMilliseconds(1));
        long started = Environment.TickCount64;
        while (!await condition())
        {
            if ((_flow?.Fault ?? _hosts.Select(host => host.Application.FlowOf(Connection)?.Fault).FirstOrDefault(fault => fault is not null)) is { } fault)
                throw new InvalidOperationException($"{fault}\n{Logs()}");
            if (Environment.TickCount64 - started > s_limit.TotalMilliseconds)
                throw new TimeoutException($"{otherwise()} (not within {s_limit.TotalSeconds} s).\n{Logs()}");
            await timer.WaitForNextTickAsync();
        }
    }

    private string Logs() => string.Join('\n', _hosts.Select(host => host.Agent).Append(_redirector).OfType<AgentProcess>().Select(agent => $"{agent.Name}: {agent.Log()}"));
}
