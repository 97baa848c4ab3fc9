using System.Buffers;
using System.Diagnostics;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Tcpcp.Capture;
using Tcpcp.Core;
using Tcpcp.Gate;
using Tcpcp.Linux;
using Tcpcp.Linux.Packets;
using Tcpcp.Linux.Tcp;
using static Tcpcp.Linux.Tcp.SocketLevel;
using static Tcpcp.Linux.Tcp.TcpOption;

namespace Tcpcp;

/// <summary>
/// A live connection that stands still: its socket is in repair mode behind the closed gate, and nothing of it goes in or out. A scope: leaving it
/// thaws the connection, until <see cref="MarkSent"/>; from then on it stays frozen unless <see cref="Thaw()"/> or <see cref="Release"/> is called,
/// since an exception after sending must not make two owners.
/// </summary>
/// <remarks>
/// Needs CAP_NET_ADMIN in the socket's network namespace, and libnftables. No other thread may use the socket meanwhile. Not thread-safe.
/// </remarks>
public sealed class FrozenConnection : IDisposable
{
    // Behind the gate nothing is acknowledged: with 0 the kernel would kill a socket with data in flight after tcp_retries2.
    private const int LongUserTimeoutMilliseconds = 3_600_000;

    private static readonly TimeSpan s_answerTime = TimeSpan.FromMilliseconds(20);

    private SafeHandle _socket = null!; // set by the only caller of the constructor
    private ConnectionGate _gate = null!;
    private PassableSocket _passable;
    private TcpSocketOptions _options;
    private ulong _epoch;
    private State _state = State.Released;
    private bool _ownsGate;
    private ConnectionLock? _lock;
    private int _inFlight;
    private uint? _sentTimestamp;
    private long _clockReadAt;

    private FrozenConnection()
    {
    }

    private enum State
    {
        Frozen,
        Sent,
        Thawed,
        Released,
    }

    /// <summary>The connection's name.</summary>
    public FourTuple Connection => _passable.Connection;

    /// <summary>Time since <see cref="Capture()"/>: a destination advances the timestamp clock by it.</summary>
    public TimeSpan StoodStill => _clockReadAt == 0 ? TimeSpan.Zero : Stopwatch.GetElapsedTime(_clockReadAt);

    /// <summary>Freezes a connection: closes the gate, then enters repair mode.</summary>
    /// <param name="socket">A connected TCP socket; the scope owns it from <see cref="Release"/> on.</param>
    /// <exception cref="NotPassableException">It cannot be passed; nothing was changed.</exception>
    /// <exception cref="Tcpcp.Linux.KernelException">The kernel refused; the connection goes on as before.</exception>
    public static FrozenConnection Freeze(Socket socket)
    {
        ArgumentNullException.ThrowIfNull(socket);
        return Freeze(socket.SafeHandle);
    }

    /// <summary>Freezes a connection by a descriptor of its socket, such as <see cref="ForeignSocket.Handle"/>; no status flag changes.</summary>
    /// <inheritdoc cref="Freeze(Socket)"/>
    public static FrozenConnection Freeze(SafeHandle socket)
    {
        ArgumentNullException.ThrowIfNull(socket);
        ConnectionGate gate = ConnectionGate.OpenFor(socket);
        ConnectionLock? taken = null;
        try
        {
            taken = ConnectionLock.TryTake(socket)
                ?? throw new NotPassableException(NotPassableReason.AlreadyPassing, null, "Another pass of this connection is open.");
            FrozenConnection frozen = Freeze(socket, gate, slot: 0, epoch: 0);
            (frozen._ownsGate, frozen._lock) = (true, taken);
            return frozen;
        }
        catch
        {
            taken?.Dispose();
            gate.Dispose();
            throw;
        }
    }

    /// <remarks>The caller has the <see cref="ConnectionLock"/>.</remarks>
    /// <param name="slot">Number of the pass, in the low bits of the mark.</param>
    /// <param name="epoch">Number of the redirection that made this host the owner.</param>
    /// <param name="left">A scope over the same kind of gate that was released or thawed, to be used again: many connections then cost one object.</param>
    internal static FrozenConnection Freeze(SafeHandle socket, ConnectionGate gate, uint slot, ulong epoch, FrozenConnection? left = null)
    {
        if (left is { _state: not (State.Thawed or State.Released) } or { _ownsGate: true })
            throw new InvalidOperationException($"The scope of {left.Connection} is still in use.");
        using HeldDescriptor.Scope held = HeldDescriptor.Hold(socket);
        PassableSocket passable = Passability.Require(socket, gate.Options, out TcpInfo info);
        TcpSocketOptions options = OptionReader.Read(socket, passable.IPv6Socket && !passable.V4Mapped, passable.Mark);
        bool mayBeAhead = (info.tcpi_options & TCPI_OPT_TIMESTAMPS) != 0 && info.tcpi_last_data_sent < PacingLead.LongestMilliseconds;
        if (mayBeAhead)
            gate.ForgetTimestamp(passable.Connection);
        if (!gate.Close(passable.Connection))
            throw new NotPassableException(NotPassableReason.AlreadyPassing, passable.Connection, "its gate is closed already: another pass of it is open.");
        FrozenConnection frozen = left ?? new FrozenConnection();
        frozen.Begin(socket, gate, passable, options, epoch);
        try
        {
            frozen.Enter(slot, mayBeAhead);
            Passability.RequireNoUrgentData(socket, passable.Connection, frozen._options.OutOfBandInline);
            return frozen;
        }
        catch
        {
            frozen.Thaw();
            throw;
        }
    }

    /// <summary>Takes over a socket that an earlier program has frozen, and of which it may have sent the snapshot.</summary>
    /// <param name="options">As they were before the freeze.</param>
    internal static FrozenConnection Adopt(SafeHandle socket, ConnectionGate gate, in TcpSocketOptions options, ulong epoch)
    {
        if (!IsFrozen(socket, gate.Options))
            throw new InvalidOperationException("The socket is not frozen.");
        PassableSocket passable = new(RawSocket.Ends(socket, out bool ipv6, out bool v4Mapped), ipv6, v4Mapped, options.Mark);
        FrozenConnection frozen = new();
        frozen.Begin(socket, gate, passable, options, epoch);
        RepairMode.Enter(socket); // it may have died between the mark and this
        frozen._inFlight = ConnectionCapture.InFlightBytes(socket);
        frozen._state = State.Sent;
        return frozen;
    }

    /// <summary>Whether a socket stands still by a freeze, of whichever program.</summary>
    internal static bool IsFrozen(SafeHandle socket, GateOptions gate) =>
        gate.IsGateMark(unchecked((uint)SocketOption.Get(socket, SOL_SOCKET, SO_MARK)));

    /// <summary>Reads the connection's whole state. May be repeated; nothing changes.</summary>
    /// <exception cref="NotPassableException">It does not stand still, which means that something else uses the socket.</exception>
    public ConnectionSnapshot Capture() => Capture(buffers: null);

    /// <param name="buffers">Where the snapshot's buffers are taken from; <see cref="SnapshotBuffers.Return(ConnectionSnapshot, ArrayPool{byte})"/>.</param>
    internal ConnectionSnapshot Capture(ArrayPool<byte>? buffers)
    {
        if (_state is not (State.Frozen or State.Sent))
            throw new InvalidOperationException($"{Connection} is {_state}; only a frozen connection can be captured.");
        using HeldDescriptor.Scope held = HeldDescriptor.Hold(_socket);
        return ConnectionCapture.Capture(_socket, _passable, _options, _inFlight, _sentTimestamp, out _clockReadAt, _epoch, buffers);
    }

    /// <summary>Says that the snapshot is about to leave this process. From now on leaving the scope keeps the connection frozen.</summary>
    public void MarkSent()
    {
        if (_state is not (State.Frozen or State.Sent))
            throw new InvalidOperationException($"{Connection} is {_state}; its snapshot must not be sent.");
        _state = State.Sent;
    }

    /// <summary>
    /// Lets the connection go on here, options and all as before. Only for an owner: never after <see cref="MarkSent"/> unless the destination has
    /// refused for good.
    /// </summary>
    public void Thaw() => Thaw(replay: null);

    /// <param name="replay">Runs when the socket can receive again, and before it sends: the held packets.</param>
    internal void Thaw(Action? replay)
    {
        if (_state is State.Thawed or State.Released)
            return;
        _state = State.Thawed;
        SocketOption.Set(_socket, SOL_SOCKET, SO_MARK, _options.Mark);
        _gate.Open(Connection);
        // With a probe: what the peer sent meanwhile was dropped, and its answer brings the connection up to date.
        RepairMode.Leave(_socket, probe: replay is null, _options.ReuseAddress);
        replay?.Invoke();
        SocketOption.Set(_socket, IPPROTO_TCP, TCP_USER_TIMEOUT, (int)_options.UserTimeout.TotalMilliseconds);
        if (_options.KeepAlive)
            SocketOption.Set(_socket, SOL_SOCKET, SO_KEEPALIVE, 1);
        if (!_options.Cork)
            Push();
        _lock?.Dispose();
    }

    /// <summary>
    /// Gives the connection up: closes the socket silently, now that somebody else owns the connection. The gate stays closed for its packets, so
    /// that none draws an RST, until <see cref="OpenGate"/>.
    /// </summary>
    public void Release()
    {
        if (_state is not (State.Frozen or State.Sent))
            throw new InvalidOperationException($"{Connection} is {_state}; only a frozen connection can be released.");
        _state = State.Released;
        RawSocket.Dissolve(_socket); // a shutdown by the socket's owner would send a FIN else
        _socket.Dispose();
        _lock?.Dispose();
    }

    /// <summary>After <see cref="Release"/>, when no packet of the connection reaches this host any more: removes the gate's entry.</summary>
    public void OpenGate()
    {
        if (_state != State.Released)
            throw new InvalidOperationException($"{Connection} is {_state}; the gate of a frozen connection opens by Thaw.");
        _gate.Open(Connection);
    }

    /// <summary>Leaves the scope: thaws, unless the snapshot was sent.</summary>
    public void Dispose()
    {
        if (_state == State.Frozen)
            Thaw();
        _lock?.Dispose(); // a copy that stays frozen is known by the gate's mark
        if (_ownsGate)
            _gate.Dispose();
    }

    // Setting TCP_NODELAY pushes what could not leave behind the gate.
    private void Push()
    {
        SocketOption.Set(_socket, IPPROTO_TCP, TCP_NODELAY, 1);
        if (!_options.NoDelay)
            SocketOption.Set(_socket, IPPROTO_TCP, TCP_NODELAY, 0);
    }

    private void Begin(SafeHandle socket, ConnectionGate gate, in PassableSocket passable, in TcpSocketOptions options, ulong epoch)
    {
        (_socket, _gate, _passable, _options, _epoch) = (socket, gate, passable, options, epoch);
        (_state, _sentTimestamp, _clockReadAt) = (State.Frozen, null, 0);
    }

    // The gate's entry is there already: egress is closed before anything is captured.
    private void Enter(uint slot, bool mayBeAhead)
    {
        SocketOption.Set(_socket, SOL_SOCKET, SO_MARK, _gate.Options.Mark | (slot & ~_gate.Options.MarkMask));
        if (_options.KeepAlive)
            SocketOption.Set(_socket, SOL_SOCKET, SO_KEEPALIVE, 0);
        SocketOption.Set(_socket, IPPROTO_TCP, TCP_USER_TIMEOUT, LongUserTimeoutMilliseconds);
        RepairMode.Enter(_socket);
        if (mayBeAhead)
            _sentTimestamp = LetSpeak();

        _inFlight = ConnectionCapture.InFlightBytes(_socket);
    }

    // Where a socket is paced, its timestamps are too. Something that it says now stops at the gate, which notes its timestamp.
    private uint? LetSpeak()
    {
        SocketOption.Get(_socket, IPPROTO_TCP, TCP_INFO, out TcpInfo info);
        if ((TcpState)info.tcpi_state == TcpState.Established)
        {
            RepairMode.Leave(_socket, probe: true, reuseAddress: false);
            RepairMode.Enter(_socket);
            return _gate.KeptTimestamp(Connection);
        }

        // There is no probe in the other states: an old byte is answered in every one.
        RepairMode.SelectQueue(_socket, TCP_RECV_QUEUE);
        SequenceNumber received = RepairMode.QueueSequence(_socket);
        RepairMode.SelectQueue(_socket, TCP_SEND_QUEUE);
        SequenceNumber acknowledged = RepairMode.QueueSequence(_socket) - SocketQueues.UnacknowledgedBytes(_socket);
        RepairMode.SelectQueue(_socket, TCP_NO_QUEUE);
        ushort window = (ushort)Math.Min(RepairMode.Window(_socket).SndWnd >> info.SndWscale, ushort.MaxValue);
        using PeerSegmentSocket peer = PeerSegmentSocket.Open(Connection, _gate.Options.ArrivalMark);
        peer.Deliver(new PeerSegment(received - 1, acknowledged, window, DataBytes: 1));
        uint? kept = null;
        SpinWait.SpinUntil(() => (kept = _gate.KeptTimestamp(Connection)) is not null, s_answerTime); // else it is estimated
        return kept;
    }
}
