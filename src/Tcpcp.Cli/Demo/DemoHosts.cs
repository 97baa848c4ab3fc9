using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Tcpcp.Cli.Agents;
using Tcpcp.Lab;
using Tcpcp.Linux.Processes;
using Tcpcp.Samples.FileServer;

namespace Tcpcp.Cli.Demo;

/// <summary>The hosts of the demo: a peer with curl, and two with an agent, the same files and a file server. The service address is at one of the two.</summary>
internal sealed class DemoHosts : IAsyncDisposable
{
    /// <summary>The hidden command that runs the file server.</summary>
    public const string ServerCommand = "demo-server";

    private const int ServicePort = 8080;

    private static readonly IPAddress s_serviceAddress = IPAddress.Parse("10.0.0.100");
    private static readonly IPAddress s_serviceAddressIPv6 = IPAddress.Parse("fd00::100");
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);

    private readonly LabNetwork _lab;
    private readonly IPAddress _serviceAddress;

    private DemoHosts(LabNetwork lab, Host peer, DemoServer[] servers, IPAddress serviceAddress)
    {
        _lab = lab;
        _serviceAddress = serviceAddress;
        Peer = peer;
        Servers = servers;
    }

    public Host Peer { get; }

    /// <summary>First the one that has the service address at the start.</summary>
    public IReadOnlyList<DemoServer> Servers { get; }

    /// <summary>The peer's address, of the family that the demo is about.</summary>
    public IPAddress PeerAddress => AddressOf(Peer, _serviceAddress.AddressFamily == AddressFamily.InterNetworkV6);

    public Uri UrlOf(string file) => new($"http://{new IPEndPoint(_serviceAddress, ServicePort)}/{file}");

    /// <param name="files">Where the servers' files are, and the agents' configuration goes.</param>
    public static async Task<DemoHosts> CreateAsync(DemoFiles files, DemoOptions options)
    {
        LabNetwork lab = await LabNetwork.CreateAsync();
        try
        {
            Host peer = lab.AddHost("peer", "10.0.0.1/24", "fd00::1/64");
            Host a = lab.AddHost("host-a", "10.0.0.2/24", "fd00::2/64");
            Host b = lab.AddHost("host-b", "10.0.0.3/24", "fd00::3/64");
            DemoAgents agents = DemoAgents.Create(files.Agents, [a, b], options.IPv6 ? s_serviceAddressIPv6 : s_serviceAddress, ServicePort);
            DemoServer[] servers = [await StartAsync(a, agents, files.Root, options), await StartAsync(b, agents, files.Root, options)];
            IPAddress service = options.IPv6 ? s_serviceAddressIPv6 : s_serviceAddress;
            servers[0].Host.AddOwnAddress(service);
            if (options.LossPercent > 0)
            {
                peer.SetLoss(options.LossPercent, LossDirection.Ingress);
                peer.SetLoss(options.LossPercent, LossDirection.Egress);
            }

            return new DemoHosts(lab, peer, servers, service);
        }
        catch
        {
            await lab.DisposeAsync();
            throw;
        }
    }

    public ValueTask DisposeAsync() => _lab.DisposeAsync();

    private static IPAddress AddressOf(Host host, bool ipv6) => ipv6 ? host.IPv6 : host.IPv4;

    private static async Task<DemoServer> StartAsync(Host host, DemoAgents agents, string root, DemoOptions options)
    {
        IPEndPoint listen = new(options.IPv6 ? IPAddress.IPv6Any : IPAddress.Any, ServicePort);
        List<string> arguments = [ServerCommand, "--listen", $"{listen}", "--root", root];
        if (options.Upload)
            arguments.Add("--allow-uploads");
        else if (options.BytesPerSecond is { } rate)
            arguments.AddRange(["--rate", rate.ToString(CultureInfo.InvariantCulture)]);
        (string program, IReadOnlyList<string> before) = OwnProgram.Find();
        ChildProcess agent = host.Start(program, [.. before, "agent", "--events", "--config", agents.ConfigurationOf(host)]);
        await DemoProgram.WaitAsync(agent, $"agent of {host.Name}", () => DemoProgram.Lines(agent).Any(), s_patience);
        ChildProcess process = host.Start(program, [.. before, .. arguments], new ChildOptions { Input = ChildInput.Pipe });
        DemoServer server = new(host, agent, process);
        await server.WaitForAsync(line => line.Event == "ready", s_patience);
        return server;
    }
}

/// <summary>A file server on one of the hosts, and the host's agent.</summary>
internal sealed class DemoServer(Host host, ChildProcess agent, ChildProcess process)
{
    public Host Host { get; } = host;

    /// <summary>Every step of a pass that its agent has told so far.</summary>
    public IReadOnlyList<PassEvent> Steps =>
    [
        .. DemoProgram.Lines(agent).Select(line => JsonSerializer.Deserialize(line, PassEventContext.Default.PassEvent)!).Where(told => told.Action is not null),
    ];

    private IReadOnlyList<ServerEvent> Events =>
        [.. DemoProgram.Lines(process).Select(line => JsonSerializer.Deserialize(line, ServerEventContext.Default.ServerEvent)!)];

    /// <summary>Passes its connections and waits for the outcome of the first.</summary>
    public async Task<ServerEvent> PassToAsync(DemoServer destination, TimeSpan limit)
    {
        int before = Events.Count(line => line.Event == "passed");
        await process.Input!.WriteAsync(System.Text.Encoding.ASCII.GetBytes($"pass {destination.Host.Name}\n"));
        await process.Input.FlushAsync();
        return await WaitForAsync(line => line.Event == "passed", limit, before);
    }

    /// <param name="skip">So many that fit are passed over.</param>
    public async Task<ServerEvent> WaitForAsync(Func<ServerEvent, bool> condition, TimeSpan limit, int skip = 0)
    {
        ServerEvent? found = null;
        await DemoProgram.WaitAsync(process, $"file server on {Host.Name}", () => (found = Events.Where(condition).Skip(skip).FirstOrDefault()) is not null, limit);
        return found!;
    }
}

/// <summary>A program of the demo that says JSON objects, one a line.</summary>
internal static class DemoProgram
{
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(5);

    /// <summary>The whole lines that it has said so far.</summary>
    public static IEnumerable<string> Lines(ChildProcess process) =>
        process.Output!.Text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Where(line => line.EndsWith('}'));

    /// <exception cref="DemoException">The program ended, or the condition does not hold within the limit.</exception>
    public static async Task WaitAsync(ChildProcess process, string what, Func<bool> condition, TimeSpan limit)
    {
        using PeriodicTimer timer = new(s_look);
        using CancellationTokenSource deadline = new(limit);
        try
        {
            do
            {
                if (condition())
                    return;
                if (process.Exit.IsCompleted)
                    throw new DemoException($"The {what} ended with code {await process.Exit}: {process.ErrorOutput!.Text}");
            }
            while (await timer.WaitForNextTickAsync(deadline.Token));
        }
        catch (OperationCanceledException)
        {
            // below
        }

        throw new DemoException($"The {what} did not do its work in {limit.TotalSeconds} s: {process.Output!.Text} {process.ErrorOutput!.Text}");
    }
}

/// <summary>The demo cannot go on; the message says why.</summary>
internal sealed class DemoException(string message) : Exception(message);
