using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Tcpcp.Lab;

namespace Tcpcp.EndToEnd.Tests.Relays;

/// <summary>Clients, one relay without an agent, and servers, each on a host of its own.</summary>
internal sealed class RelayHosts : IAsyncDisposable
{
    private readonly LabNetwork _lab;
    private readonly string _directory;
    private readonly List<IDisposable> _sockets = [];

    private RelayHosts(LabNetwork lab)
    {
        _lab = lab;
        _directory = Directory.CreateDirectory($"/dev/shm/tcpcp-test-{Guid.NewGuid():N}").FullName;
        Clients = lab.AddHost("clients", "10.0.0.1/24", "10.0.0.11/24", "fd00::1/64");
        RelayHost = lab.AddHost("relay", "10.0.0.2/24", "fd00::2/64");
        Servers = lab.AddHost("servers", "10.0.0.9/24", "fd00::9/64");
        Relay = new LabRelay(RelayHost, _directory, agentSocket: null);
    }

    public Host Clients { get; }

    public Host RelayHost { get; }

    public Host Servers { get; }

    public LabRelay Relay { get; }

    public static async Task<RelayHosts> CreateAsync() => new(await LabNetwork.CreateAsync());

    /// <summary>Adds a listener on a port of the relay's host, with a pool of its own of the same name.</summary>
    /// <returns>The settings of both.</returns>
    public (JsonObject Listener, JsonObject Pool) Add(string name, int port, params IReadOnlyList<int> serverPorts) =>
        (Relay.Listen(name, name, new IPEndPoint(RelayHost.IPv4, port), new IPEndPoint(RelayHost.IPv6, port)),
            Relay.AddPool(name, [.. serverPorts.Select(one => new IPEndPoint(Servers.IPv4, one))]));

    /// <summary>Starts a server.</summary>
    public LabServer Serve(int port, string greeting = "", bool isSilent = false)
    {
        LabServer server = LabServer.Start(Servers, new IPEndPoint(Servers.IPv4, port), greeting, isSilent);
        _sockets.Add(server);
        return server;
    }

    /// <summary>Connects a client to the relay.</summary>
    /// <param name="from">The client's address; null: its first one.</param>
    public async Task<Socket> ConnectAsync(int port, IPAddress? from = null, bool ipv6 = false)
    {
        Socket socket = Clients.Run(() => new Socket(ipv6 ? AddressFamily.InterNetworkV6 : AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
        _sockets.Add(socket);
        if (from is not null)
            socket.Bind(new IPEndPoint(from, 0));
        await socket.ConnectAsync(new IPEndPoint(ipv6 ? RelayHost.IPv6 : RelayHost.IPv4, port));
        return socket;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (IDisposable socket in _sockets)
            socket.Dispose();
        await Relay.DisposeAsync();
        await _lab.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }
}
