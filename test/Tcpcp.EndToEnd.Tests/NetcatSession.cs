using System.Net;
using System.Net.Sockets;
using System.Text;
using Tcpcp.Check;
using Tcpcp.Core;
using Tcpcp.Lab;
using Tcpcp.Lab.Capture;
using Tcpcp.Linux.Diagnostics;
using Tcpcp.Linux.Netlink;
using Tcpcp.Linux.Packets;
using Tcpcp.Linux.Processes;

namespace Tcpcp.EndToEnd.Tests;

/// <summary>A peer that is connected to nc on host A, by an address that can move to host B; with a capture at the peer.</summary>
internal sealed class NetcatSession : IAsyncDisposable
{
    private const string Service = "10.0.0.100";
    private const int Port = 7000;
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(60);

    private readonly LabNetwork _lab;
    private readonly string _directory;
    private readonly PacketCapture _capture;
    private readonly List<ChildProcess> _processes = [];

    private NetcatSession(LabNetwork lab, string directory, ChildProcess nc, PacketCapture capture, Socket peer)
    {
        (_lab, _directory, Netcat, _capture, Peer) = (lab, directory, nc, capture, peer);
        Connection = new FourTuple(IPEndPoint.Parse($"{Service}:{Port}"), (IPEndPoint)peer.LocalEndPoint!);
    }

    public ChildProcess Netcat { get; }

    public Socket Peer { get; }

    /// <summary>As host A names it.</summary>
    public FourTuple Connection { get; }

    public Host A => _lab.Hosts[1];

    public Host B => _lab.Hosts[2];

    public string File => Path.Combine(_directory, "session.tcpcp");

    /// <param name="send">What nc sends, and then closes its side; null: the test writes to it.</param>
    public static async Task<NetcatSession> StartAsync(byte[]? send = null)
    {
        string directory = Directory.CreateTempSubdirectory("tcpcp-test-").FullName;
        LabNetwork lab = await LabNetwork.CreateAsync();
        Host peer = lab.AddHost("peer", "10.0.0.1/24");
        Host a = lab.AddHost("A", "10.0.0.2/24");
        lab.AddHost("B", "10.0.0.3/24");
        a.Network.Addresses.Add(a.Network.Links.Get(Host.InterfaceName).Index, InterfaceAddress.Parse(Service));
        ChildProcess nc = a.Start("nc", ["-l", "-N", Service, $"{Port}"],
            new ChildOptions { Input = send is null ? ChildInput.Pipe : ChildInput.Of(send) });
        await Eventually.True(() => nc.Exit.IsCompleted || a.Run(IsListening));
        Assert.False(nc.Exit.IsCompleted, nc.ErrorOutput!.Text);
        PacketCapture capture = peer.StartCapture(Path.Combine(directory, "peer.pcapng"));
        Socket socket = peer.Run(() =>
        {
            Socket connecting = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            connecting.Connect(IPEndPoint.Parse($"{Service}:{Port}"));
            return connecting;
        });
        socket.ReceiveTimeout = socket.SendTimeout = (int)s_limit.TotalMilliseconds;
        return new NetcatSession(lab, directory, nc, capture, socket);
    }

    /// <summary>Runs tcpcp on a host, with the tests' own process numbers, which are those of /proc there.</summary>
    public async Task<(int ExitCode, string Output, string Error)> RunAsync(Host host, params string[] arguments)
    {
        ChildProcess process = Start(host, arguments);
        int exitCode = await process.Exit.WaitAsync(s_limit);
        return (exitCode, await process.Output!.Completed.WaitAsync(s_limit), await process.ErrorOutput!.Completed.WaitAsync(s_limit));
    }

    /// <inheritdoc cref="RunAsync"/>
    public ChildProcess Start(Host host, params string[] arguments)
    {
        ChildProcess process = ChildProcess.Start(Command.Path, arguments, new ChildOptions { Input = ChildInput.Pipe }, host.Thread);
        _processes.Add(process);
        return process;
    }

    /// <summary>Saves the connection; it must succeed.</summary>
    public async Task DumpAsync(params string[] options)
    {
        (int exitCode, string output, string error) = await RunAsync(A, ["dump", $"{Connection}", "-o", File, .. options]);
        Assert.True(exitCode == 0, output + error);
    }

    /// <summary>The peer sends a line to a program, and the program one to the peer.</summary>
    public async Task ExchangeAsync(ChildProcess program, string text)
    {
        Peer.Send(Encoding.ASCII.GetBytes($"to {text}\n"));
        await program.Output!.WaitForAsync($"to {text}\n", s_limit);
        await program.Input!.WriteAsync(Encoding.ASCII.GetBytes($"from {text}\n"));
        await program.Input.FlushAsync();
        Assert.Equal($"from {text}\n", Receive($"from {text}\n".Length));
    }

    /// <summary>What the peer receives next.</summary>
    public string Receive(int bytes)
    {
        byte[] buffer = new byte[bytes];
        for (int read = 0; read < bytes;)
        {
            int count = Peer.Receive(buffer.AsSpan(read));
            Assert.True(count > 0, "The peer was told that the connection ended.");
            read += count;
        }

        return Encoding.ASCII.GetString(buffer);
    }

    /// <summary>The service address moves to host B.</summary>
    public void MoveToB()
    {
        A.Network.Addresses.Remove(A.Network.Links.Get(Host.InterfaceName).Index, InterfaceAddress.Parse(Service));
        LinkInfo link = B.Network.Links.Get(Host.InterfaceName);
        B.Network.Addresses.Add(link.Index, InterfaceAddress.Parse(Service));
        using AddressAnnouncement announcement = B.Run(() => AddressAnnouncement.Open(link.Index, link.HardwareAddress));
        announcement.Announce(IPAddress.Parse(Service));
    }

    /// <summary>What the peer saw until now: nothing contradictory, no RST, and no FIN unless it is said to be there.</summary>
    public async Task AssertCleanAsync(bool ended = false)
    {
        await _capture.StopAsync();
        Assert.Equal(0, _capture.Drops);
        CaptureReport report = CaptureJudge.Judge(_capture.Path, new JudgeOptions { Peer = IPAddress.Parse("10.0.0.1"), IsStrict = true });
        Assert.Equal([], report.Connections.SelectMany(connection => connection.Findings).Select(finding => finding.Message));
        Assert.Equal(Verdict.Clean, report.Verdict);
        ConnectionReport connection = Assert.Single(report.Connections);
        Assert.Equal((0, 0, ended), (connection.ServiceResets, connection.UnexpectedFins, connection.HasServiceFin));
    }

    public async ValueTask DisposeAsync()
    {
        Peer.Dispose();
        foreach (ChildProcess process in _processes)
            await process.DisposeAsync();
        await _lab.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    private static bool IsListening()
    {
        using SocketDiagnostics diagnostics = new();
        return diagnostics.List(TcpState.Listen).Any(socket => socket.Connection.Local.Port == Port);
    }
}
