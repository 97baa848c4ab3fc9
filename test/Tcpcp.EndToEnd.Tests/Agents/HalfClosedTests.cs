using System.Net;
using System.Net.Sockets;
using System.Text;
using Tcpcp.Client;
using Tcpcp.Core;
using Tcpcp.Lab;
using Tcpcp.Linux.Processes;

namespace Tcpcp.EndToEnd.Tests.Agents;

/// <summary>Connections whose peer has sent all and closed its side go to hosts that have not their address; and what is refused unheard leaves nothing closed.</summary>
public sealed class HalfClosedTests(LabCertificates certificates)
{
    private const string Name = "half-closed";
    private const int Port = 8081;
    private const int SIGSTOP = 19; // signal.h
    private const int SIGCONT = 18;

    [Theory]
    [InlineData(ServiceFamily.IPv4)]
    [InlineData(ServiceFamily.IPv6)]
    [InlineData(ServiceFamily.Mapped)]
    public async Task With_forward_it_goes_there_on_and_back(ServiceFamily family)
    {
        await using AgentLab lab = await AgentLab.StartAsync(certificates, family: family, count: 3);
        Application[] applications = await Task.WhenAll(lab.Agents.Select(agent => Application.StartAsync(agent, family != ServiceFamily.IPv4)));
        using Socket peer = lab.Peer.Run(() => new Socket(lab.Service.AddressFamily, SocketType.Stream, ProtocolType.Tcp));
        await peer.ConnectAsync(new IPEndPoint(lab.Service, Port));
        FourTuple connection = AgentLab.NameOf(peer);
        peer.Shutdown(SocketShutdown.Send);
        await Eventually.True(() => lab.A.StateOf(connection) == TcpState.CloseWait);

        int at = 0;
        foreach (int next in (int[])[1, 2, 0])
        {
            (int exitCode, string output, string error) = await lab.Agents[at].RunAsync("pass", $"{connection}", "--to", lab.Agents[next].Name);
            Assert.True(exitCode == 0, output + error);
            Assert.Equal(TcpState.CloseWait, lab.Agents[next].StateOf(connection));
            await applications[next].SayAsync($"{next}");
            at = next;
        }

        applications[at].Close();
        byte[] heard = new byte[16];
        Assert.Equal(3, await ReceiveAllAsync(peer, heard));
        Assert.Equal("120", Encoding.ASCII.GetString(heard, 0, 3));
        foreach (Application application in applications)
            await application.DisposeAsync();
        await lab.AssertNothingIsLeftAsync();
        AgentLab.AssertClean(await lab.JudgeAsync());
    }

    [Fact]
    public async Task A_refusal_that_the_origin_did_not_wait_for_leaves_no_gate_closed()
    {
        await using AgentLab lab = await AgentLab.StartWithEchoAsync(certificates, configure: one =>
        {
            foreach (LabAgent agent in one.Agents)
                (agent.Configuration["bounds"]!["answer"], agent.Configuration["bounds"]!["offer-lifetime"]) = ("1s", "5s");
        });
        EchoConversation conversation = await lab.ConverseAsync();
        lab.B.Process.Signal(SIGSTOP);
        (int exitCode, string output, string error) = await lab.A.RunAsync("pass", $"{conversation.Connection}", "--to", LabAgent.NameB);
        Assert.True(exitCode == 1, output + error);
        lab.B.Process.Signal(SIGCONT);
        await lab.AssertNothingIsLeftAsync();
        await lab.A.PassAsync(conversation.Connection, lab.B);
        await lab.FinishAsync();
    }

    [Theory]
    [InlineData(ServiceFamily.IPv4)]
    [InlineData(ServiceFamily.IPv6)]
    public async Task What_the_peer_closes_during_the_pass_keeps_no_listener_from_the_port(ServiceFamily family)
    {
        await using AgentLab lab = await AgentLab.StartAsync(certificates, family: family);
        Application[] applications = await Task.WhenAll(lab.Agents.Select(agent => Application.StartAsync(agent, family != ServiceFamily.IPv4)));
        using Socket peer = lab.Peer.Run(() => new Socket(lab.Service.AddressFamily, SocketType.Stream, ProtocolType.Tcp));
        await peer.ConnectAsync(new IPEndPoint(lab.Service, Port));
        FourTuple connection = AgentLab.NameOf(peer);
        await applications[0].CloseSendingAsync();
        await Eventually.True(() => lab.A.StateOf(connection) == TcpState.FinWait2);
        applications[1].Examining = () => peer.Shutdown(SocketShutdown.Send); // the FIN is held, and comes in when the connection awakes
        (int exitCode, string output, string error) = await lab.A.RunAsync("pass", $"{connection}", "--to", LabAgent.NameB);
        Assert.True(exitCode == 0, output + error);
        await Eventually.True(() => lab.B.StateOf(connection) is not TcpState.FinWait2); // TIME_WAIT, if the peer sent its FIN but once: an RST after a second one ends it
        applications[1].Listen(); // the one before is closed
        foreach (Application application in applications)
            await application.DisposeAsync();
        AgentLab.AssertClean(await lab.JudgeAsync());
    }

    private static async Task<int> ReceiveAllAsync(Socket socket, byte[] buffer)
    {
        int length = 0;
        while (await socket.ReceiveAsync(buffer.AsMemory(length)).AsTask().WaitAsync(TimeSpan.FromSeconds(30)) is > 0 and int count)
            length += count;
        return length;
    }

    // Keeps what it gets, and says something when it is asked to.
    private sealed class Application : IConnectionReceiver, IAsyncDisposable
    {
        private readonly AgentClient _agent;
        private readonly Host _host;
        private readonly bool _isDual;
        private Socket? _listener;
        private volatile Socket? _socket;
        private ulong _epoch;

        private Application(AgentClient agent, Host host, bool isDual) => (_agent, _host, _isDual) = (agent, host, isDual);

        /// <summary>Happens while it looks at what comes.</summary>
        public Action? Examining { get; set; }

        public static async Task<Application> StartAsync(LabAgent agent, bool isDual)
        {
            Application application = new(await AgentClient.ConnectAsync(new AgentClientOptions { Path = agent.SocketPath, Program = Name }), agent.Host, isDual);
            await application._agent.RegisterAsync(Name, application);
            application.Listen();
            _ = application.AcceptAsync();
            return application;
        }

        /// <summary>Anew, if it did already.</summary>
        public void Listen()
        {
            _listener?.Dispose();
            _listener = _host.Run(() =>
            {
                Socket listener = new(_isDual ? AddressFamily.InterNetworkV6 : AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
                if (_isDual)
                    listener.DualMode = true;
                listener.Bind(new IPEndPoint(_isDual ? IPAddress.IPv6Any : IPAddress.Any, Port));
                listener.Listen();
                return listener;
            });
        }

        public async Task CloseSendingAsync()
        {
            await Eventually.True(() => _socket is not null);
            _socket!.Shutdown(SocketShutdown.Send);
        }

        public async Task SayAsync(string what)
        {
            await Eventually.True(() => _socket is not null);
            await _socket!.SendAsync(Encoding.ASCII.GetBytes(what));
        }

        public void Close() => _socket!.Dispose();

        public ValueTask<string?> ExamineAsync(ArrivingConnections arriving, CancellationToken cancellationToken)
        {
            Examining?.Invoke();
            return new((string?)null);
        }

        public void Go(ArrivingConnections arriving, IReadOnlyList<Socket?> sockets) => (_epoch, _socket) = (arriving.Epoch, sockets[0]);

        public IReadOnlyList<PassOrder> FindConnections(IReadOnlyList<FourTuple> wanted) => _socket is not { } socket ? [] :
        [
            new PassOrder
            {
                Sockets = [socket], Application = Name, Epoch = _epoch, QuiesceAsync = _ => new(Array.Empty<byte>()), Resume = () => { },
                Concluded = result => _socket = result.Owner == ConnectionOwner.Origin ? socket : null,
            },
        ];

        public async ValueTask DisposeAsync()
        {
            _listener?.Dispose();
            await _agent.DisposeAsync();
        }

        private async Task AcceptAsync()
        {
            try
            {
                _socket = await _listener!.AcceptAsync();
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // It has ended.
            }
        }
    }
}
