using System.Diagnostics;
using System.Net.Sockets;
using Tcpcp.Core;
using Tcpcp.Gate;
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

    private readonly ConnectionGate _gate;
    private readonly ConnectionSnapshot _snapshot;
    private SafeSocketHandle? _socket;
    private bool _tailIsSent;
    private bool _ownsGate;

    private DormantConnection(SafeSocketHandle socket, ConnectionGate gate, ConnectionSnapshot snapshot)
    {
        _socket = socket;
        _gate = gate;
        _snapshot = snapshot;
    }

    /// <summary>The connection's name.</summary>
    public FourTuple Connection => _snapshot.Connection;

    /// <summary>Restores a connection, without sending anything.</summary>
    /// <param name="snapshot">From <see cref="FrozenConnection.Capture"/>; it is validated first.</param>
    /// <param name="stoodStill">How long the connection has stood still since the capture, as far as clocks have measured it: never more.</param>
    /// <exception cref="InvalidSnapshotException">The snapshot cannot be of a connection.</exception>
    /// <exception cref="Linux.KernelException">The kernel refused: for instance EADDRNOTAVAIL, the address is not of this host or the connection
    /// lives here already.</exception>
    public static DormantConnection Restore(ConnectionSnapshot snapshot, TimeSpan stoodStill)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        long stoodStillSince = Stopwatch.GetTimestamp() - (long)(stoodStill.TotalSeconds * Stopwatch.Frequency);
        ConnectionGate gate = ConnectionGate.Open();
        bool closed = false;
        try
        {
            SnapshotValidator.ThrowIfInvalid(snapshot);
            closed = gate.Close(snapshot.Connection);
            DormantConnection dormant = Restore(snapshot, gate, slot: 0, stoodStillSince);
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

    /// <param name="slot">Number of the pass, in the low bits of the mark.</param>
    /// <param name="stoodStillSince">Since when the connection has stood still, as <see cref="Stopwatch.GetTimestamp"/> of this host.</param>
    internal static DormantConnection Restore(ConnectionSnapshot snapshot, ConnectionGate gate, uint slot, long stoodStillSince)
    {
        SnapshotValidator.ThrowIfInvalid(snapshot);
        if (snapshot.State != TcpState.Established)
            throw new InvalidSnapshotException($"The snapshot of {snapshot.Connection} is of state {snapshot.State}; only Established can be restored.");
        uint mark = gate.Options.Mark | (slot & ~gate.Options.MarkMask);
        SafeSocketHandle socket = ConnectionRestore.Restore(snapshot, mark, stoodStillSince);
        return new DormantConnection(socket, gate, snapshot);
    }

    /// <summary>Lets the connection live: from now on this host owns it.</summary>
    /// <returns>The socket; the caller owns it.</returns>
    public Socket Activate()
    {
        SafeSocketHandle socket = Wake(acknowledged: null);
        Finish();
        return new Socket(socket);
    }

    /// <summary>First half of the activation: the socket can receive and send.</summary>
    /// <param name="acknowledged">The highest acknowledgement number among the peer's packets that wait to be replayed.</param>
    internal SafeSocketHandle Wake(SequenceNumber? acknowledged)
    {
        SafeSocketHandle socket = _socket ?? throw new InvalidOperationException($"{Connection} was activated or discarded already.");
        SequenceNumber known = acknowledged is { } number && number.IsAfter(_snapshot.SndUna) ? number : _snapshot.SndUna;
        int open = Math.Max(0, _snapshot.SndNxt - known);

        // Bytes in flight that the peer may lack: the last segment goes out at once, as unsent, and serves as a tail-loss probe; as sent it would wait
        // for a fresh RTO. Where the window would hold it back, or the peer has it already, it counts as sent.
        _tailIsSent = open == 0 || open > InitialWindowSegments * _snapshot.Negotiated.SendMss;
        if (_tailIsSent)
        {
            RepairMode.SelectQueue(socket, TCP_SEND_QUEUE);
            QueueWriter.Send(socket, Tail.Span, _snapshot.Sent.Length);
            RepairMode.SelectQueue(socket, TCP_NO_QUEUE);
        }

        SocketOption.Set(socket, SOL_SOCKET, SO_MARK, _snapshot.Options.Mark);
        _gate.Open(Connection);
        RepairMode.Leave(socket, probe: _tailIsSent && open > 0);
        return socket;
    }

    /// <summary>Second half, after the held packets were replayed: what was never sent leaves, and the application's options hold.</summary>
    internal void Finish()
    {
        SafeSocketHandle socket = _socket!;
        _socket = null;
        TcpSocketOptions options = _snapshot.Options;
        if (!_tailIsSent || _snapshot.Unsent.Length > 0)
            SocketOption.Set(socket, IPPROTO_TCP, TCP_NODELAY, 1); // else Nagle's algorithm may hold the tail back
        if (!_tailIsSent)
            QueueWriter.Send(socket, Tail.Span, _snapshot.Sent.Length);
        if (options.Cork)
            SocketOption.Set(socket, IPPROTO_TCP, TCP_CORK, 1);
        QueueWriter.Send(socket, _snapshot.Unsent.Span, _snapshot.Sent.Length);
        SocketOption.Set(socket, IPPROTO_TCP, TCP_NODELAY, options.NoDelay ? 1 : 0);
        OptionWriter.WriteLive(socket, options);
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

        if (_ownsGate)
            _gate.Dispose();
    }

    /// <summary>
    /// After the copy was discarded, when no packet of the connection reaches this host any more: removes the gate's entry. To be called on a thread
    /// in the same network namespace as <see cref="Restore(ConnectionSnapshot, TimeSpan)"/>.
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
