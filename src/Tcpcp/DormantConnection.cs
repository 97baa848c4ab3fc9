using System.Diagnostics;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Tcpcp.Core;
using Tcpcp.Gate;
using Tcpcp.Linux;
using Tcpcp.Linux.Netlink;
using Tcpcp.Linux.Packets;
using Tcpcp.Linux.Tcp;
using Tcpcp.Restore;
using static Tcpcp.Linux.Tcp.SocketLevel;
using static Tcpcp.Linux.Tcp.TcpOption;

namespace Tcpcp;

/// <summary>
/// A restored connection that does not live yet: its socket is in repair mode behind the closed gate. A scope: leaving it without
/// <see cref="Activate()"/> discards the copy, silently; the gate then stays closed, so that the peer's packets draw no RST, until
/// <see cref="OpenGate"/> or another restore.
/// </summary>
/// <remarks>Needs CAP_NET_ADMIN in the calling thread's network namespace, and libnftables. Not thread-safe.</remarks>
public sealed class DormantConnection : IDisposable
{
    // A restored socket starts with the initial window: what exceeds it cannot leave at once (RFC 6928).
    private const int InitialWindowSegments = 10;

    private ConnectionGate _gate = null!; // set by the only caller of the constructor
    private ConnectionSnapshot _snapshot = null!;
    private PeerSegmentSocket? _peer;
    private SafeHandle? _socket;
    private int _written; // bytes of the snapshot's send queue that the socket has
    private bool _tailIsSent;
    private bool _isQueued;
    private bool _isAwake; // before it was adopted
    private bool _ownsGate;
    private KeptCongestion? _kept;

    private DormantConnection()
    {
    }

    /// <summary>The connection's name.</summary>
    public FourTuple Connection => _snapshot.Connection;

    /// <summary>Why something that was to be kept of the congestion control was not, in one sentence; null: it was.</summary>
    public string? KeepObstacle { get; private set; }

    /// <summary>Restores a connection, without sending anything.</summary>
    /// <remarks>
    /// With <see cref="CongestionStart.Keep"/> in the snapshot it starts from the captured window and rate: right only where the path to the peer is the same.
    /// That needs CAP_BPF and a cgroup2 file system; <see cref="KeepObstacle"/> says why it cannot be done.
    /// </remarks>
    /// <param name="snapshot">From <see cref="FrozenConnection.Capture()"/>; it is validated first.</param>
    /// <param name="stoodStill">How long the connection has stood still since the capture, as far as clocks have measured it: never more.</param>
    /// <param name="keepsEcn">Explicit congestion notification goes on where it was agreed on (RFC 3168). Else its marks are not answered any more. It needs Linux 6.4
    /// with BTF, CAP_BPF and CAP_PERFMON; <see cref="KeepObstacle"/> says why it cannot be done.</param>
    /// <exception cref="InvalidSnapshotException">The snapshot cannot be of a connection.</exception>
    /// <exception cref="NotRestorableException">The address is not of this host, or the connection lives here already.</exception>
    /// <exception cref="KernelException">The kernel refused something else.</exception>
    public static DormantConnection Restore(ConnectionSnapshot snapshot, TimeSpan stoodStill, bool keepsEcn = false)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        long stoodStillSince = Stopwatch.GetTimestamp() - (long)(stoodStill.TotalSeconds * Stopwatch.Frequency);
        ConnectionGate gate = ConnectionGate.Open();
        bool closed = false;
        try
        {
            SnapshotValidator.ThrowIfInvalid(snapshot);
            closed = gate.Close(snapshot.Connection);
            SolicitNextHop(snapshot.Connection);
            DormantConnection dormant = Restore(snapshot, gate, slot: 0, stoodStillSince, keepsEcn: keepsEcn);
            dormant._ownsGate = true;
            return dormant;
        }
        catch
        {
            if (closed)
                gate.Open(snapshot.Connection);
            gate.Dispose();
            throw;
        }
    }

    // Before the connection lives: its first packets would wait for the neighbour's link-layer address, and be overtaken by later ones.
    private static void SolicitNextHop(FourTuple connection)
    {
        try
        {
            using RouteNetlink route = RouteNetlink.Open();
            route.Solicit(connection.Peer.Address, connection.Local.Address);
        }
        catch (KernelException)
        {
            // The first packet asks.
        }
    }

    /// <param name="slot">Number of the pass, in the low bits of the mark.</param>
    /// <param name="stoodStillSince">Since when the connection has stood still, as <see cref="Stopwatch.GetTimestamp"/> of this host.</param>
    /// <param name="left">A scope that was activated or discarded, to be used again: many connections then cost one object.</param>
    /// <param name="isForeign">The local address need not be this host's: another host forwards the packets here.</param>
    /// <param name="keepsEcn">Where it was agreed on.</param>
    internal static DormantConnection Restore(ConnectionSnapshot snapshot, ConnectionGate gate, uint slot, long stoodStillSince,
        DormantConnection? left = null, bool isForeign = false, bool keepsEcn = false)
    {
        if (left is { _socket: not null } or { _ownsGate: true })
            throw new InvalidOperationException($"The scope of {left.Connection} is still in use.");
        SnapshotValidator.ThrowIfInvalid(snapshot);
        if (gate.Options.IsGateMark(snapshot.Options.Mark) || gate.Options.IsArrivalMark(snapshot.Options.Mark))
            throw new InvalidSnapshotException($"The snapshot of {snapshot.Connection} is not valid: its mark 0x{snapshot.Options.Mark:X} is the gate's; it would be silent for ever, or come past the gate.");
        uint mark = gate.Options.Mark | (slot & ~gate.Options.MarkMask);
        PeerSegmentSocket? peer = FinRestore.OpenPeer(snapshot, gate.Options.ArrivalMark);
        KeptCongestion? kept = KeptCongestion.Of(snapshot, keepsEcn, out string? obstacle);
        try
        {
            RawSocketHandle socket = ConnectionRestore.Restore(snapshot, mark, peer, stoodStillSince, isForeign, kept);
            left?._peer?.Dispose();
            DormantConnection dormant = left ?? new DormantConnection();
            (dormant._socket, dormant._gate, dormant._snapshot, dormant._peer) = (socket, gate, snapshot, peer);
            (dormant._tailIsSent, dormant._isQueued) = (false, false);
            (dormant._kept, dormant.KeepObstacle) = (kept, obstacle ?? kept?.Obstacle);
            dormant._written = snapshot.Sent.Length - dormant.Tail.Length;
            return dormant;
        }
        catch
        {
            peer?.Dispose();
            throw;
        }
    }

    /// <summary>Takes over a socket that an earlier program has restored, and perhaps begun to activate. Its application has not written to it.</summary>
    internal static DormantConnection Adopt(SafeHandle socket, ConnectionSnapshot snapshot, ConnectionGate gate)
    {
        PeerSegmentSocket? peer = FinRestore.OpenPeer(snapshot, gate.Options.ArrivalMark);
        DormantConnection dormant = new() { _socket = socket, _gate = gate, _snapshot = snapshot, _peer = peer };
        bool isDormant = RepairMode.IsOn(socket);
        RepairMode.Enter(socket);
        RepairMode.SelectQueue(socket, TCP_SEND_QUEUE);
        dormant._written = Math.Min(RepairMode.QueueSequence(socket) - snapshot.SndUna, snapshot.WriteSeq - snapshot.SndUna); // a FIN is no byte
        RepairMode.SelectQueue(socket, TCP_NO_QUEUE);
        if (!isDormant)
            RepairMode.Leave(socket, probe: false, snapshot.Options.ReuseAddress);
        dormant._isAwake = !isDormant;
        return dormant;
    }

    /// <summary>The dormant socket.</summary>
    internal SafeHandle Socket => _socket ?? throw new InvalidOperationException($"{Connection} was activated or discarded already.");

    /// <summary>Lets the connection live: from now on this host owns it.</summary>
    /// <returns>The socket; the caller owns it.</returns>
    public Socket Activate()
    {
        SafeHandle socket = Wake(acknowledged: null);
        Finish();
        return RawSocketHandle.SocketOf(socket);
    }

    /// <summary>First half of the activation: the socket can receive and send.</summary>
    /// <param name="acknowledged">The highest acknowledgement number among the peer's packets that wait to be replayed.</param>
    internal SafeHandle Wake(SequenceNumber? acknowledged)
    {
        SafeHandle socket = _socket ?? throw new InvalidOperationException($"{Connection} was activated or discarded already.");
        using HeldDescriptor.Scope held = HeldDescriptor.Hold(socket);
        SequenceNumber known = acknowledged is { } number && number.IsAfter(_snapshot.SndUna) ? number : _snapshot.SndUna;
        int open = Math.Max(0, _snapshot.SndNxt - known);

        // Bytes in flight that the peer may lack: the last segment goes out at once, as unsent, and serves as a tail-loss probe; as sent it would wait
        // for a fresh RTO. Where the window would hold it back, or the peer has it already, it counts as sent.
        _tailIsSent = open == 0 || open > (_kept?.WindowSegments ?? InitialWindowSegments) * (long)_snapshot.Negotiated.SendMss || _written >= _snapshot.Sent.Length;
        if (_isAwake)
        {
            _gate.Open(Connection);
            return socket;
        }

        if (_tailIsSent && _written < _snapshot.Sent.Length)
        {
            RepairMode.SelectQueue(socket, TCP_SEND_QUEUE);
            QueueWriter.Send(socket, Tail.Span, _snapshot.Sent.Length);
            RepairMode.SelectQueue(socket, TCP_NO_QUEUE);
            _written = _snapshot.Sent.Length;
        }

        if (_snapshot.State.HasOpenFin())
            WriteFin(socket);
        SocketOption.Set(socket, SOL_SOCKET, SO_MARK, _snapshot.Options.Mark);
        _gate.Open(Connection);
        if (!_isQueued)
            RepairMode.Leave(socket, probe: _tailIsSent && open > 0, _snapshot.Options.ReuseAddress);
        return socket;
    }

    // The own FIN has to be written before the peer's packets come in, or a FIN among them would lead to another state. What is not sent yet is written
    // behind the closed gate: a segment that the gate keeps back stays unsent.
    private void WriteFin(SafeHandle socket)
    {
        if (_tailIsSent && _snapshot.SndNxt == _snapshot.WriteSeq)
        {
            FinRestore.WriteSentFin(socket);
        }
        else
        {
            RepairMode.Leave(socket, probe: false, _snapshot.Options.ReuseAddress);
            _isQueued = true;
            if (!_tailIsSent)
                QueueWriter.Send(socket, Tail.Span, _snapshot.Sent.Length, apart: true); // in a larger segment the kernel might defer it (tcp_tso_should_defer)
            QueueWriter.Send(socket, _snapshot.Unsent.Span, _snapshot.Sent.Length);
            RawSocket.ShutDownSending(socket);
        }

        if (_snapshot.State == TcpState.Closing)
            FinRestore.ReceiveFin(socket, _peer!, _snapshot, TcpState.Closing);
    }

    /// <summary>Second half, after the held packets were replayed: what was never sent leaves, and the application's options hold.</summary>
    internal void Finish()
    {
        SafeHandle socket = _socket!;
        _socket = null;
        using HeldDescriptor.Scope held = HeldDescriptor.Hold(socket);
        TcpSocketOptions options = _snapshot.Options;
        bool pushes = !_tailIsSent || _isQueued || _snapshot.Unsent.Length > 0;
        if (pushes)
            SocketOption.Set(socket, IPPROTO_TCP, TCP_NODELAY, 1); // else Nagle's algorithm may hold the tail back; and it pushes what is queued
        if (_written < _snapshot.Sent.Length && !_isQueued)
            SendLive(socket, _snapshot.Sent[_written..]);
        if (!_tailIsSent && SocketQueues.UnsentBytes(socket) > (_isQueued ? _snapshot.WriteSeq - _snapshot.SndNxt : 0))
            CountAsSent(socket);
        if (options.Cork)
            SocketOption.Set(socket, IPPROTO_TCP, TCP_CORK, 1);
        if (!_isQueued)
            SendLive(socket, _snapshot.Unsent[Math.Clamp(_written - _snapshot.Sent.Length, 0, _snapshot.Unsent.Length)..]);
        if (pushes != options.NoDelay)
            SocketOption.Set(socket, IPPROTO_TCP, TCP_NODELAY, options.NoDelay ? 1 : 0);
        OptionWriter.WriteLive(socket, options);
        if (_snapshot.FinReceived && _snapshot.Window.RcvWup != _snapshot.RcvNxt)
            FinRestore.AcknowledgeFin(_peer!, _snapshot);
    }

    // The tail did not leave: a full queue of the interface, for instance. It must not stay unsent: if the peer has it already, its acknowledgements would be
    // for what this end has not sent, and would be discarded for ever. As sent it is retransmitted in time.
    private void CountAsSent(SafeHandle socket)
    {
        RepairMode.Enter(socket);
        RepairMode.SelectQueue(socket, TCP_SEND_QUEUE);
        SocketOption.Set(socket, IPPROTO_TCP, TCP_NODELAY, 1);
        RepairMode.SelectQueue(socket, TCP_NO_QUEUE);
        RepairMode.Leave(socket, probe: true, _snapshot.Options.ReuseAddress);
    }

    // An RST of the peer may have come first: the application learns of it as it would have at the origin.
    private void SendLive(SafeHandle socket, ReadOnlyMemory<byte> bytes)
    {
        try
        {
            QueueWriter.Send(socket, bytes.Span, _snapshot.Sent.Length);
        }
        catch (KernelException e) when (e.Errno is Errno.EPIPE or Errno.ECONNRESET or Errno.ETIMEDOUT)
        {
        }
    }

    /// <summary>Instead of the activation, when the kernel has refused it: the copy ends, and the peer learns it, as from a host whose program has failed.</summary>
    internal void Abort()
    {
        if (_socket is { } socket)
        {
            _socket = null;
            DissolveWhatIsLeft(socket);
        }

        _gate.Open(Connection);
        // A segment of the peer's for a socket that is not there: the kernel answers it with an RST, at the peer's RCV.NXT.
        using PeerSegmentSocket peer = PeerSegmentSocket.Open(Connection, _gate.Options.ArrivalMark);
        peer.Deliver(new PeerSegment(_snapshot.RcvNxt, _snapshot.SndNxt, Window: 0));
    }

    private static void DissolveWhatIsLeft(SafeHandle socket)
    {
        try
        {
            using (socket)
                RawSocket.Dissolve(socket);
        }
        catch (Exception e) when (e is KernelException or ObjectDisposedException)
        {
            // It was dissolved, or closed, already.
        }
    }

    /// <summary>Discards the copy silently, unless it was activated.</summary>
    public void Dispose()
    {
        if (_socket is not null)
        {
            RawSocket.Dissolve(_socket);
            _socket.Dispose();
            _socket = null;
        }

        _peer?.Dispose();
        if (_ownsGate)
            _gate.Dispose();
    }

    /// <summary>
    /// After the copy was discarded, when no packet of the connection reaches this host any more: removes the gate's entry. To be called on a thread
    /// in the same network namespace as <see cref="Restore(ConnectionSnapshot, TimeSpan, bool)"/>.
    /// </summary>
    public void OpenGate()
    {
        if (_socket is not null)
            throw new InvalidOperationException($"{Connection} is dormant; its gate opens by Activate.");
        using ConnectionGate gate = ConnectionGate.Open(_gate.Options);
        gate.Open(Connection);
    }

    private ReadOnlyMemory<byte> Tail => _snapshot.Sent[^ConnectionRestore.TailBytes(_snapshot)..];
}
