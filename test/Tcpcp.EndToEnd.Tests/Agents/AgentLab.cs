using System.Net;
using System.Net.Sockets;
using Tcpcp.Check;
using Tcpcp.Core;
using Tcpcp.Lab;
using Tcpcp.Lab.Capture;
using Tcpcp.Linux.Netlink;

namespace Tcpcp.EndToEnd.Tests.Agents;

/// <summary>A peer and two hosts with an agent each, or three, on one switch; the service's address is on host A. What the peer sees is captured.</summary>
internal sealed class AgentLab : IAsyncDisposable
{
    public const int Port = 8080;
    public const string Takeover = "takeover";
    public const string Forward = "forward";

    private static readonly IPAddress s_service4 = IPAddress.Parse("10.0.0.100");
    private static readonly IPAddress s_service6 = IPAddress.Parse("fd00::100");
    private static readonly IPAddress s_routedService4 = IPAddress.Parse("10.1.0.100");
    private static readonly IPAddress s_routedService6 = IPAddress.Parse("fd00:1::100");

    private readonly LabNetwork _lab;
    private readonly string _directory;
    private readonly bool _isRouted;
    private readonly Host _peer;
    private readonly PacketCapture _capture;
    private readonly List<EchoConversation> _conversations = [];

    private AgentLab(LabNetwork lab, string directory, string redirection, LabCertificates certificates, ServiceFamily family, int count, bool isRouted)
    {
        (_lab, _directory, Family, _isRouted) = (lab, directory, family, isRouted);
        _peer = lab.AddHost("peer", "10.0.0.1/24", "fd00::1/64");
        string[] names = [LabAgent.NameA, LabAgent.NameB, LabAgent.NameC];
        Host[] hosts = [.. Enumerable.Range(0, count).Select(i => lab.AddHost(
            $"{(char)('A' + i)}", isRouted ? $"10.{1 + i}.0.{2 + i}/24" : $"10.0.0.{2 + i}/24", isRouted ? $"fd00:{1 + i}::{2 + i}/64" : $"fd00::{2 + i}/64"))];
        if (isRouted)
            AddRouter([_peer, .. hosts]);
        hosts[0].AddOwnAddress(Service);
        Agents = [.. hosts.Select((host, i) => LabAgent.Create(host, names[i], redirection, directory, certificates))];
        for (int i = 0; i < count; i++)
        {
            foreach (LabAgent other in Agents.Where(other => other != Agents[i]))
                Agents[i].Meet(other.Host, other.Name, isRouted);
        }

        _capture = _peer.StartCapture(Path.Combine(directory, "peer.pcapng"));
    }

    public ServiceFamily Family { get; }

    public Host Peer => _peer;

    /// <summary>The service's address.</summary>
    public IPAddress Service => (Family, _isRouted) switch
    {
        (ServiceFamily.IPv6, false) => s_service6,
        (_, false) => s_service4,
        (ServiceFamily.IPv6, true) => s_routedService6,
        _ => s_routedService4,
    };

    /// <summary>Of all hosts.</summary>
    public IReadOnlyList<LabAgent> Agents { get; }

    public LabAgent A => Agents[0];

    public LabAgent B => Agents[1];

    /// <summary>Where there are three hosts.</summary>
    public LabAgent C => Agents[2];

    /// <summary>The echo server on host A, if it was started.</summary>
    public EchoApplication? EchoA { get; private set; }

    /// <summary>The echo server on host B, if it was started.</summary>
    public EchoApplication? EchoB { get; private set; }

    /// <summary>The echo server on host C, if it was started.</summary>
    public EchoApplication? EchoC { get; private set; }

    /// <summary>On a memory file system.</summary>
    public string DirectoryPath => _directory;

    /// <summary>With the agents not started yet.</summary>
    /// <param name="family">Of the connections; the agents speak IPv4 with each other.</param>
    /// <param name="count">Of the hosts with an agent.</param>
    public static async Task<AgentLab> CreateAsync(
        LabCertificates certificates, string redirection = Forward, ServiceFamily family = ServiceFamily.IPv4, int count = 2) =>
        new(await LabNetwork.CreateAsync(), Directory.CreateDirectory($"/dev/shm/tcpcp-test-{Guid.NewGuid():N}").FullName, redirection, certificates, family, count, isRouted: false);

    /// <summary>With an echo server on both hosts, which are in subnets of their own, with the peer in a third one: a router is between them, and a tunnel between the agents.</summary>
    /// <param name="mtu">Of all links but the peer's.</param>
    /// <param name="peerMtu">Of the peer's link.</param>
    public static async Task<AgentLab> StartRoutedWithEchoAsync(LabCertificates certificates, ServiceFamily family, int mtu, int peerMtu)
    {
        AgentLab lab = new(await LabNetwork.CreateAsync(new LabOptions { Mtu = mtu }), Directory.CreateDirectory($"/dev/shm/tcpcp-test-{Guid.NewGuid():N}").FullName, Forward,
            certificates, family, count: 2, isRouted: true);
        try
        {
            lab._peer.Network.Links.SetMtu(Host.InterfaceName, peerMtu);
            await Task.WhenAll(lab.Agents.Select(agent => agent.StartAsync()));
            await lab.StartEchoesAsync();
            return lab;
        }
        catch
        {
            await lab.DisposeAsync();
            throw;
        }
    }

    /// <summary>With all agents ready.</summary>
    /// <param name="configure">Changes configurations before.</param>
    /// <inheritdoc cref="CreateAsync"/>
    public static async Task<AgentLab> StartAsync(LabCertificates certificates, string redirection = Forward, Action<AgentLab>? configure = null,
        ServiceFamily family = ServiceFamily.IPv4, int count = 2)
    {
        AgentLab lab = await CreateAsync(certificates, redirection, family, count);
        try
        {
            configure?.Invoke(lab);
            await Task.WhenAll(lab.Agents.Select(agent => agent.StartAsync()));
            return lab;
        }
        catch
        {
            await lab.DisposeAsync();
            throw;
        }
    }

    /// <summary>With all agents ready, and an echo server on every host.</summary>
    /// <inheritdoc cref="StartAsync"/>
    public static async Task<AgentLab> StartWithEchoAsync(LabCertificates certificates, string redirection = Forward, Action<AgentLab>? configure = null,
        ServiceFamily family = ServiceFamily.IPv4, int count = 2)
    {
        AgentLab lab = await StartAsync(certificates, redirection, configure, family, count);
        try
        {
            await lab.StartEchoesAsync();
            return lab;
        }
        catch
        {
            await lab.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts an echo server on every host.</summary>
    public async Task StartEchoesAsync()
    {
        bool isDual = Family != ServiceFamily.IPv4;
        EchoA = await EchoApplication.StartAsync(A, EchoApplication.Name, Port, isDual);
        EchoB = await EchoApplication.StartAsync(B, EchoApplication.Name, Port, isDual);
        if (Agents.Count > 2)
            EchoC = await EchoApplication.StartAsync(C, EchoApplication.Name, Port, isDual);
    }

    /// <summary>Every agent reaches the others, and has an application.</summary>
    public async Task UntilMetAsync()
    {
        foreach (LabAgent agent in Agents)
            await Eventually.True(async () => await agent.StatusAsync() is { Applications.Count: > 0 } status && status.Destinations.All(other => other.IsConnected));
    }

    /// <summary>Cuts the power of a host, and makes it again with nothing that its kernel or its journal knew; its agent is not started.</summary>
    public async Task RebootAsync(LabAgent agent)
    {
        agent.Host.Network.Links.SetDown(Host.InterfaceName);
        await agent.KillAsync();
        Directory.Delete(agent.JournalDirectory, recursive: true);
        agent.Host = await _lab.RebootAsync(agent.Host);
    }

    /// <summary>A host that takes no part.</summary>
    public Host AddHost(string name, params IReadOnlyList<string> addresses) => _lab.AddHost(name, addresses);

    /// <summary>Connects the peer to the echo server; returns when bytes have come back.</summary>
    public async Task<EchoConversation> ConverseAsync(int bytesPerSecond = 2_000_000, int port = Port)
    {
        EchoConversation conversation = EchoConversation.Start(_peer, new IPEndPoint(Service, port), bytesPerSecond);
        _conversations.Add(conversation);
        await conversation.ProgressAsync(1);
        return conversation;
    }

    /// <summary>Connects the peer to the echo server, hears a few bytes back, and closes; again and again, until it is stopped.</summary>
    /// <returns>How often.</returns>
    /// <exception cref="SocketException">A connection was refused, or reset.</exception>
    public async Task<int> ComeAndGoAsync(CancellationToken stop)
    {
        int count = 0;
        byte[] buffer = new byte[8];
        for (; !stop.IsCancellationRequested; count++)
        {
            using Socket socket = _peer.Run(() => new Socket(Service.AddressFamily, SocketType.Stream, ProtocolType.Tcp));
            await socket.ConnectAsync(new IPEndPoint(Service, Port)).WaitAsync(TimeSpan.FromSeconds(30), CancellationToken.None);
            for (int turn = 0; turn < 5; turn++)
            {
                await socket.SendAsync(buffer);
                for (int read = 0; read < buffer.Length;)
                {
                    int length = await socket.ReceiveAsync(buffer).WaitAsync(TimeSpan.FromSeconds(30), CancellationToken.None);
                    Assert.NotEqual(0, length);
                    read += length;
                }

                await Task.Delay(TimeSpan.FromMilliseconds(5), CancellationToken.None);
            }

            socket.Shutdown(SocketShutdown.Both);
        }

        return count;
    }

    /// <summary>Connects the peer to whatever serves.</summary>
    public Socket Connect() => _peer.Run(() =>
    {
        Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveTimeout = 60_000, SendTimeout = 60_000 };
        socket.Connect(new IPEndPoint(Service, Port));
        return socket;
    });

    /// <summary>Connects the peer from a port that it has used, TIME_WAIT or not.</summary>
    public async Task<Socket> ConnectFromAsync(int port)
    {
        _peer.Run(() => File.WriteAllText("/proc/sys/net/ipv4/tcp_tw_reuse", "1")); // a second after the end
        while (true)
        {
            Socket socket = _peer.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
            try
            {
                socket.Bind(new IPEndPoint(_peer.IPv4, port));
                await socket.ConnectAsync(new IPEndPoint(Service, Port)).WaitAsync(TimeSpan.FromSeconds(30));
                return socket;
            }
            catch (SocketException e) when (e.SocketErrorCode == SocketError.AddressNotAvailable)
            {
                socket.Dispose();
                await Task.Delay(100);
            }
        }
    }

    /// <summary>A peer's connection, as its service names it.</summary>
    public static FourTuple NameOf(Socket peer) => new((IPEndPoint)peer.RemoteEndPoint!, (IPEndPoint)peer.LocalEndPoint!);

    /// <summary>Connects the peer so many times.</summary>
    public async Task<IReadOnlyList<EchoConversation>> ConverseManyAsync(int count, int bytesPerSecond, int port = Port) =>
        await Task.WhenAll(Enumerable.Range(0, count).Select(_ => ConverseAsync(bytesPerSecond, port)));

    /// <summary>Ends the conversations: all that the peer sent has come back, it noticed nothing, and nothing of a pass is left on a host.</summary>
    /// <param name="others">How many connections it has had besides.</param>
    public async Task FinishAsync(int others = 0)
    {
        try
        {
            await Task.WhenAll(_conversations.Select(conversation => conversation.ProgressAsync(20_000)));
            await Task.WhenAll(_conversations.Select(conversation => conversation.FinishAsync()));
        }
        catch (Exception e)
        {
            throw new InvalidOperationException($"{e.Message} {string.Join(' ', Agents.Select(agent => agent.Log))}", e);
        }

        await AssertNothingIsLeftAsync();
        IReadOnlyList<ConnectionReport> reports = await JudgeAsync();
        Assert.Equal(_conversations.Count, reports.Count - others);
        AssertClean(reports);
    }

    public static void AssertClean(IReadOnlyList<ConnectionReport> reports) => Assert.All(reports, report =>
    {
        Assert.Equal([], report.Findings.Select(finding => finding.Message));
        Assert.Equal((0, 0), (report.ServiceResets, report.UnexpectedFins));
    });

    /// <summary>No closed gate, no open pass.</summary>
    public async Task AssertNothingIsLeftAsync()
    {
        foreach (LabAgent agent in Agents.Where(agent => agent.IsRunning))
        {
            await Eventually.True(() => agent.ClosedGates == 0);
            await Eventually.True(async () => (await agent.OpenPassesAsync()).Count == 0);
        }
    }

    /// <summary>What the peer saw.</summary>
    /// <param name="dscpMayChange">See <see cref="JudgeOptions.DscpMayChange"/>.</param>
    public async Task<IReadOnlyList<ConnectionReport>> JudgeAsync(bool dscpMayChange = false)
    {
        await _capture.StopAsync();
        Assert.Equal(0, _capture.Drops);
        CaptureReport report = CaptureJudge.Judge(_capture.Path, new JudgeOptions { Peer = Family == ServiceFamily.IPv6 ? _peer.IPv6 : _peer.IPv4, IsStrict = true, DscpMayChange = dscpMayChange });
        Assert.Equal([], report.Holes);
        return report.Connections;
    }

    // It is in all subnets; who begins one has the address 254 there.
    private void AddRouter(IReadOnlyList<Host> hosts)
    {
        string[] addresses = [.. hosts.SelectMany((_, i) => (string[])[$"10.{i}.0.254/24", i == 0 ? "fd00::254/64" : $"fd00:{i}::254/64"])];
        Host router = _lab.AddHost("router", addresses);
        router.Run(() =>
        {
            Sysctl.Write("net/ipv4/ip_forward", "1");
            Sysctl.Write("net/ipv6/conf/all/forwarding", "1");
            Sysctl.Write("net/ipv4/conf/all/send_redirects", "0");
            Sysctl.Write($"net/ipv4/conf/{Host.InterfaceName}/send_redirects", "0");
        });
        for (int i = 0; i < hosts.Count; i++)
        {
            hosts[i].Run(() => Sysctl.Write($"net/ipv6/conf/{Host.InterfaceName}/accept_redirects", "0"));
            hosts[i].Network.Routes.Add(Route.Default(IPAddress.Parse($"10.{i}.0.254")));
            hosts[i].Network.Routes.Add(Route.Default(IPAddress.Parse(i == 0 ? "fd00::254" : $"fd00:{i}::254")));
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (EchoConversation conversation in _conversations)
            conversation.Dispose();
        foreach (EchoApplication? echo in (EchoApplication?[])[EchoA, EchoB, EchoC])
        {
            if (echo is not null)
                await echo.DisposeAsync();
        }

        foreach (LabAgent agent in Agents)
            await agent.DisposeAsync();
        await _lab.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }
}

/// <summary>What the service listens with and the peer connects by.</summary>
public enum ServiceFamily
{
    IPv4,
    IPv6,

    /// <summary>IPv4 on an IPv6 socket.</summary>
    Mapped,
}
