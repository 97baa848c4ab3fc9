using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Tcpcp.Lab;
using Tcpcp.Linux.Processes;
using Tcpcp.Samples.FileServer;

namespace Tcpcp.Cli.Demo;

/// <summary>The hosts of the demo: a peer with curl, and two with the same files and file server. The service address is at one of the two.</summary>
internal sealed class DemoHosts : IAsyncDisposable
{
    /// <summary>The hidden command that runs the file server.</summary>
    public const string ServerCommand = "demo-server";

    private const int ServicePort = 8080;
    private const int AgentPort = 7300;

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

    public static async Task<DemoHosts> CreateAsync(string root, DemoOptions options)
    {
        LabNetwork lab = await LabNetwork.CreateAsync();
        try
        {
            Host peer = lab.AddHost("peer", "10.0.0.1/24", "fd00::1/64");
            DemoServer[] servers =
            [
                await StartAsync(lab.AddHost("host A", "10.0.0.2/24", "fd00::2/64"), root, options),
                await StartAsync(lab.AddHost("host B", "10.0.0.3/24", "fd00::3/64"), root, options),
            ];
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

    private static async Task<DemoServer> StartAsync(Host host, string root, DemoOptions options)
    {
        IPEndPoint agent = new(AddressOf(host, options.IPv6), AgentPort);
        IPEndPoint listen = new(options.IPv6 ? IPAddress.IPv6Any : IPAddress.Any, ServicePort);
        List<string> arguments =
        [
            ServerCommand, "--listen", $"{listen}", "--agent", $"{agent}", "--root", root, "--interface", Host.InterfaceName,
        ];
        if (options.Upload)
            arguments.Add("--allow-uploads");
        else if (options.BytesPerSecond is { } rate)
            arguments.AddRange(["--rate", rate.ToString(CultureInfo.InvariantCulture)]);
        (string program, IReadOnlyList<string> before) = OwnProgram.Find();
        ChildProcess process = host.Start(program, [.. before, .. arguments], new ChildOptions { Input = ChildInput.Pipe });
        DemoServer server = new(host, process, agent);
        await server.WaitForAsync(line => line.Event == "ready", s_patience);
        return server;
    }
}

/// <summary>A file server on one of the hosts.</summary>
internal sealed class DemoServer(Host host, ChildProcess process, IPEndPoint agent)
{
    public Host Host { get; } = host;

    public IPEndPoint Agent { get; } = agent;

    /// <summary>Everything that it has said so far.</summary>
    public IReadOnlyList<ServerEvent> Events =>
    [
        .. process.Output!.Text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Where(line => line.EndsWith('}'))
            .Select(line => JsonSerializer.Deserialize(line, ServerEventContext.Default.ServerEvent)!),
    ];

    /// <summary>Passes its connections and waits for the outcome of the first.</summary>
    public async Task<ServerEvent> PassToAsync(DemoServer destination, TimeSpan limit)
    {
        int before = Events.Count(line => line.Event == "passed");
        await process.Input!.WriteAsync(System.Text.Encoding.ASCII.GetBytes($"pass {destination.Agent}\n"));
        await process.Input.FlushAsync();
        return await WaitForAsync(line => line.Event == "passed", limit, before);
    }

    /// <param name="skip">So many that fit are passed over.</param>
    public async Task<ServerEvent> WaitForAsync(Func<ServerEvent, bool> condition, TimeSpan limit, int skip = 0)
    {
        using PeriodicTimer timer = new(TimeSpan.FromMilliseconds(5));
        using CancellationTokenSource deadline = new(limit);
        try
        {
            do
            {
                if (Events.Where(condition).Skip(skip).FirstOrDefault() is { } found)
                    return found;
                if (process.Exit.IsCompleted)
                    throw new DemoException($"The file server on {Host.Name} ended with code {await process.Exit}: {process.ErrorOutput!.Text}");
            }
            while (await timer.WaitForNextTickAsync(deadline.Token));
        }
        catch (OperationCanceledException)
        {
            // below
        }

        throw new DemoException($"The file server on {Host.Name} did not do its work in {limit.TotalSeconds} s: {process.Output!.Text} {process.ErrorOutput!.Text}");
    }
}

/// <summary>The demo cannot go on; the message says why.</summary>
internal sealed class DemoException(string message) : Exception(message);
