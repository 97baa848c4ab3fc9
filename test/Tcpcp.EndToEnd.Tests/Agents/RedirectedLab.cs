using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Tcpcp.Check;
using Tcpcp.Lab;
using Tcpcp.Lab.Capture;
using Tcpcp.Linux.Netlink;

namespace Tcpcp.EndToEnd.Tests.Agents;

/// <summary>
/// A peer, three hosts that all have the service address and do not answer for it, an agent and an echo server on each of them, and a third party that moves the peer's
/// packets. What the peer sees is captured.
/// </summary>
internal sealed class RedirectedLab : IAsyncDisposable
{
    public const int Port = 8080;

    private static readonly string[] s_names = [LabAgent.NameA, LabAgent.NameB, LabAgent.NameC];

    private readonly LabNetwork _lab;
    private readonly LabCertificates _certificates;
    private readonly PacketCapture _capture;
    private readonly AddressFamily _family;
    private readonly List<EchoConversation> _conversations = [];

    private RedirectedLab(LabNetwork lab, LabCertificates certificates, bool ipv6, string redirection)
    {
        (_lab, _certificates) = (lab, certificates);
        _family = ipv6 ? AddressFamily.InterNetworkV6 : AddressFamily.InterNetwork;
        Service = IPAddress.Parse(ipv6 ? "fd00::100" : "10.0.0.100");
        DirectoryPath = Directory.CreateDirectory($"/dev/shm/tcpcp-test-{Guid.NewGuid():N}").FullName;
        Peer = lab.AddHost("peer", "10.0.0.1/24", "fd00::1/64");
        Third = lab.AddHost("third", "10.0.0.9/24", "fd00::9/64");
        Host[] hosts = [.. s_names.Select((name, number) => lab.AddHost(name, $"10.0.0.{number + 2}/24", $"fd00::{number + 2}/64"))];
        Agents = [.. hosts.Select((host, number) => CreateAgent(host, number, hosts, redirection))];
        foreach (Host host in hosts)
            host.AddSilentAddress(Service);
        _capture = Peer.StartCapture(Path.Combine(DirectoryPath, "peer.pcapng"));
    }

    public IPAddress Service { get; }

    /// <summary>On a memory file system.</summary>
    public string DirectoryPath { get; }

    public Host Peer { get; }

    /// <summary>The host in the path, if there is one.</summary>
    public Host Third { get; private set; }

    /// <summary>Of the three hosts.</summary>
    public IReadOnlyList<LabAgent> Agents { get; }

    /// <summary>The agent of the third party, if it has one.</summary>
    public LabAgent? Redirector { get; private set; }

    public IReadOnlyList<EchoApplication> Echoes { get; private set; } = [];

    /// <summary>With a gateway in the path, and everything ready.</summary>
    public static async Task<RedirectedLab> StartWithGatewayAsync(LabCertificates certificates, bool ipv6, Action<RedirectedLab>? configure = null)
    {
        RedirectedLab lab = await StartAsync(certificates, ipv6, "gateway", one =>
        {
            one.UseRedirector(one.CreateGateway());
            configure?.Invoke(one);
        });
        await lab.UntilSettledAsync();
        return lab;
    }

    /// <summary>Returns when the gateway has been told of all connections.</summary>
    public Task UntilSettledAsync() => Eventually.True(() => Redirector!.Log.Contains("All backends have named their connections", StringComparison.Ordinal));

    /// <summary>With a peer that routes the service address to the first host.</summary>
    public static Task<RedirectedLab> StartRoutedAsync(LabCertificates certificates, bool ipv6, string redirection, Action<RedirectedLab> configure) =>
        StartAsync(certificates, ipv6, redirection, lab =>
        {
            lab.Peer.Network.Routes.Add(Route.Via(InterfaceAddress.Single(lab.Service), lab.AddressOf(lab.Agents[0].Host)));
            configure(lab);
        });

    /// <summary>Whose agent the hosts ask.</summary>
    public void UseRedirector(LabAgent redirector)
    {
        Redirector = redirector;
        foreach (LabAgent agent in Agents)
            agent.Configuration["redirectors"] = new JsonObject { [redirector.Name] = new JsonObject { ["address"] = $"{redirector.Host.IPv4}:7300" } };
    }

    /// <summary>Of the family of the service.</summary>
    public IPAddress AddressOf(Host host) => _family == AddressFamily.InterNetworkV6 ? host.IPv6 : host.IPv4;

    /// <summary>Connects the peer; returns when bytes have come back.</summary>
    public async Task<EchoConversation> ConverseAsync(int bytesPerSecond = 2_000_000)
    {
        EchoConversation conversation = EchoConversation.Start(Peer, new IPEndPoint(Service, Port), bytesPerSecond);
        _conversations.Add(conversation);
        await conversation.ProgressAsync(1);
        return conversation;
    }

    /// <summary>The agent of the host that has a connection.</summary>
    public LabAgent OwnerOf(EchoConversation conversation) => Agents.Single(agent => agent.Owns(conversation.Connection));

    /// <summary>Another one.</summary>
    public LabAgent OtherThan(params LabAgent[] agents) => Agents.First(agent => !agents.Contains(agent));

    public EchoApplication EchoOf(LabAgent agent) => Echoes[Agents.ToList().IndexOf(agent)];

    /// <summary>Passes a connection, and returns when it lives there.</summary>
    public static async Task PassAsync(EchoConversation conversation, LabAgent from, LabAgent to)
    {
        await from.JsonAsync(0, "pass", $"{conversation.Connection}", "--to", to.Name);
        await Eventually.True(() => to.Owns(conversation.Connection) && !from.Owns(conversation.Connection));
    }

    /// <summary>Cuts the power of a host, and makes it again with nothing that its kernel or its journal knew; its agent is not started.</summary>
    public async Task RebootAsync(LabAgent agent)
    {
        agent.Host.Network.Links.SetDown(Host.InterfaceName);
        await agent.KillAsync();
        Directory.Delete(agent.JournalDirectory, recursive: true);
        agent.Host = await _lab.RebootAsync(agent.Host);
        agent.Host.AddSilentAddress(Service);
    }

    /// <summary>Destroys the host in the path with all that its kernel knows, makes it again, and starts its agent.</summary>
    public async Task RebootThirdAsync()
    {
        Third.Network.Links.SetDown(Host.InterfaceName); // at once, as a power cut does
        await Redirector!.DisposeAsync();
        JsonObject configuration = Redirector.Configuration;
        Third = await _lab.RebootAsync(Third);
        Redirector = CreateGateway();
        Redirector.Configuration.Clear();
        foreach ((string key, JsonNode? value) in configuration)
            Redirector.Configuration[key] = value?.DeepClone();
        await Redirector.StartAsync();
    }

    /// <summary>Ends the conversations: all that the peer sent has come back, it noticed nothing, and nothing of a pass is left on a host.</summary>
    /// <param name="open">Those that are not ended yet; none: all.</param>
    public async Task FinishAsync(params EchoConversation[] open)
    {
        EchoConversation[] last = open.Length > 0 ? open : [.. _conversations];
        try
        {
            await Task.WhenAll(last.Select(conversation => conversation.ProgressAsync(20_000)));
        }
        catch (Exception e)
        {
            throw new InvalidOperationException($"{e.Message} {string.Concat(Agents.Select(agent => agent.Log))} {Redirector?.Log}", e);
        }

        await Task.WhenAll(last.Select(conversation => conversation.FinishAsync()));
        foreach (LabAgent agent in Agents)
        {
            await Eventually.True(() => agent.ClosedGates == 0);
            await Eventually.True(async () => (await agent.OpenPassesAsync()).Count == 0);
        }

        await _capture.StopAsync();
        Assert.Equal(0, _capture.Drops);
        CaptureReport report = CaptureJudge.Judge(_capture.Path, new JudgeOptions { Peer = AddressOf(Peer), IsStrict = true });
        Assert.Equal([], report.Holes);
        ConnectionReport[] reports = [.. report.Connections.Where(one => one.Connection.Local.Port == Port || one.Connection.Peer.Port == Port)];
        Assert.Equal(_conversations.Count, reports.Length);
        AgentLab.AssertClean(reports);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (EchoConversation conversation in _conversations)
            conversation.Dispose();
        foreach (EchoApplication echo in Echoes)
            await echo.DisposeAsync();
        foreach (LabAgent agent in Agents)
            await agent.DisposeAsync();
        if (Redirector is not null)
            await Redirector.DisposeAsync();
        await _lab.DisposeAsync();
        Directory.Delete(DirectoryPath, recursive: true);
    }

    private static async Task<RedirectedLab> StartAsync(LabCertificates certificates, bool ipv6, string redirection, Action<RedirectedLab> configure)
    {
        RedirectedLab lab = new(await LabNetwork.CreateAsync(), certificates, ipv6, redirection);
        try
        {
            configure(lab);
            await Task.WhenAll(lab.Agents.Append(lab.Redirector).OfType<LabAgent>().Select(agent => agent.StartAsync()));
            lab.Echoes = await Task.WhenAll(lab.Agents.Select(agent => EchoApplication.StartAsync(agent, EchoApplication.Name, Port, isDual: lab._family == AddressFamily.InterNetworkV6)));
            return lab;
        }
        catch
        {
            await lab.DisposeAsync();
            throw;
        }
    }

    private LabAgent CreateAgent(Host host, int number, Host[] hosts, string redirection)
    {
        LabAgent agent = LabAgent.Create(host, s_names[number], host, s_names[number], redirection, DirectoryPath, _certificates);
        agent.Configuration["destinations"] = new JsonObject(Enumerable.Range(0, hosts.Length).Where(other => other != number)
            .Select(other => KeyValuePair.Create<string, JsonNode?>(s_names[other], Described(hosts[other]))));
        agent.Configuration["policy"]![0]!["origin"] = "*";
        return agent;
    }

    private LabAgent CreateGateway() => LabAgent.CreateRedirector(Third, LabAgent.NameGateway, "gateway", new JsonObject
    {
        ["services"] = new JsonArray(new JsonObject { ["addresses"] = new JsonArray($"{Service}"), ["ports"] = new JsonArray($"{Port}") }),
        ["backends"] = new JsonObject(Agents.Select(agent => KeyValuePair.Create<string, JsonNode?>(agent.Name, Described(agent.Host)))),
    }, DirectoryPath, _certificates);

    private static JsonObject Described(Host host) => new()
    {
        ["address"] = $"{host.IPv4}:7300", ["packets"] = new JsonArray($"{host.IPv4}", $"{host.IPv6}"),
    };
}
