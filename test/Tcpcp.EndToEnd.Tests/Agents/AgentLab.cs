using System.Net;
using System.Net.Sockets;
using Tcpcp.Check;
using Tcpcp.Core;
using Tcpcp.Lab;
using Tcpcp.Lab.Capture;

namespace Tcpcp.EndToEnd.Tests.Agents;

/// <summary>A peer and two hosts with an agent each, on one switch; the service's address is on host A. What the peer sees is captured.</summary>
internal sealed class AgentLab : IAsyncDisposable
{
    public const int Port = 8080;
    public const string Takeover = "takeover";
    public const string Forward = "forward";

    private static readonly IPAddress s_service = IPAddress.Parse("10.0.0.100");

    private readonly LabNetwork _lab;
    private readonly string _directory;
    private readonly Host _peer;
    private readonly PacketCapture _capture;
    private readonly List<EchoConversation> _conversations = [];

    private AgentLab(LabNetwork lab, string directory, string redirection, LabCertificates certificates)
    {
        (_lab, _directory) = (lab, directory);
        _peer = lab.AddHost("peer", "10.0.0.1/24");
        Host a = lab.AddHost("A", "10.0.0.2/24");
        Host b = lab.AddHost("B", "10.0.0.3/24");
        a.AddOwnAddress(s_service);
        A = LabAgent.Create(a, LabAgent.NameA, b, LabAgent.NameB, redirection, directory, certificates);
        B = LabAgent.Create(b, LabAgent.NameB, a, LabAgent.NameA, redirection, directory, certificates);
        _capture = _peer.StartCapture(Path.Combine(directory, "peer.pcapng"));
    }

    public Host Peer => _peer;

    public LabAgent A { get; }

    public LabAgent B { get; }

    /// <summary>The echo server on host A, if it was started.</summary>
    public EchoApplication? EchoA { get; private set; }

    /// <summary>The echo server on host B, if it was started.</summary>
    public EchoApplication? EchoB { get; private set; }

    /// <summary>On a memory file system.</summary>
    public string DirectoryPath => _directory;

    /// <summary>With the agents not started yet.</summary>
    public static async Task<AgentLab> CreateAsync(LabCertificates certificates, string redirection = Forward) =>
        new(await LabNetwork.CreateAsync(), Directory.CreateDirectory($"/dev/shm/tcpcp-test-{Guid.NewGuid():N}").FullName, redirection, certificates);

    /// <summary>With both agents ready.</summary>
    /// <param name="configure">Changes configurations before.</param>
    public static async Task<AgentLab> StartAsync(LabCertificates certificates, string redirection = Forward, Action<AgentLab>? configure = null)
    {
        AgentLab lab = await CreateAsync(certificates, redirection);
        try
        {
            configure?.Invoke(lab);
            await Task.WhenAll(lab.A.StartAsync(), lab.B.StartAsync());
            return lab;
        }
        catch
        {
            await lab.DisposeAsync();
            throw;
        }
    }

    /// <summary>With both agents ready, and an echo server on both hosts.</summary>
    /// <inheritdoc cref="StartAsync"/>
    public static async Task<AgentLab> StartWithEchoAsync(LabCertificates certificates, string redirection = Forward, Action<AgentLab>? configure = null)
    {
        AgentLab lab = await StartAsync(certificates, redirection, configure);
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

    /// <summary>Starts an echo server on both hosts.</summary>
    public async Task StartEchoesAsync()
    {
        EchoA = await EchoApplication.StartAsync(A, EchoApplication.Name, Port);
        EchoB = await EchoApplication.StartAsync(B, EchoApplication.Name, Port);
    }

    /// <summary>A host that takes no part.</summary>
    public Host AddHost(string name, string address) => _lab.AddHost(name, address);

    /// <summary>Connects the peer to the echo server; returns when bytes have come back.</summary>
    public async Task<EchoConversation> ConverseAsync(int bytesPerSecond = 2_000_000, int port = Port)
    {
        EchoConversation conversation = EchoConversation.Start(_peer, new IPEndPoint(s_service, port), bytesPerSecond);
        _conversations.Add(conversation);
        await conversation.ProgressAsync(1);
        return conversation;
    }

    /// <summary>Connects the peer to whatever serves.</summary>
    public Socket Connect() => _peer.Run(() =>
    {
        Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveTimeout = 60_000, SendTimeout = 60_000 };
        socket.Connect(new IPEndPoint(s_service, Port));
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
                await socket.ConnectAsync(new IPEndPoint(s_service, Port)).WaitAsync(TimeSpan.FromSeconds(30));
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
    public async Task FinishAsync()
    {
        try
        {
            await Task.WhenAll(_conversations.Select(conversation => conversation.ProgressAsync(20_000)));
        }
        catch (Exception e)
        {
            throw new InvalidOperationException($"{e.Message} {A.Log} {B.Log}", e);
        }

        await Task.WhenAll(_conversations.Select(conversation => conversation.FinishAsync()));
        await AssertNothingIsLeftAsync();
        IReadOnlyList<ConnectionReport> reports = await JudgeAsync();
        Assert.Equal(_conversations.Count, reports.Count);
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
        foreach (LabAgent agent in (LabAgent[])[A, B])
        {
            await Eventually.True(() => agent.ClosedGates == 0);
            await Eventually.True(async () => (await agent.OpenPassesAsync()).Count == 0);
        }
    }

    /// <summary>What the peer saw.</summary>
    public async Task<IReadOnlyList<ConnectionReport>> JudgeAsync()
    {
        await _capture.StopAsync();
        Assert.Equal(0, _capture.Drops);
        CaptureReport report = CaptureJudge.Judge(_capture.Path, new JudgeOptions { Peer = _peer.IPv4, IsStrict = true });
        Assert.Equal([], report.Holes);
        return report.Connections;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (EchoConversation conversation in _conversations)
            conversation.Dispose();
        foreach (EchoApplication? echo in (EchoApplication?[])[EchoA, EchoB])
        {
            if (echo is not null)
                await echo.DisposeAsync();
        }

        await A.DisposeAsync();
        await B.DisposeAsync();
        await _lab.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }
}
