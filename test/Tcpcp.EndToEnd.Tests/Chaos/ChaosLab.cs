using System.Net;
using System.Text.Json.Nodes;
using Tcpcp.EndToEnd.Tests.Agents;
using Tcpcp.Lab;
using Tcpcp.Lab.Capture;
using Tcpcp.Linux.Processes;

namespace Tcpcp.EndToEnd.Tests.Chaos;

/// <summary>A peer, three hosts with an agent and an application, and the gateway if there is one; what the peer sees is captured.</summary>
internal sealed class ChaosLab : IAsyncDisposable
{
    private static readonly string[] s_names = [LabAgent.NameA, LabAgent.NameB, LabAgent.NameC];

    private readonly LabNetwork _network;
    private readonly bool _isGateway;
    private readonly string _directory;
    private readonly Host? _serverHost;
    private readonly int _serverSeed;

    private ChaosLab(ChaosSetting setting, LabNetwork network, LabCertificates certificates)
    {
        (_network, _isGateway) = (network, setting.IsGateway);
        _directory = Directory.CreateDirectory($"/dev/shm/tcpcp-test-{Guid.NewGuid():N}").FullName;
        Random seeds = new(setting.Seed);
        Peer = network.AddHost("peer", "10.0.0.1/24", "fd00::1/64");
        if (setting.Path is { } path)
            Peer.MoveFarAway(path);
        Host[] hosts = [.. s_names.Select((name, i) => network.AddHost(name, $"10.0.0.{2 + i}/24", $"fd00::{2 + i}/64"))];
        if (setting.IsRelay)
            (_serverHost, _serverSeed) = (network.AddHost("server", "10.0.0.8/24", "fd00::8/64"), setting.Seed);
        IPEndPoint? server = _serverHost is null ? null : new(_serverHost.IPv4, ChaosHost.Port);
        Hosts = [.. hosts.Select((host, i) => new ChaosHost(
            LabAgent.Create(host, s_names[i], _isGateway ? "gateway" : AgentLab.Forward, _directory, certificates), seeds.Next(), setting.HasClock, hasApplication: true, server))];
        foreach (ChaosHost host in Hosts)
        {
            foreach (ChaosHost other in Hosts.Where(other => other != host))
                host.Agent.Meet(other.Agent.Host, other.Name);
            host.Agent.Configuration["bounds"] = new JsonObject { ["offer-lifetime"] = "8s", ["answer"] = "4s", ["decision"] = "4s", ["hold"] = "8s", ["resolve-longest"] = "200ms" };
        }

        if (_isGateway)
            Gateway = AddGateway(network.AddHost("gateway", "10.0.0.9/24", "fd00::9/64"), certificates, seeds.Next(), setting.HasClock);
        foreach (ChaosHost host in _isGateway ? Hosts : [Hosts[0]])
            AddAddresses(host);
        string file = Path.Combine(_directory, "peer.pcapng");
        Capture = setting.Path is null ? Peer.StartCapture(file) : Peer.StartCaptureBeyondPath(file);
    }

    /// <summary>Addresses of the service.</summary>
    public static IReadOnlyList<IPAddress> Services { get; } = [IPAddress.Parse("10.0.0.100"), IPAddress.Parse("fd00::100")];

    public Host Peer { get; }

    /// <summary>Between which connections are passed.</summary>
    public IReadOnlyList<ChaosHost> Hosts { get; }

    public ChaosHost? Gateway { get; }

    /// <summary>To all of these things may happen.</summary>
    public IEnumerable<ChaosHost> Parties => Gateway is null ? Hosts : Hosts.Append(Gateway);

    public PacketCapture Capture { get; }

    /// <summary>What is behind the relays; null: there are none.</summary>
    public ChildProcess? Server { get; private set; }

    public static async Task<ChaosLab> StartAsync(ChaosSetting setting, LabCertificates certificates)
    {
        ChaosLab lab = new(setting, await LabNetwork.CreateAsync(), certificates);
        try
        {
            if (lab._serverHost is { } server)
            {
                lab.Server = server.Start(Path.Combine(AppContext.BaseDirectory, "Tcpcp.PassProcess"), ["chaos", "none", $"{ChaosHost.Port}", $"{lab._serverSeed}", "none"]);
                await Eventually.True(() => lab.Server.Output!.Text.Contains("ready", StringComparison.Ordinal));
            }

            await Task.WhenAll(lab.Parties.Select(host => host.StartAgentAsync()));
            await Task.WhenAll(lab.Hosts.Select(host => host.StartApplicationAsync()));
            return lab;
        }
        catch
        {
            await lab.DisposeAsync();
            throw;
        }
    }

    /// <summary>Everything on the host is gone, its journal too; its agent and its application are not started.</summary>
    public async Task RebootAsync(ChaosHost host)
    {
        host.IsAway = true;
        host.Agent.Host.Network.Links.SetDown(Host.InterfaceName); // at once, as a power cut does
        await host.KillApplicationAsync();
        await host.Agent.KillAsync();
        host.Agent.Host = await _network.RebootAsync(host.Agent.Host);
        if (host.HasApplication)
            host.MountJournal();
        if (_isGateway && host != Gateway)
            AddAddresses(host);
        host.IsAway = false;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (ChaosHost host in Parties)
            await host.EndAgentAsync();
        if (Server is not null)
            await Server.DisposeAsync();
        await Capture.DisposeAsync();
        await _network.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    private void AddAddresses(ChaosHost host)
    {
        foreach (IPAddress service in Services)
        {
            if (_isGateway)
                host.Agent.Host.AddSilentAddress(service);
            else
                host.Agent.Host.AddOwnAddress(service);
        }
    }

    private ChaosHost AddGateway(Host host, LabCertificates certificates, int seed, bool hasClock)
    {
        LabAgent gateway = LabAgent.CreateRedirector(host, LabAgent.NameGateway, "gateway", new JsonObject
        {
            ["services"] = new JsonArray(new JsonObject { ["addresses"] = new JsonArray([.. Services.Select(service => JsonValue.Create($"{service}"))]), ["ports"] = new JsonArray($"{ChaosHost.Port}") }),
            ["backends"] = new JsonObject(Hosts.Select(backend => KeyValuePair.Create<string, JsonNode?>(backend.Name, new JsonObject
            {
                ["address"] = $"{backend.Agent.Host.IPv4}:7300", ["packets"] = new JsonArray($"{backend.Agent.Host.IPv4}", $"{backend.Agent.Host.IPv6}"),
            }))),
        }, _directory, certificates);
        foreach (ChaosHost backend in Hosts)
            backend.Agent.Configuration["redirectors"] = new JsonObject { [gateway.Name] = new JsonObject { ["address"] = $"{host.IPv4}:7300" } };
        return new ChaosHost(gateway, seed, hasClock, hasApplication: false);
    }
}
