using System.Diagnostics;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Tcpcp.Agent.Hold;
using Tcpcp.Agent.Redirection;
using Tcpcp.Capture;
using Tcpcp.Core;
using Tcpcp.Core.Passing;
using Tcpcp.Core.Wire;
using Tcpcp.Gate;
using Tcpcp.Linux;
using Tcpcp.Linux.Tcp;
using FourTuple = Tcpcp.Core.FourTuple;
using Redirector = Tcpcp.Agent.Redirection.Redirector;

namespace Tcpcp.Agent.Passing;

/// <summary>The connections of a pass at the origin: their sockets, or what a journal still has of them.</summary>
internal sealed class OriginConnections : IDisposable
{
    private readonly HostServices _host;
    private readonly IReadOnlyList<Socket?> _sockets; // null stands for one that is gone
    private readonly List<ConnectionLock> _locks = [];
    private readonly List<FrozenConnection?> _frozen = []; // null stands for one that was not frozen when its agent died
    private readonly Dictionary<int, Socket> _rebuilt = [];
    private HashSet<FourTuple> _kept = [];
    private bool _isRecovered; // the sockets are this object's own, second descriptors of the application's

    private OriginConnections(HostServices host, IReadOnlyList<FourTuple> names, IReadOnlyList<Socket?> sockets)
    {
        _host = host;
        Names = names;
        _sockets = sockets;
    }

    public IReadOnlyList<FourTuple> Names { get; }

    /// <summary>The snapshots, once they are taken or read from the journal.</summary>
    public IReadOnlyList<Core.ConnectionSnapshot> Snapshots { get; private set; } = [];

    /// <summary>How long the connections have stood still.</summary>
    public TimeSpan StoodStill => _frozen.Count == 0 ? TimeSpan.Zero : _frozen.Min(frozen => frozen?.StoodStill ?? TimeSpan.Zero);

    /// <summary>Whether one has agreed on explicit congestion notification.</summary>
    public bool HaveEcn { get; private set; }

    /// <summary>Bytes that wait in the send queues.</summary>
    public int UnacknowledgedBytes => _sockets.Sum(socket => SocketQueues.UnacknowledgedBytes(socket!.SafeHandle));

    /// <summary>Looks whether sockets can be passed, and locks their connections. Nothing changes.</summary>
    /// <exception cref="NotPassableException">One cannot.</exception>
    public static OriginConnections Take(HostServices host, IReadOnlyList<Socket> sockets)
    {
        if (sockets.Count == 0)
            throw new ArgumentException("A pass needs a connection.", nameof(sockets));
        List<FourTuple> names = [];
        OriginConnections connections = new(host, names, sockets);
        try
        {
            foreach (Socket socket in sockets)
            {
                FourTuple name = Passability.Require(socket.SafeHandle, host.Gate.Options, out TcpInfo info).Connection;
                if (info.HasEcn && host.Options.Ecn == EcnPolicy.Refuse)
                    throw new NotPassableException(NotPassableReason.Ecn, name, "it has agreed on ECN, and this host passes no such connection (ecn: refuse).");
                connections.HaveEcn |= info.HasEcn;
                if (host.OriginPasses.IsRecovering(name))
                    throw new NotPassableException(NotPassableReason.AlreadyPassing, name, "a pass that this agent's restart has interrupted is not settled yet.");
                connections._locks.Add(ConnectionLock.TryTake(socket.SafeHandle)
                    ?? throw new NotPassableException(NotPassableReason.AlreadyPassing, name, "another pass of it is open."));
                names.Add(name);
            }

            return connections;
        }
        catch
        {
            connections.Dispose();
            throw;
        }
    }

    /// <summary>After the death of the agent.</summary>
    /// <param name="record">The last of the pass.</param>
    /// <param name="sockets">What the application has of them, null for one that is gone; empty if it has died too.</param>
    public static OriginConnections Recover(HostServices host, JournalRecord record, IReadOnlyList<Socket?> sockets)
    {
        FourTuple[] names = [.. record.Connections.Select(EndPointWire.FromMessage)];
        OriginConnections connections = new(host, names, sockets)
        {
            _isRecovered = true,
            Snapshots = [.. record.Snapshots.Select(SnapshotWire.FromMessage)],
            _kept = [.. names.Intersect(host.Gate.Closed)],
        };
        for (int i = 0; i < sockets.Count; i++)
        {
            SafeHandle? socket = sockets[i]?.SafeHandle;
            if (socket is not null && ConnectionLock.TryTake(socket) is { } taken)
                connections._locks.Add(taken);
            connections._frozen.Add(socket is not null && FrozenConnection.IsFrozen(socket, host.Gate.Options)
                ? FrozenConnection.Adopt(socket, host.Gate, OptionsOf(record, i), record.Epoch) : null);
        }

        return connections;
    }

    /// <summary>Of a frozen socket: the mark is the gate's, and keep-alive and the user timeout are what they are while it stands still.</summary>
    public static TcpSocketOptions OptionsBehindGate(SafeHandle socket) => OptionReader.Read(socket) with { Mark = 0, UserTimeout = TimeSpan.Zero };

    private static SocketOptions OptionsOf(Socket? socket) => socket is null ? new SocketOptions() : SocketOptionsWire.ToMessage(OptionReader.Read(socket.SafeHandle));

    private static TcpSocketOptions OptionsOf(JournalRecord record, int number) =>
        SocketOptionsWire.FromMessage(record.Options.Count > number ? record.Options[number] : record.Snapshots[number].Options);

    /// <summary>Waits a while for the send queues to become empty: the blackout is shorter then. What is left of them is carried.</summary>
    public async Task DrainAsync(TimeSpan limit, CancellationToken cancellationToken)
    {
        long started = Stopwatch.GetTimestamp();
        while (UnacknowledgedBytes > 0 && Stopwatch.GetElapsedTime(started) < limit)
            await Task.Delay(1, cancellationToken);
    }

    /// <summary>Closes the gates, and enters repair mode.</summary>
    public void Freeze(uint slot, ulong epoch)
    {
        foreach (Socket? socket in _sockets)
        {
            SendPendingAcknowledgement(socket!.SafeHandle);
            _frozen.Add(FrozenConnection.Freeze(socket.SafeHandle, _host.Gate, slot, epoch));
        }
    }

    /// <summary>Takes the snapshots; none if a socket has gone, since a pass is of all or none.</summary>
    public void Capture() => Snapshots = _frozen.Contains(null) ? [] : [.. _frozen.Select(frozen => frozen!.Capture())];

    /// <summary>Adds to a record what the next agent needs of the connections. From a record of the sending on only the verdict decides.</summary>
    /// <param name="isFirst">It is the first record of the pass in this journal.</param>
    public void AddTo(JournalRecord record, OriginRecord kind, bool isFirst)
    {
        if (isFirst)
        {
            record.Connections.Add(Names.Select(EndPointWire.ToMessage));
            record.Options.Add(_sockets.Select(OptionsOf));
        }

        if (kind != OriginRecord.Sending)
            return;
        record.Snapshots.Add(Snapshots.Select(SnapshotWire.ToMessage));
        record.StoodStillSinceNs = (long)(Stopwatch.GetElapsedTime(0) - StoodStill).TotalNanoseconds;
        foreach (FrozenConnection? frozen in _frozen)
            frozen?.MarkSent();
    }

    /// <summary>The packets go to the destination, which holds them.</summary>
    /// <returns>The number of the redirection that holds.</returns>
    public ValueTask<ulong> SendPacketsAwayAsync(OtherHost destination, ulong number, CancellationToken cancellationToken) =>
        _host.Redirection.SendAwayAsync(Names, destination, number, cancellationToken);

    /// <summary>Packets that come here are held until the thaw, so that those which the destination has held come first.</summary>
    public void HoldPackets() => _host.Hold.Arm(Names);

    /// <summary>The packets come here again.</summary>
    /// <inheritdoc cref="SendPacketsAwayAsync"/>
    public ValueTask<ulong> TakeBackPacketsAsync(OtherHost destination, ulong number, CancellationToken cancellationToken) =>
        _host.Redirection.ReclaimAsync(Names, destination, number, cancellationToken);

    /// <summary>Returns when no packet comes here any more.</summary>
    public ValueTask LeavePacketsAsync(OtherHost destination, ulong number) =>
        _host.Redirection.LeaveAsync(Names, destination, number, CancellationToken.None);

    /// <summary>The packets come by a home.</summary>
    /// <param name="home">Name of its agent.</param>
    /// <param name="number">Of the redirection that holds.</param>
    public void NotePacketsFrom(string home, ulong number)
    {
        foreach (FourTuple connection in Names)
            _host.Redirection.Settle(connection, Redirector.Home, _host.FindHost(home), number);
    }

    /// <summary>Lets the connections go on here, with the peers' packets that were held.</summary>
    /// <param name="held">By the destination.</param>
    /// <param name="slot">Number of the pass, for sockets that have to be made again.</param>
    /// <param name="stoodStillSince">For those: since when, as a time stamp of this host.</param>
    /// <returns>What went wrong; null if nothing. A connection that could not go on has ended.</returns>
    public string? Thaw(IReadOnlyList<byte[]> held, uint slot, long stoodStillSince)
    {
        List<string> faults = [];
        for (int i = 0; i < Names.Count; i++)
        {
            int number = i;
            try
            {
                if (_frozen.Count > i && _frozen[i] is { } frozen)
                    frozen.Thaw(() => Replay(Names[number], held));
                else if (_sockets.Count > i && _sockets[i] is not null)
                    Replay(Names[i], held); // diverted, and not frozen yet
                else
                    Rebuild(i, held, slot, stoodStillSince);
            }
            catch (Exception e) when (e is KernelException or NotRestorableException or NotPassableException or ObjectDisposedException)
            {
                faults.Add($"{Names[i]}: {e.Message}");
            }
        }

        return faults.Count == 0 ? null : string.Join(' ', faults);
    }

    /// <summary>Gives what was made again to an application, or closes it where there is none.</summary>
    public void GiveRebuilt(IPassReceiver? heir, Arrival arrival)
    {
        if (_rebuilt.Count == 0)
            return;
        if (heir is not null)
        {
            heir.Go(arrival, [.. Names.Select((_, number) => _rebuilt.GetValueOrDefault(number))]);
            return;
        }

        foreach (Socket socket in _rebuilt.Values)
            socket.Dispose();
    }

    /// <summary>Closes the copies: nothing is sent, and the gates stay closed.</summary>
    public void CloseSilently()
    {
        foreach (FrozenConnection? frozen in _frozen)
            frozen?.Release();
        // After the death of the agent an application may hold some still.
        foreach (FourTuple kept in _kept)
        {
            if (_host.Sockets.Find(kept) is { Mark: { } mark } socket && _host.Gate.Options.IsGateMark(mark))
                _host.Sockets.Destroy(socket);
        }
    }

    public void OpenGates()
    {
        foreach (FourTuple connection in Names)
            _host.Gate.Open(connection);
    }

    public void Dispose()
    {
        foreach (ConnectionLock taken in _locks)
            taken.Dispose();
        // Left to its finalizer, a socket would set SO_LINGER to 0, and the application's own close send an RST, wherever the connection is by then.
        foreach (Socket? socket in _isRecovered ? _sockets : [])
            socket?.Dispose();
    }

    // The application reads no more, so the window does not grow and the kernel delays acknowledgements. One that is due and does not leave now never
    // leaves: the restored socket knows of none, and a peer that sends would wait for its retransmission timer (200 ms and more).
    private static void SendPendingAcknowledgement(SafeHandle socket)
    {
        const int Once = 2; // acknowledges, and leaves the delaying of acknowledgements on
        SocketOption.Get(socket, SocketLevel.IPPROTO_TCP, TcpOption.TCP_QUICKACK, out int quick);
        SocketOption.Set(socket, SocketLevel.IPPROTO_TCP, TcpOption.TCP_QUICKACK, quick != 0 ? 1 : Once);
    }

    private void Replay(FourTuple connection, IReadOnlyList<byte[]> held)
    {
        foreach (byte[] frame in held)
        {
            if (HeldFrame.TryParse(frame, out HeldFrame? parsed) && parsed.Value.Connection == connection)
                _host.Hold.Inject(frame);
        }

        _host.Hold.Replay(connection);
    }

    // Without a snapshot it was not frozen for long when its application died, and with an open gate it lived again: the kernel has closed it, as that of
    // any program.
    private void Rebuild(int number, IReadOnlyList<byte[]> held, uint slot, long stoodStillSince)
    {
        if (Snapshots.Count <= number || !_kept.Contains(Names[number]))
        {
            _host.Hold.Take(Names[number]);
            return;
        }

        using DormantConnection dormant = DormantConnection.Restore(Snapshots[number], _host.Gate, slot, stoodStillSince);
        SafeHandle socket = dormant.Wake(_host.Hold.HighestAcknowledgement(Names[number]));
        Replay(Names[number], held);
        dormant.Finish();
        _rebuilt[number] = RawSocketHandle.SocketOf(socket);
    }
}
