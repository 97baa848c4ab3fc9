using System.Net;
using Tcpcp.Lab;
using Tcpcp.Traffic;

namespace Tcpcp.EndToEnd.Tests.Agents;

/// <summary>A peer with many connections, and two hosts with an agent and an application each, processes of their own, that pass them.</summary>
internal sealed class CrowdLab : IAsyncDisposable
{
    private const int Port = 7000;

    private static readonly IPAddress s_service = IPAddress.Parse("10.0.0.100");

    private readonly LabNetwork _lab;
    private readonly string _directory = Directory.CreateDirectory($"/dev/shm/tcpcp-test-{Guid.NewGuid():N}").FullName;
    private readonly List<AgentProcess> _agents = [];

    private CrowdLab(LabNetwork lab)
    {
        _lab = lab;
        Peer = new PeerConnections(lab.AddHost("peer", "10.0.0.1/24"), new IPEndPoint(s_service, Port));
    }

    public PeerConnections Peer { get; }

    public IReadOnlyList<AgentProcess> Agents => _agents;

    /// <summary>Its host has the service's address.</summary>
    public AgentProcess Home => _agents[0];

    public AgentProcess Other => _agents[1];

    public static async Task<CrowdLab> StartAsync(string tcpcp)
    {
        CrowdLab lab = new(await LabNetwork.CreateAsync());
        try
        {
            await lab.StartAgentsAsync(tcpcp);
            return lab;
        }
        catch
        {
            await lab.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        Peer.Dispose();
        foreach (AgentProcess agent in _agents)
            await agent.DisposeAsync();
        await _lab.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    private async Task StartAgentsAsync(string tcpcp)
    {
        Host[] hosts = [_lab.AddHost("host-a", "10.0.0.2/24"), _lab.AddHost("host-b", "10.0.0.3/24")];
        hosts[0].AddOwnAddress(s_service);
        await AgentProcess.RunAsync(tcpcp, ["cert", "authority", "--out", _directory]);
        foreach ((Host host, Host other) in ((Host, Host)[])[(hosts[0], hosts[1]), (hosts[1], hosts[0])])
            _agents.Add(await AgentProcess.ConfigureAsync(tcpcp, _directory, host, other, $"{s_service}", EchoService.Name, EchoService.GroupedName));
        await Task.WhenAll(_agents.Select(agent => agent.StartAsync()));
        foreach (AgentProcess agent in _agents)
            await agent.ServeAsync("echo", Port, Path.Combine(AppContext.BaseDirectory, "Tcpcp.PassProcess"));
    }
}
