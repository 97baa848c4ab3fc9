using System.Buffers;
using System.Diagnostics;
using System.Globalization;
using Google.Protobuf;
using Tcpcp.Core;
using Tcpcp.Core.Passing;
using Tcpcp.Core.Wire;
using Tcpcp.Linux;
using FourTuple = Tcpcp.Core.FourTuple;

namespace Tcpcp.Agent.Passing;

/// <summary>
/// The destination's driver of one pass: performs what <see cref="DestinationTable"/> says. Not thread-safe: the caller holds its lock.
/// </summary>
internal sealed class DestinationPass
{
    private const ulong MaxStoodStillMicroseconds = 600_000_000; // a timestamp clock that leaps further ends the connection anyway

    private readonly HostServices _host;
    private readonly IPassReceiver _receiver;
    private readonly PassObserver _observer;
    private readonly FourTuple _connection;
    private readonly uint _slot;
    private readonly ArrayBufferWriter<byte> _transfer = new();
    private DestinationState _state = new DestinationState.Offered();
    private DormantConnection? _dormant;
    private Arrival _arrival;
    private string _refusal = "";
    private long _divertedAt;
    private long _blackoutNanoseconds;
    private int _replayed;
    private bool _gateClosed = true;

    private DestinationPass(HostServices host, IPassReceiver receiver, PassObserver observer, PassId id, PassTicket ticket, FourTuple connection)
    {
        _host = host;
        _receiver = receiver;
        _observer = observer;
        _connection = connection;
        _slot = (uint)ticket.Number;
        Id = id;
        Ticket = ticket;
    }

    public PassId Id { get; }

    public PassTicket Ticket { get; }

    public FourTuple Connection => _connection;

    /// <summary>The pass may still change what happens to the connection here.</summary>
    public bool IsOpen => _state is not (DestinationState.Active or DestinationState.Forgotten) && (_state is not DestinationState.Refused || _gateClosed);

    public bool IsForgotten => _state is DestinationState.Forgotten;

    /// <summary>Takes an offer: closes the gate and arms the hold.</summary>
    /// <exception cref="InvalidOperationException">The gate of this connection is closed already: another pass has it.</exception>
    public static DestinationPass Take(HostServices host, IPassReceiver receiver, PassObserver observer, PassId id, PassTicket ticket, FourTuple connection)
    {
        if (!host.Gate.Close(connection))
            throw new InvalidOperationException($"The gate of {connection} is closed by another pass.");
        try
        {
            host.Hold.Arm(connection);
        }
        catch
        {
            host.Gate.Open(connection);
            throw;
        }

        DestinationPass pass = new(host, receiver, observer, id, ticket, connection);
        pass.Report(PassAction.Ready);
        return pass;
    }

    public void Divert()
    {
        if (_state is not DestinationState.Offered)
            return; // repeated, or too late
        _divertedAt = Stopwatch.GetTimestamp();
        _host.Redirection.Divert(_connection);
        _state = DestinationTable.Next(_state, new DestinationInput.DivertMade());
        Report(PassAction.Diverted);
    }

    /// <summary>Takes a piece of the Transfer; with the last one, decides and activates.</summary>
    public void Receive(TransferChunk chunk)
    {
        if (_state is not (DestinationState.Offered or DestinationState.Holding))
            return; // the verdict has fallen, or falls elsewhere
        if (_transfer.WrittenCount + chunk.Data.Length > 2L * _host.Options.MaxQueueBytes + AgentLimits.MaxStateBytes)
        {
            Decline(PassFailure.InvalidSnapshot, "The transfer is larger than the limits of queues and state allow.");
            return;
        }

        long arrived = Stopwatch.GetTimestamp();
        _transfer.Write(chunk.Data.Span);
        if (!chunk.Last)
            return;
        Report(PassAction.Received, _transfer.WrittenCount.ToString(CultureInfo.InvariantCulture) + " bytes");
        double stoodStill = Math.Min(chunk.StoodStillUs, MaxStoodStillMicroseconds) / 1e6;
        if (Restore(arrived - (long)(stoodStill * Stopwatch.Frequency)))
            Activate();
    }

    /// <summary>The offer's time is up, the origin asks for the verdict, or it takes the divert back: what is not decided is refused.</summary>
    public void Refuse(DestinationInput input, string reason)
    {
        bool undecided = _state is DestinationState.Offered or DestinationState.Holding or DestinationState.Restored;
        _state = DestinationTable.Next(_state, input);
        if (undecided && _state is DestinationState.Refused)
            Discard(reason);
    }

    /// <summary>What was held, for the origin; afterwards the packets go there.</summary>
    public IReadOnlyList<byte[]> Undo()
    {
        Refuse(new DestinationInput.UndoHeard(), "The origin took the divert back.");
        if (_state is not DestinationState.Refused)
            return [];
        IReadOnlyList<byte[]> held = _host.Hold.Take(_connection);
        _host.Redirection.Undo(_connection);
        Report(PassAction.Undone, held.Count.ToString(CultureInfo.InvariantCulture) + " held packets");
        return held;
    }

    /// <summary>The origin owns the connection and has the packets: nothing of it is left here.</summary>
    public void OpenGate()
    {
        if (_state is not DestinationState.Refused || !_gateClosed)
            return;
        _host.Hold.Take(_connection);
        _host.Redirection.Undo(_connection);
        _host.Gate.Open(_connection);
        _gateClosed = false;
    }

    public void Forget()
    {
        if (_state is DestinationState.Offered)
            Refuse(new DestinationInput.Declined(PassFailure.Cancelled), "The origin gave the offer up.");
        OpenGate();
        if (_state is DestinationState.Active)
            _host.Redirection.Settle(_connection);
        if (_state is DestinationState.Active or DestinationState.Refused)
            _state = DestinationTable.Next(_state, new DestinationInput.ForgetHeard());
    }

    /// <summary>The verdict, if it has fallen.</summary>
    public Verdict? Verdict => _state switch
    {
        DestinationState.Accepted or DestinationState.Active => new Verdict { Kind = VerdictKind.Accepted },
        DestinationState.Refused refused => new Verdict
        {
            Kind = VerdictKind.Refused,
            Reason = RefusalReasons.FromFailure(refused.Failure),
            Detail = _refusal,
        },
        _ => null,
    };

    public Active? Activation => _state is DestinationState.Active
        ? new Active { BlackoutNs = (ulong)_blackoutNanoseconds, ReplayedPackets = (uint)_replayed }
        : null;

    private bool Restore(long stoodStillSince)
    {
        try
        {
            Transfer transfer = Transfer.Parser.ParseFrom(_transfer.WrittenSpan);
            if (transfer.Connections.Count != 1)
                throw new InvalidSnapshotException($"The transfer has {transfer.Connections.Count} connections, the offer had 1.");
            Core.ConnectionSnapshot snapshot = SnapshotWire.FromMessage(transfer.Connections[0]);
            if (snapshot.Connection != _connection)
                throw new InvalidSnapshotException($"The transfer is of {snapshot.Connection}, the offer was of {_connection}.");
            if (SnapshotValidator.FindFault(snapshot, _host.Options.MaxQueueBytes) is { } fault)
                throw new InvalidSnapshotException(fault);
            _dormant = DormantConnection.Restore(snapshot, _host.Gate, _slot, stoodStillSince);
            Report(PassAction.Restored);
            _arrival = new Arrival(Id, _connection, transfer.ApplicationState.Memory, transfer.Epoch);
            if (_receiver.Examine(_arrival) is { } objection)
            {
                Decline(PassFailure.RefusedByApplication, objection);
                return false;
            }

            _host.Redirection.AwaitArrival(_connection);
            _state = DestinationTable.Next(_state, new DestinationInput.SocketsRestored());
            return true;
        }
        catch (Exception e) when (e is InvalidSnapshotException or InvalidProtocolBufferException)
        {
            Decline(PassFailure.InvalidSnapshot, e.Message);
        }
        catch (Exception e) when (e is KernelException or NotRestorableException)
        {
            Decline(PassFailure.RestoreRefusedByKernel, e.Message);
        }
        catch (TimeoutException e)
        {
            Decline(PassFailure.RedirectionFailed, e.Message);
        }

        return false;
    }

    private void Activate()
    {
        // From here on this host owns the connection, whatever happens.
        _state = DestinationTable.Next(_state, new DestinationInput.AcceptRecorded());
        Report(PassAction.Accepted);
        DormantConnection dormant = _dormant!;
        _dormant = null;
        System.Net.Sockets.SafeSocketHandle socket = dormant.Wake(_host.Hold.HighestAcknowledgement(_connection));
        (_replayed, int dropped) = _host.Hold.Replay(_connection);
        Report(PassAction.Replayed, string.Create(CultureInfo.InvariantCulture, $"{_replayed} packets, {dropped} dropped"));
        dormant.Finish();
        long activated = Stopwatch.GetTimestamp();
        TimeSpan blackout = Stopwatch.GetElapsedTime(_divertedAt, activated);
        _blackoutNanoseconds = (long)blackout.TotalNanoseconds;
        _gateClosed = false;
        _state = DestinationTable.Next(_state, new DestinationInput.Activated());
        _observer(new PassStep(Id, _connection, PassSide.Destination, PassAction.Activated, activated, "") { Blackout = blackout });
        dormant.Dispose();
        _receiver.Go(_arrival, new System.Net.Sockets.Socket(socket));
    }

    private void Decline(PassFailure failure, string reason)
    {
        _state = DestinationTable.Next(_state, new DestinationInput.Declined(failure));
        Discard(reason);
    }

    private void Discard(string reason)
    {
        _refusal = reason;
        _dormant?.Dispose();
        _dormant = null;
        _transfer.Clear();
        Report(PassAction.Refused, reason);
    }

    private void Report(PassAction action, string detail = "") =>
        _observer(new PassStep(Id, _connection, PassSide.Destination, action, Stopwatch.GetTimestamp(), detail));
}
