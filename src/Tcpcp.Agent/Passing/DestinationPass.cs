using System.Buffers;
using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using Google.Protobuf;
using Tcpcp.Agent.Journal;
using Tcpcp.Agent.Link;
using Tcpcp.Agent.Redirection;
using Tcpcp.Core;
using Tcpcp.Core.Passing;
using Tcpcp.Core.Wire;
using Tcpcp.Linux;
using FourTuple = Tcpcp.Core.FourTuple;
using Redirector = Tcpcp.Agent.Redirection.Redirector;

namespace Tcpcp.Agent.Passing;

/// <summary>
/// The destination's driver of one pass: performs the effects that <see cref="DestinationTable"/> asks for. Not thread-safe: the caller holds the lock of
/// the side's passes.
/// </summary>
internal sealed class DestinationPass
{
    /// <summary>Why a connection is refused that has agreed on explicit congestion notification.</summary>
    public const string EcnRefused = "It has agreed on ECN, and this host takes no such connection (ecn: refuse).";

    private const ulong MaxStoodStillMicroseconds = 600_000_000; // a timestamp clock that leaps further ends the connection anyway

    private readonly HostServices _host;
    private readonly PassObserver _observer;
    private IPassReceiver? _receiver;
    private readonly string _application;
    private readonly DestinationConnections _connections;
    private readonly Lock _passes;
    private readonly Action<DestinationPass> _forgotten;
    private ArrayBufferWriter<byte> _transfer = new();
    private DestinationState _state;
    private IPassLink? _link;
    private IReadOnlyList<Core.ConnectionSnapshot> _snapshots = [];
    private ByteString _applicationState = ByteString.Empty;
    private long _stoodStillSince;
    private long _divertedAt;
    private readonly long _begunAt = Stopwatch.GetTimestamp();
    private bool _isDiverted; // or may be at any time
    private bool _isShown;
    private DestinationEffect[] _remaining = [];
    private IReadOnlyList<Socket?> _held = [];
    private Active _activation = new();
    private string _detail = "";

    /// <param name="receiver">The application that takes the connections; null if it is not there (after a restart).</param>
    /// <param name="passes">The lock of the side's passes.</param>
    /// <param name="forgotten">Hears when nothing is left to remember.</param>
    public DestinationPass(HostServices host, IPassReceiver? receiver, string application, PassObserver observer, PassId id, PassTerms terms,
        IReadOnlyList<FourTuple> names, Lock passes, Action<DestinationPass> forgotten)
    {
        (_host, _receiver, _application, _observer, Id, Terms) = (host, receiver, application, observer, id, terms);
        (_passes, _forgotten) = (passes, forgotten);
        _connections = new DestinationConnections(host, names, (uint)terms.Ticket.Number);
        _state = new DestinationState.Unknown(terms.Ticket.Incarnation);
    }

    /// <summary>A pass that the journal has.</summary>
    public DestinationPass(HostServices host, IPassReceiver? receiver, PassObserver observer, JournalRecord record, Lock passes, Action<DestinationPass> forgotten)
        : this(host, receiver, record.Application, observer, JournalRecords.IdOf(record), JournalRecords.TermsOf(record),
            [.. record.Connections.Select(EndPointWire.FromMessage)], passes, forgotten)
    {
        (OriginName, OriginIncarnation) = (record.OriginName, record.OriginIncarnation);
        Redirector = (Redirector)record.Redirector;
        Home = record.Home;
        _snapshots = [.. record.Snapshots.Select(SnapshotWire.FromMessage)];
        _applicationState = record.ApplicationState;
        _stoodStillSince = record.StoodStillSinceNs;
        _detail = "The destination's agent was restarted before its verdict.";
    }

    /// <summary>Where the connections come from; null if it is not known.</summary>
    private OtherHost? Origin => OriginName.Length == 0 ? null : _host.FindHost(OriginName);

    /// <summary>The origin's span of the pass, if it is traced.</summary>
    public ReadOnlyMemory<byte> TraceParent { get; init; }

    /// <summary>Who moves the packets.</summary>
    public Redirector Redirector { get; init; }

    /// <summary>Name of the agent of the home where that moves them; else empty.</summary>
    public string Home { get; init; } = "";

    public PassId Id { get; }

    /// <summary>Name of its state.</summary>
    public string StateName => _state.GetType().Name;

    /// <summary>Why it was refused; may be empty.</summary>
    public string Detail => _detail;

    /// <summary>Since the offer, or the recovery.</summary>
    public TimeSpan Age => Stopwatch.GetElapsedTime(_begunAt);

    public string Application => _application;

    public PassTerms Terms { get; }

    /// <summary>Whose certificate has offered it, and alone gets answers; empty: anybody.</summary>
    public string OriginName { get; init; } = "";

    /// <summary>Of the origin's journal, as it has offered.</summary>
    public ByteString OriginIncarnation { get; init; } = ByteString.Empty;

    public IReadOnlyList<FourTuple> Names => _connections.Names;

    public bool IsOpen => DestinationTable.IsOpen(_state);

    /// <summary>This host owns the connections by this pass.</summary>
    public bool IsOwner => _state is DestinationState.Accepted or DestinationState.Active;

    /// <summary>
    /// Remembers a pass that the journal has: from now on the origin gets its answers. What remains to be done with the connections waits for
    /// <see cref="GoOn"/>.
    /// </summary>
    /// <returns>Whether anything remains that their application is needed for.</returns>
    public bool Recover(JournalRecord record)
    {
        Report(PassAction.Recovered, record.Step.ToString());
        _isDiverted = _connections.RecoverGates();
        DestinationStep step = DestinationTable.Recover(JournalRecords.DestinationKindOf(record), Terms);
        if (step.State is not DestinationState.Accepted)
        {
            Perform(step);
            return false;
        }

        (_state, _remaining) = (step.State, step.Effects);
        _connections.ArmHold();
        _host.NextHops.Solicit(Names);
        return true;
    }

    /// <param name="held">What the application has of the connections, null for one that it has not; empty if it has died.</param>
    /// <param name="receiver">The application as it is now; null if there is none.</param>
    public void GoOn(IReadOnlyList<Socket?> held, IPassReceiver? receiver)
    {
        (_held, _receiver) = (held, receiver);
        Perform(new DestinationStep(_state, _remaining));
    }

    /// <summary>An offer that nothing speaks against.</summary>
    public void TakeOffer(IPassLink link)
    {
        _link = link;
        _host.NextHops.Solicit(Names);
        _isDiverted = Redirector != Redirector.Destination; // from the answer on it may do so at any time
        Take(new DestinationInput.OfferHeard(Terms, PassFailure.None));
    }

    /// <summary>What the origin says, but for an offer.</summary>
    /// <param name="arrived">When it came, as a time stamp.</param>
    public void Hear(PassMessage message, IPassLink link, long arrived)
    {
        _link = link;
        switch (message.BodyCase)
        {
            case PassMessage.BodyOneofCase.Divert:
                Divert(message.Divert.Number);
                break;
            case PassMessage.BodyOneofCase.Transfer:
                Receive(message.Transfer, arrived);
                break;
            case PassMessage.BodyOneofCase.Resolve:
                Take(new DestinationInput.ResolveHeard(Terms.Ticket, LivesHere: false), "The origin asked for the verdict before the transfer was whole.");
                break;
            case PassMessage.BodyOneofCase.Undo:
                Take(new DestinationInput.UndoHeard(Terms.Ticket), "The origin took the divert back.");
                if (_state is DestinationState.Refused)
                    Send(answer => answer.Undone = new Undone { Number = message.Undo.Number });
                break;
            case PassMessage.BodyOneofCase.Forget:
                bool isHere = _state is DestinationState.Accepted or DestinationState.Active;
                Take(new DestinationInput.ForgetHeard(Terms.Ticket));
                foreach (FourTuple name in isHere ? Names : [])
                    _host.Redirection.Settle(name, Redirector, PacketHome, Terms.DivertNumber);
                break;
            default:
                break; // a destination's own message, or a newer version's: not for us
        }
    }

    /// <summary>The link that the origin spoke over is gone.</summary>
    public void LoseLink(IPassLink link)
    {
        if (_link != link)
            return;
        _link = null;
        Take(new DestinationInput.LinkLost(), "The link to the origin broke before the transfer was whole.");
    }

    /// <summary>The origin speaks no more of this pass over the link, which others still use.</summary>
    public void HangUp() => Take(new DestinationInput.LinkLost(), "The origin gave the pass up before the transfer was whole.");

    /// <summary>Tells the origin again that the pass was refused: it may have given up before it knew of the ticket, and the gate here waits for its Forget.</summary>
    /// <param name="link">A link to the origin.</param>
    public void TellAgain(IPassLink link)
    {
        if (_state is not DestinationState.Refused)
            return;
        _link ??= link;
        Take(new DestinationInput.TimeIsUp());
    }

    /// <summary>The offer's lifetime, or the time of the decision, is over.</summary>
    public void Expire()
    {
        if (_state is DestinationState.Offered or DestinationState.Restoring)
            Take(new DestinationInput.TimeIsUp(), _state is DestinationState.Offered ? "The offer's time was up." : "The application did not answer in time.");
    }

    /// <summary>What is held after a refusal, and was not asked for, is dropped; the gate stays closed.</summary>
    public void StopHolding()
    {
        if (_state is DestinationState.Refused)
            _connections.StopHolding();
    }

    // Where this host is the redirector and has not diverted, and the decision has fallen, it never will: the gate need not wait for the origin.
    private bool IsOver => _state is DestinationState.Refused && !_isDiverted;

    private void Take(DestinationInput input, string detail = "")
    {
        DestinationStep step = DestinationTable.Next(_state, input);
        if (step.State is DestinationState.Refused && _state is not DestinationState.Refused)
            Report(PassAction.Refused, _detail = detail.Length > 0 ? detail : _detail);
        Perform(step);
    }

    private void Perform(DestinationStep step)
    {
        _state = step.State;
        bool activates = false;
        foreach (DestinationEffect effect in step.Effects)
        {
            if (TryPerform(effect) is { } input)
            {
                Take(input, _detail);
                return;
            }

            activates |= effect is DestinationEffect.Go;
        }

        if (activates)
            Take(new DestinationInput.Activated());
        else if (IsOver)
            Take(new DestinationInput.ForgetHeard(Terms.Ticket));
        else if (_state is DestinationState.Forgotten)
            _forgotten(this);
    }

    // What goes wrong before the verdict refuses. Afterwards this host owns the connections, and the next effect follows.
    private DestinationInput? TryPerform(DestinationEffect effect)
    {
        try
        {
            return Perform(effect);
        }
        catch (JournalFullException e) when (effect is DestinationEffect.Record { Kind: DestinationRecord.Accepted })
        {
            _detail = e.Message;
            return new DestinationInput.AcceptNotRecorded();
        }
        catch (JournalFullException e) when (_state is DestinationState.Offered or DestinationState.Restoring)
        {
            return Decline(PassFailure.JournalFull, e.Message);
        }
        catch (Exception e) when (e is InvalidSnapshotException or InvalidProtocolBufferException)
        {
            return Decline(PassFailure.InvalidSnapshot, e.Message);
        }
        catch (Exception e) when (_state is DestinationState.Offered or DestinationState.Restoring)
        {
            PassFailure failure = e is TimeoutException ? PassFailure.RedirectionFailed
                : effect is DestinationEffect.CloseGate ? PassFailure.Conflict
                : effect is DestinationEffect.HandToApplication ? PassFailure.RefusedByApplication
                : PassFailure.RestoreRefusedByKernel;
            return Decline(failure, e is KernelException or NotRestorableException or TimeoutException or InvalidOperationException ? e.Message : e.ToString());
        }
        catch (Exception e)
        {
            Report(PassAction.Broken, $"{effect.GetType().Name}: {e.Message}");
            return null;
        }
    }

    private DestinationInput? Perform(DestinationEffect effect)
    {
        switch (effect)
        {
            case DestinationEffect.Record record:
                Record(record);
                return null;
            case DestinationEffect.CloseGate:
                _connections.CloseGates();
                return null;
            case DestinationEffect.ArmHold:
                _connections.ArmHold();
                Report(PassAction.Ready);
                return null;
            case DestinationEffect.SendReady:
                Send(message => message.Ready = new Ready { OfferLifetimeMs = (uint)_host.Options.OfferLifetime.TotalMilliseconds });
                return null;
            case DestinationEffect.RestoreDormant:
                return Restore();
            case DestinationEffect.HandToApplication:
                return ShowToApplication();
            case DestinationEffect.RecoverDormant:
                _connections.ArmHold();
                if (_connections.Recover(_snapshots, _stoodStillSince, _held) is { } lost)
                    Report(PassAction.Broken, lost);
                return null;
            case DestinationEffect.LeaveRepair:
                if (_connections.Wake() is { } broken)
                    Report(PassAction.Broken, broken);
                Report(PassAction.Woken);
                return null;
            case DestinationEffect.OpenGate when _state is DestinationState.Accepted:
                Activate();
                return null;
            case DestinationEffect.OpenGate:
                _connections.OpenGates();
                return null;
            case DestinationEffect.Go:
                Go();
                return null;
            case DestinationEffect.Discard:
                Discard();
                return null;
            case DestinationEffect.SendVerdict verdict:
                Send(message =>
                {
                    message.Verdict = VerdictMessages.New(verdict, _detail, _activation.BlackoutNs);
                    message.Verdict.OriginIncarnation = OriginIncarnation;
                    if (verdict.Verdict == PassVerdict.Refused)
                        message.Verdict.Connections.Add(Names.Select(EndPointWire.ToMessage));
                });
                return null;
            case DestinationEffect.SendActive:
                Send(message => message.Active = _activation);
                return null;
            case DestinationEffect.SendForgotten:
                Send(message => message.Forgotten = new Forgotten());
                return null;
            case DestinationEffect.SendHeld:
                SendHeld();
                return null;
            default:
                throw new InvalidOperationException($"Nobody performs {effect}.");
        }
    }

    private Arrival Arrival => new(Id, Names, _applicationState.Memory, Terms.Epoch) { Ticket = Terms.Ticket, Origin = OriginName };

    // With takeover this host is the redirector: nobody else gives orders for these connections while the pass is open.
    private void Divert(ulong number)
    {
        if (_state is not DestinationState.Offered || number != Terms.DivertNumber || Redirector is not (Redirector.Destination or Redirector.Both))
            return; // too late
        try
        {
            if (_divertedAt == 0)
            {
                (_isDiverted, _divertedAt) = (true, Stopwatch.GetTimestamp());
                _host.Redirection.Divert(Names);
                Report(PassAction.Diverted);
            }

            Send(message => message.Diverted = new Diverted { Number = number });
        }
        catch (KernelException e)
        {
            Take(Decline(PassFailure.RedirectionFailed, e.Message), e.Message);
        }
    }

    private void Receive(TransferChunk chunk, long arrived)
    {
        if (_state is not DestinationState.Offered)
        {
            if (chunk.Last)
                Take(new DestinationInput.TransferHeard(Terms.Ticket));
            return;
        }

        if (_transfer.WrittenCount + chunk.Data.Length > (2L * _host.Options.MaxQueueBytes * Names.Count) + AgentLimits.MaxStateBytes)
        {
            Take(Decline(PassFailure.InvalidSnapshot, "The transfer is larger than the limits of queues and state allow."));
            return;
        }

        _transfer.Write(chunk.Data.Span);
        if (!chunk.Last)
            return;
        double stoodStill = Math.Min(chunk.StoodStillUs, MaxStoodStillMicroseconds) / 1e6;
        _stoodStillSince = arrived - (long)(stoodStill * Stopwatch.Frequency);
        if (Redirector != Redirector.Destination)
            _divertedAt = arrived - (long)(Math.Min(chunk.DivertedUs, MaxStoodStillMicroseconds) / 1e6 * Stopwatch.Frequency);
        Report(PassAction.Received, _transfer.WrittenCount.ToString(CultureInfo.InvariantCulture) + " bytes");
        Take(new DestinationInput.TransferHeard(Terms.Ticket));
    }

    private DestinationInput.Declined? Restore()
    {
        Transfer transfer = Transfer.Parser.ParseFrom(_transfer.WrittenSpan);
        // What the verdict will need in the journal is known now: rather refuse than fail afterwards.
        _host.Journal.Reserve(Id, _transfer.WrittenCount + AgentLimits.JournalBytesBesidesSnapshots);
        _transfer = new ArrayBufferWriter<byte>();
        _snapshots = OfferedSnapshots.Of(transfer, Names, _host.Options.MaxQueueBytes);
        if (_host.Options.Ecn == EcnPolicy.Refuse && _snapshots.Any(snapshot => snapshot.Negotiated.Ecn))
            return Decline(PassFailure.RefusedByPolicy, EcnRefused); // an earlier version's offer does not say it
        _applicationState = transfer.ApplicationState;
        _connections.Restore(_snapshots, _stoodStillSince);
        Report(PassAction.Restored, _connections.NotKept);
        return null;
    }

    private void Record(DestinationEffect.Record effect)
    {
        JournalRecord record = JournalRecords.New(Id, effect.Kind, effect.Terms);
        if (effect.Kind == DestinationRecord.Offered)
        {
            record.Connections.Add(Names.Select(EndPointWire.ToMessage));
            record.Application = _application;
            (record.OriginName, record.OriginIncarnation) = (OriginName, OriginIncarnation);
            record.Redirector = (Core.Wire.Redirector)Redirector;
            record.Home = Home;
        }
        else if (effect.Kind == DestinationRecord.Accepted)
        {
            record.Snapshots.Add(_snapshots.Select(SnapshotWire.ToMessage));
            record.ApplicationState = _applicationState;
            record.StoodStillSinceNs = _stoodStillSince;
        }

        _host.Journal.Append(record);
        if (effect.Kind is DestinationRecord.Accepted or DestinationRecord.Activating)
            Report(effect.Kind == DestinationRecord.Accepted ? PassAction.Accepted : PassAction.Activating);
    }

    private void Activate()
    {
        (int replayed, int dropped, string? broken) = _connections.Finish();
        _observer(New(PassAction.Replayed, string.Create(CultureInfo.InvariantCulture, $"{replayed} packets, {dropped} dropped")) with
        {
            ReplayedPackets = replayed,
            DroppedPackets = dropped,
        });
        if (broken is not null)
            Report(PassAction.Broken, broken);
        long activated = Stopwatch.GetTimestamp();
        TimeSpan blackout = Stopwatch.GetElapsedTime(_divertedAt == 0 ? activated : _divertedAt, activated);
        _activation = new Active { BlackoutNs = (ulong)blackout.TotalNanoseconds, ReplayedPackets = (uint)replayed };
        _observer(New(PassAction.Activated, "") with { Timestamp = activated, Blackout = blackout });
    }

    private DestinationInput? ShowToApplication()
    {
        _isShown = true;
        ValueTask<string?> answer = _receiver!.ExamineAsync(Arrival, _connections.Dormant);
        if (answer.IsCompleted)
            return InputOf(answer.Result);
        _ = AwaitAsync(answer.AsTask());
        return null;
    }

    private async Task AwaitAsync(Task<string?> answer)
    {
        string? objection;
        try
        {
            objection = await answer.WaitAsync(_host.Options.DecisionTime);
        }
        catch (TimeoutException)
        {
            objection = $"The application did not answer within {_host.Options.DecisionTime.TotalSeconds} s.";
        }
        catch (Exception e)
        {
            objection = $"The application failed: {e.Message}"; // whatever it was: the peer waits for a decision
        }

        lock (_passes)
            Take(InputOf(objection));
    }

    private DestinationInput InputOf(string? objection) =>
        objection is null ? new DestinationInput.ApplicationTook() : Decline(PassFailure.RefusedByApplication, objection);

    private void Discard()
    {
        _connections.Discard();
        _transfer = new ArrayBufferWriter<byte>();
        _snapshots = [];
        if (_isShown)
            _receiver!.Withdraw(Id);
    }

    // Who has the packets come here; null: nobody that is known.
    private OtherHost? PacketHome => Redirector == Redirector.Home ? _host.FindHost(Home) : Origin;

    private void Go()
    {
        IReadOnlyList<Socket?> sockets = _connections.TakeSockets();
        foreach (FourTuple name in Names)
            _host.Redirection.Note(name, Redirector, PacketHome);
        _snapshots = [];
        if (_receiver is { } receiver)
        {
            receiver.Go(Arrival, sockets);
            return;
        }

        // Its application is not there: what would have become of the connections at any host whose program has ended.
        foreach (Socket? socket in sockets)
            socket?.Dispose();
    }

    private void SendHeld()
    {
        IReadOnlyList<byte[]> frames = _connections.GiveBack(Origin);
        Report(PassAction.Undone, frames.Count.ToString(CultureInfo.InvariantCulture) + " held packets");
        foreach (HeldPackets held in TransferChunks.Of(frames))
            Send(message => message.Held = held);
    }

    private DestinationInput.Declined Decline(PassFailure failure, string detail)
    {
        _detail = detail;
        return new DestinationInput.Declined(failure);
    }

    private void Send(Action<PassMessage> body)
    {
        PassMessage message = PassMessages.New(Id, Terms.Ticket);
        body(message);
        try
        {
            _link?.Send(message);
        }
        catch (LinkException)
        {
            // The reader finds it out too; the origin asks again.
        }
    }

    private void Report(PassAction action, string detail = "") => _observer(New(action, detail));

    private PassStep New(PassAction action, string detail) =>
        new(Id, Names[0], PassSide.Destination, action, Stopwatch.GetTimestamp(), detail) { OtherHost = OriginName, TraceParent = TraceParent };
}
