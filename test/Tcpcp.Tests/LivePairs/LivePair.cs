using System.Net;
using System.Net.Sockets;
using Tcpcp.Check;
using Tcpcp.Core;
using Tcpcp.Lab;
using Tcpcp.Lab.Capture;

namespace Tcpcp.Tests;

/// <summary>A TCP connection from the peer to a service address at the origin, with a capture at the peer. It can be passed from host to host.</summary>
internal sealed class LivePair : IAsyncDisposable
{
    private readonly PassLab _lab;
    private readonly IPAddress _address;
    private readonly PacketCapture? _capture;
    private readonly List<IDisposable> _scopes = [];
    private FrozenConnection? _taken;
    private readonly List<double> _frozenAt = [];

    private LivePair(PassLab lab, IPAddress address, PacketCapture? capture)
    {
        _lab = lab;
        _address = address;
        _capture = capture;
        ServiceHost = lab.Origin;
        (ByteStream toPeer, ByteStream toService) = (new(1), new(2));
        Service = new StreamEnd(toPeer, toService);
        Peer = new StreamEnd(toService, toPeer);
    }

    /// <summary>The end that is passed.</summary>
    public StreamEnd Service { get; }

    public StreamEnd Peer { get; }

    /// <summary>The host that owns the connection now.</summary>
    public Host ServiceHost { get; private set; }

    /// <summary>The service's address.</summary>
    public IPAddress Address => _address;

    /// <summary>As the service's host names it.</summary>
    public FourTuple Connection { get; private set; }

    /// <param name="listener">Settings that the service's socket inherits.</param>
    /// <param name="peer">Settings of the peer's socket, before it connects.</param>
    /// <param name="isCaptured">False where a capture of all the lab's connections runs.</param>
    public static LivePair Connect(PassLab lab, IPKind kind = IPKind.IPv4, Action<Socket>? listener = null, Action<Socket>? peer = null,
        bool isCaptured = true)
    {
        IPAddress address = lab.PlaceServiceAddress(kind);
        LivePair pair = new(lab, address, isCaptured ? lab.StartCapture() : null);
        using Socket listening = lab.Origin.Run(() => Listen(kind, address, 0, listener));
        IPEndPoint endPoint = new(address, ((IPEndPoint)listening.LocalEndPoint!).Port);
        pair.Peer.Socket = lab.Peer.Run(() =>
        {
            Socket socket = new(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            peer?.Invoke(socket);
            socket.Bind(new IPEndPoint(lab.PeerAddress(kind), 0)); // to an address of its own host it would connect from that address
            socket.Connect(endPoint);
            return socket;
        });
        pair.Service.Socket = listening.Accept();
        pair.Connection = new FourTuple(endPoint, (IPEndPoint)pair.Peer.Socket.LocalEndPoint!);
        return pair;
    }

    /// <summary>To be called on the thread of a host.</summary>
    public static Socket Listen(IPKind kind, IPAddress address, int port, Action<Socket>? configure = null)
    {
        Socket listening = new(kind == IPKind.IPv4 ? AddressFamily.InterNetwork : AddressFamily.InterNetworkV6, SocketType.Stream, ProtocolType.Tcp);
        if (kind == IPKind.V4Mapped)
            listening.DualMode = true;
        configure?.Invoke(listening);
        listening.Bind(new IPEndPoint(kind == IPKind.V4Mapped ? address.MapToIPv6() : address, port));
        listening.Listen();
        return listening;
    }

    /// <summary>Shows the connection's segments from now on.</summary>
    public Wiretap Tap() => Own(new Wiretap(_lab.Peer, Connection));

    public FrozenConnection Freeze()
    {
        FrozenConnection frozen = Own(ServiceHost.Run(() => FrozenConnection.Freeze(Service.Socket)));
        _frozenAt.Add(SecondsOf(DateTimeOffset.UtcNow)); // not before: it may have waited for the host's thread
        return frozen;
    }

    /// <summary>Captures the connection and gives it up here: no FIN, no RST.</summary>
    public ConnectionSnapshot Take()
    {
        _taken = Freeze();
        ConnectionSnapshot snapshot = _taken.Capture();
        _taken.MarkSent();
        _taken.Release();
        return snapshot;
    }

    /// <summary>Moves the service address, with the connection dormant there before the first packet can reach it.</summary>
    public DormantConnection RestoreAt(Host host, ConnectionSnapshot snapshot, bool keepsEcn = false)
    {
        PassLab.Move(_address, ServiceHost, host);
        ServiceHost = host;
        DormantConnection dormant = Own(host.Run(() => DormantConnection.Restore(snapshot, _taken?.StoodStill ?? TimeSpan.Zero, keepsEcn)));
        _lab.Divert(_address, host);
        return dormant;
    }

    /// <summary>Lets the restored connection live; it is the service's socket from now on.</summary>
    public Socket Activate(DormantConnection dormant)
    {
        Service.Socket = dormant.Activate();
        return Service.Socket;
    }

    /// <summary>A whole pass.</summary>
    public ConnectionSnapshot PassTo(Host host)
    {
        ConnectionSnapshot snapshot = Take();
        Activate(RestoreAt(host, snapshot));
        return snapshot;
    }

    /// <summary>Sends in both directions, receives all that is outstanding, and compares the sums.</summary>
    public async Task ExchangeAsync(int bytes = 100_000)
    {
        (int toPeer, int toService) = (bytes, bytes);
        await Until.True(
            () =>
            {
                toPeer -= Service.Send(toPeer);
                toService -= Peer.Send(toService);
                Peer.Receive();
                Service.Receive();
                return toPeer == 0 && toService == 0 && Peer.Received == Service.Sent && Service.Received == Peer.Sent;
            },
            state: Progress);
        Assert.Equal((Service.SentSum, Peer.SentSum), (Peer.ReceivedSum, Service.ReceivedSum));
    }

    /// <summary>What the peer saw of the connection: nothing contradictory, and all of it.</summary>
    public async Task<ConnectionReport> JudgeAsync(bool mayHaveServiceFin = false)
    {
        await _capture!.StopAsync();
        CaptureReport capture = CaptureJudge.Judge(_capture.Path, new JudgeOptions { Peer = Connection.Peer.Address, IsStrict = true });
        return Judge(capture, mayHaveServiceFin);
    }

    /// <inheritdoc cref="JudgeAsync"/>
    /// <param name="mayLackMemory">The service's buffer is small, and it does not read.</param>
    /// <param name="explain">What a failure says of a finding besides.</param>
    public ConnectionReport Judge(CaptureReport capture, bool mayHaveServiceFin, bool mayLackMemory = false, Func<Contradiction, string>? explain = null)
    {
        ConnectionReport report = capture.Connections.Single(connection => connection.Connection == Connection);
        // A kernel that lacks the memory for what its window allows closes it, with a step back, whether a connection is passed or not. (It closes the window
        // in answer to a segment that it drops; how much room a restored socket has is a test of its own.)
        Contradiction[] findings =
        [
            .. report.Findings.Where(finding => finding.Kind != ContradictionKind.WindowShrank
                || (!(mayLackMemory && finding.Message.Contains("+ 0 <<", StringComparison.Ordinal)) && SecondsOf(finding.Time) >= _frozenAt.FirstOrDefault(double.MaxValue))),
        ];
        Assert.True(findings.Length == 0,
            string.Join('\n', findings.Select(finding => $"#{finding.PacketNumber} {finding.Message}\n{explain?.Invoke(finding)}")) + $"\nfrozen at {string.Join(", ", _frozenAt)}");
        Assert.Empty(capture.Holes);
        Assert.True(report.HasHandshake && report.IsWindowJudged);
        Assert.True(mayHaveServiceFin || !report.HasServiceFin);
        Assert.Equal((0, 0), (report.ServiceResets, report.UnexpectedFins));
        return report;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (IDisposable scope in _scopes)
            scope.Dispose(); // a frozen connection thaws: before its socket is closed
        Service.Dispose();
        Peer.Dispose();
        if (_capture is null)
            return;
        await _capture.DisposeAsync();
        File.Delete(_capture.Path);
    }

    public string Progress() => $"Service sent {Service.Sent}, peer received {Peer.Received}; peer sent {Peer.Sent}, service received {Service.Received}.";

    private static double SecondsOf(DateTimeOffset time) => (time - DateTimeOffset.UnixEpoch).TotalSeconds;

    private T Own<T>(T scope)
        where T : IDisposable
    {
        _scopes.Add(scope);
        return scope;
    }
}
