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

/// <summary>The origin's driver of one pass: performs the effects that <see cref="OriginTable"/> asks for, and brings it what happens.</summary>
internal sealed class OriginPass
{
    private readonly HostServices _host;
    private readonly OriginConnections _connections;
    private readonly PassRequest? _request;
    private readonly OriginLink _link;
    private readonly PassObserver _observer;
    private readonly PassId _id;
    private readonly string _application;
    private readonly OtherHost _destination;
    private readonly Redirector _redirector;
    private readonly HomeOrders? _home;
    private readonly IPassReceiver? _heir;
    private readonly Action? _concluded;
    private readonly long _stoodStillSince;
    private readonly ulong _epoch;
    private readonly TaskCompletionSource<PassResult> _outcome = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<byte[]> _held = [];
    private OriginState _state = new OriginState.Offering(0);
    private OriginInput? _next;
    private ReadOnlyMemory<byte> _applicationState;
    private readonly long _begunAt = Stopwatch.GetTimestamp();
    private readonly Lock _hearing = new();
    private OriginInput? _order;
    private CancellationTokenSource? _waiting;
    private long _inDoubtSince;
    private long _divertedAt;
    private TimeSpan? _blackout;
    private bool _quiesced;
    private bool _recorded;
    private bool _isRedirectorSilent;
    private string _detail = "";

    private OriginPass(
        HostServices host, PassId id, PassRequest request, OriginConnections connections, OriginLink link, OtherHost destination, RedirectionPlan plan,
        HomeOrders? home, PassObserver observer)
    {
        (_host, _request, _connections, _link, _observer, _destination, _redirector) = (host, request, connections, link, observer, destination, plan.Redirector);
        _home = home;
        (_id, _application, _epoch) = (id, request.Application, host.Epochs.Next(request, plan.LastNumber));
    }

    private OriginPass(HostServices host, JournalRecord record, OriginLink link, IReadOnlyList<Socket?> sockets, IPassReceiver? heir, PassObserver observer,
        Action? concluded = null)
    {
        (_host, _link, _heir, _observer, _concluded) = (host, link, heir, observer, concluded);
        (_id, _application, _destination) = (JournalRecords.IdOf(record), record.Application, new OtherHost(record.Destination, []));
        _connections = OriginConnections.Recover(host, record, sockets);
        if (record.Home.Length > 0)
            _home = new HomeOrders(host.FindHomes(record.Home), _id, _connections.Names, Options.AnswerTime);
        PassTerms terms = JournalRecords.TermsOf(record);
        (_link.Ticket, _epoch) = (terms.Ticket, terms.Epoch);
        _applicationState = record.ApplicationState.Memory;
        _stoodStillSince = record.StoodStillSinceNs;
        _recorded = true;
    }

    public PassId Id => _id;

    public IReadOnlyList<FourTuple> Connections => _connections.Names;

    public string Application => _application;

    public OtherHost Destination => _destination;

    public OriginState State => _state;

    /// <summary>Why it has not ended; may be empty.</summary>
    public string Detail => _detail;

    /// <summary>Since the pass, or its recovery, began.</summary>
    public TimeSpan Age => Stopwatch.GetElapsedTime(_begunAt);

    /// <summary>How long the connections have been in doubt; null: they are not.</summary>
    public TimeSpan? InDoubtFor => _state is OriginState.InDoubt ? Stopwatch.GetElapsedTime(_inDoubtSince) : null;

    /// <summary>How it ended, as soon as the owner is known.</summary>
    public Task<PassResult> Outcome => _outcome.Task;

    private PassOptions Options => _host.Options;

    /// <summary>An operator's word about a pass in doubt; null: ask the destination now. Nothing happens in any other state.</summary>
    public void Order(OriginInput? order)
    {
        lock (_hearing)
        {
            _order = order ?? new OriginInput.TimeIsUp();
            _waiting?.Cancel();
        }
    }

    /// <summary>Passes connections. What happened is in the result; an exception is a caller's bug. The result is there when the owner is known; an undo that
    /// nobody acknowledges goes on after it.</summary>
    /// <param name="connect">Opens a link to the destination's agent; called again when a link breaks after the snapshots were sent.</param>
    /// <param name="destination">Its name goes to the journal: how it is found again after a restart.</param>
    /// <param name="cancellationToken">Gives up as long as nothing was sent; afterwards only the verdict decides.</param>
    public static async Task<PassResult> RunAsync(HostServices host, PassRequest request, LinkOpening connect,
        OtherHost destination, PassObserver observer, CancellationToken cancellationToken)
    {
        OriginConnections connections;
        try
        {
            connections = OriginConnections.Take(host, request.Sockets);
        }
        catch (NotPassableException e)
        {
            return new PassResult(PassFailure.NotPassable, ConnectionOwner.Origin, e.Message);
        }

        PassId id = PassId.New();
        RedirectionPlan plan;
        HomeOrders? home;
        try
        {
            plan = await host.Redirection.PlanAsync(connections.Names, destination, cancellationToken);
            home = plan.Home is { } name ? new HomeOrders(host.FindHomes(name), id, connections.Names, host.Options.AnswerTime) : null;
            if (home is not null && plan.Obstacle is null)
                plan = await AskHomeAsync(host, home, plan, connections.Names, destination, cancellationToken);
        }
        catch (Exception e)
        {
            connections.Dispose();
            if (e is OperationCanceledException && cancellationToken.IsCancellationRequested)
                return new PassResult(PassFailure.Cancelled, ConnectionOwner.Origin, "The pass was cancelled.");
            throw;
        }

        if (plan.Obstacle is { } obstacle)
        {
            connections.Dispose();
            return new PassResult(PassFailure.RedirectionFailed, ConnectionOwner.Origin, obstacle);
        }

        OriginPass pass = new(host, id, request, connections, new OriginLink(id, connect, host.Options), destination, plan, home, observer);
        _ = pass.RunToEndAsync(OriginTable.Begin(pass._epoch), cancellationToken);
        return await pass._outcome.Task;
    }

    private static async Task<RedirectionPlan> AskHomeAsync(
        HostServices host, HomeOrders home, RedirectionPlan plan, IReadOnlyList<FourTuple> names, OtherHost destination, CancellationToken cancellationToken)
    {
        try
        {
            int packetBytes = names.Max(connection => LargestPackets.Of(host.Sockets, connection));
            return plan with { LastNumber = await home.AskAsync(destination, packetBytes, cancellationToken) };
        }
        catch (RedirectionException e)
        {
            return plan with { Obstacle = e.Message };
        }
    }

    /// <summary>Goes on with a pass that the journal has, after the death of this agent.</summary>
    /// <param name="sockets">What the application has of the connections, null for one that is gone; empty if it has died too.</param>
    /// <param name="heir">The application that connections which stay here are given to; null: they are closed.</param>
    /// <param name="concluded">As <see cref="PassRequest.Concluded"/>.</param>
    public static Task<PassResult> RecoverAsync(HostServices host, JournalRecord record, LinkOpening connect,
        IReadOnlyList<Socket?> sockets, IPassReceiver? heir, PassObserver observer, Action? concluded = null)
    {
        OriginPass pass = new(host, record, new OriginLink(JournalRecords.IdOf(record), connect, host.Options), sockets, heir, observer, concluded);
        pass.Report(PassAction.Recovered, record.Step.ToString());
        OriginStep first = OriginTable.Recover(JournalRecords.OriginKindOf(record), JournalRecords.TermsOf(record), JournalRecords.OutcomeOf(record));
        _ = pass.RunToEndAsync(first, CancellationToken.None);
        return pass._outcome.Task;
    }

    /// <summary>Goes on with a pass that only the application knows of, since the journal was lost.</summary>
    /// <param name="state">What the application gave.</param>
    public static Task<PassResult> RecoverFromApplicationAsync(HostServices host, PassId id, PassTerms terms, string application, string destination,
        ReadOnlyMemory<byte> state, IReadOnlyList<Socket?> sockets, IReadOnlyList<FourTuple> connections, LinkOpening connect, PassObserver observer)
    {
        JournalRecord record = JournalRecords.New(id, OriginRecord.Begun, terms);
        (record.Application, record.Destination, record.ApplicationState) = (application, destination, UnsafeByteOperations.UnsafeWrap(state));
        record.Connections.Add(connections.Select(EndPointWire.ToMessage));
        if (connections.Any(host.Redirection.IsForeign))
            record.Home = HomeOrders.AnyHome;
        // What the gate has changed nobody knows any more: the rest is as it was.
        record.Options.Add(sockets.Select(socket => socket is null ? new SocketOptions() : SocketOptionsWire.ToMessage(OriginConnections.OptionsBehindGate(socket.SafeHandle))));
        // One that is gone may have been closed silently after the destination's verdict: only the destination can say so.
        bool isFrozen = sockets.Any(socket => socket is null || FrozenConnection.IsFrozen(socket.SafeHandle, host.Gate.Options));
        OriginPass pass = new(host, record, new OriginLink(id, connect, host.Options), sockets, heir: null, observer);
        pass.Report(PassAction.Recovered, "an application's note");
        pass._recorded = !isFrozen;
        if (isFrozen)
            pass._connections.Capture();
        else
            host.Journal.Append(record);
        _ = pass.RunToEndAsync(OriginTable.RecoverFromApplication(terms, isFrozen), CancellationToken.None);
        return pass._outcome.Task;
    }

    /// <summary>Nothing of it is open any more.</summary>
    public bool IsDone => _state is OriginState.Done;

    private async Task RunToEndAsync(OriginStep step, CancellationToken cancellationToken)
    {
        try
        {
            using (_link)
            using (_connections)
            {
                _host.OriginPasses.Add(this);
                await PerformAsync(step, cancellationToken);
                while (_state is not OriginState.Done)
                    await PerformAsync(OriginTable.Next(_state, await HearAsync(cancellationToken)), cancellationToken);
            }
        }
        catch (Exception e)
        {
            _outcome.TrySetException(e); // a bug: the caller must hear of it
        }
        finally
        {
            _host.OriginPasses.Remove(this);
        }
    }

    private async Task PerformAsync(OriginStep step, CancellationToken cancellationToken)
    {
        if (step.State is OriginState.InDoubt && _state is not OriginState.InDoubt)
            _inDoubtSince = Stopwatch.GetTimestamp();
        _state = step.State;
        _next = null;
        foreach (OriginEffect effect in step.Effects)
        {
            _next = await TryPerformAsync(effect, cancellationToken);
            if (_next is not null)
                break;
        }

        // Where only the redirector's word is missing, its owner is known all the same.
        if (_state is OriginState.Done or OriginState.Settled or OriginState.Thawed || (_isRedirectorSilent && _state is OriginState.Releasing or OriginState.Abandoning))
            Conclude();
    }

    private void Conclude()
    {
        (PassFailure failure, ConnectionOwner owner) = _state switch
        {
            OriginState.Done done => (done.Failure, done.Owner),
            OriginState.Settled settled => (settled.Failure, settled.Owner),
            OriginState.Releasing => (PassFailure.None, ConnectionOwner.Destination),
            OriginState.Abandoning abandoning => (abandoning.Failure, ConnectionOwner.Nobody),
            _ => (((OriginState.Thawed)_state).Failure, ConnectionOwner.Origin),
        };
        if (_outcome.Task.IsCompleted)
            return;
        (_request?.Concluded ?? _concluded)?.Invoke();
        Report(PassAction.Done, failure == PassFailure.None ? "" : $"{failure}: {_detail}", failure, owner);
        _outcome.SetResult(new PassResult(failure, owner, failure == PassFailure.None ? "" : _detail) { Blackout = _blackout });
    }

    // Whatever goes wrong is an input of the table, which knows what it means in the present state; where it would mean nothing, the next effect follows.
    private async ValueTask<OriginInput?> TryPerformAsync(OriginEffect effect, CancellationToken cancellationToken)
    {
        try
        {
            return await PerformAsync(effect, cancellationToken);
        }
        catch (Exception e) when (e is LinkException or TimeoutException)
        {
            _detail = e.Message;
            return effect is OriginEffect.SendOffer or OriginEffect.SendTransfer || (effect is OriginEffect.Redirect { ToDestination: true })
                ? new OriginInput.LinkLost()
                : null; // asked again when the time is up
        }
        catch (RedirectionException e)
        {
            _detail = e.Message;
            if (_state is OriginState.Diverting)
                return new OriginInput.StepFailed(PassFailure.RedirectionFailed);
            _isRedirectorSilent = true; // asked again after a pause
            return null;
        }
        catch (JournalFullException e)
        {
            _detail = e.Message;
            return _state switch
            {
                OriginState.Beginning => new OriginInput.StepFailed(PassFailure.JournalFull),
                OriginState.Sending => new OriginInput.SendingNotRecorded(),
                _ => null, // what is to be done is the same
            };
        }
        catch (OperationCanceledException)
        {
            _detail = "The pass was cancelled.";
            return new OriginInput.StepFailed(PassFailure.Cancelled);
        }
        catch (Exception e)
        {
            // The kernel, the application or a bug: no matter which, a connection must not stay frozen.
            _detail = e is ObjectDisposedException or KernelException { Errno: Errno.ENOTCONN } ? "The connection ended before it was frozen."
                : e is NotPassableException or KernelException ? e.Message : e.ToString();
            if (_state is OriginState.Beginning or OriginState.Diverting or OriginState.Freezing)
                return new OriginInput.StepFailed(effect is OriginEffect.Redirect ? PassFailure.RedirectionFailed : PassFailure.NotPassable);
            Report(PassAction.Broken, _detail);
            return null;
        }
    }

    private async ValueTask<OriginInput?> PerformAsync(OriginEffect effect, CancellationToken cancellationToken)
    {
        switch (effect)
        {
            case OriginEffect.SendOffer:
                await SendOfferAsync(cancellationToken);
                return null;
            case OriginEffect.Record record:
                Record(record);
                return null;
            case OriginEffect.TellApplication tell:
                _request!.Begun?.Invoke(new PassNote(_id, _destination.Name, tell.Terms.Ticket, tell.Terms.Epoch));
                return null;
            case OriginEffect.Quiesce:
                await QuiesceAsync(cancellationToken);
                return new OriginInput.Quiesced();
            case OriginEffect.Redirect { ToDestination: true } divert when _redirector == Redirector.Origin:
                _divertedAt = Stopwatch.GetTimestamp();
                ulong holds = await _connections.SendPacketsAwayAsync(_destination, divert.Number, cancellationToken);
                Report(PassAction.Diverted);
                return new OriginInput.RedirectionAcknowledged(holds);
            case OriginEffect.Redirect { ToDestination: true } divert when _redirector == Redirector.Home:
                _divertedAt = Stopwatch.GetTimestamp();
                ulong now = await _home!.SendAwayAsync(_destination, divert.Number, cancellationToken);
                Report(PassAction.Diverted);
                return new OriginInput.RedirectionAcknowledged(now);
            case OriginEffect.Redirect { ToDestination: true } divert:
                if (_redirector == Redirector.Both)
                {
                    _divertedAt = Stopwatch.GetTimestamp();
                    await _connections.SendPacketsAwayAsync(_destination, divert.Number, cancellationToken);
                }

                _link.Send(message => message.Divert = new Divert { Number = divert.Number });
                return null;
            case OriginEffect.Redirect undo:
                await TakeBackAsync(undo.Number);
                return null;
            case OriginEffect.CloseGate:
                _connections.Freeze((uint)_link.Ticket!.Value.Number, _epoch);
                Report(PassAction.Frozen);
                return null;
            case OriginEffect.EnterRepair:
                return null; // with the gate, and after it
            case OriginEffect.Capture:
                _connections.Capture();
                Report(PassAction.Captured, Describe(_connections.Snapshots));
                return new OriginInput.Captured();
            case OriginEffect.SendTransfer:
                SendTransfer();
                return null;
            case OriginEffect.SendResolve:
                Report(PassAction.InDoubt, _detail);
                await _link.EnsureOpenAsync();
                _link.Send(message => message.Resolve = new Resolve());
                return null;
            case OriginEffect.Thaw:
                Thaw();
                return null;
            case OriginEffect.OpenGate:
                _connections.OpenGates();
                return null;
            case OriginEffect.HandBack:
                HandBack();
                return null;
            case OriginEffect.CloseSilently:
                _connections.CloseSilently();
                return null;
            case OriginEffect.AwaitRoutingLeft leave:
                await _connections.LeavePacketsAsync(_destination, leave.Number);
                if (_home is not null)
                    await _home.SettleAsync(leave.Number);
                Report(PassAction.Released);
                return new OriginInput.RoutingLeft();
            case OriginEffect.SendForget:
                await _link.EnsureOpenAsync();
                _link.Send(message => message.Forget = new Forget { Connections = { _connections.Names.Select(EndPointWire.ToMessage) } });
                return null;
            default:
                throw new InvalidOperationException($"Nobody performs {effect}.");
        }
    }

    private async Task SendOfferAsync(CancellationToken cancellationToken)
    {
        await _link.OpenAsync(Options.AnswerTime, cancellationToken);
        Offer offer = new()
        {
            Application = _application, Epoch = _epoch, Redirector = (Core.Wire.Redirector)_redirector, Home = _home?.Home ?? "", Ecn = _connections.HaveEcn,
            Incarnation = PassMessages.BytesOf(_host.Journal.Incarnation),
        };
        offer.Connections.Add(_connections.Names.Select(EndPointWire.ToMessage));
        offer.QueueBytes.Add((ulong)_connections.UnacknowledgedBytes);
        Report(PassAction.Offered);
        offer.TraceParent = UnsafeByteOperations.UnsafeWrap(_host.TraceOf(_id));
        _link.Send(message => message.Offer = offer);
    }

    private void Record(OriginEffect.Record effect)
    {
        if (effect.Kind is OriginRecord.Settled or OriginRecord.Done && !_recorded)
            return; // not even the beginning could be recorded
        JournalRecord record = JournalRecords.New(_id, effect.Kind, effect.Terms, effect.Outcome);
        if (!_recorded)
            (record.Application, record.Destination, record.Holder, record.Home) = (_application, _destination.Name, _request?.Holder, _home?.Home ?? "");
        else if (effect.Kind == OriginRecord.Sending)
            record.ApplicationState = UnsafeByteOperations.UnsafeWrap(_applicationState);
        _connections.AddTo(record, effect.Kind, isFirst: !_recorded);
        // With room for the records that follow: what is decided must not fail for want of it.
        if (effect.Kind is OriginRecord.Begun or OriginRecord.Sending)
            _host.Journal.Reserve(_id, record.CalculateSize() + AgentLimits.JournalBytesBesidesSnapshots);
        _host.Journal.Append(record);
        _recorded = true;
        if (effect.Kind is OriginRecord.Begun or OriginRecord.Sending)
            Report(effect.Kind == OriginRecord.Begun ? PassAction.Begun : PassAction.SendingRecorded);
    }

    private async Task QuiesceAsync(CancellationToken cancellationToken)
    {
        _quiesced = true;
        _applicationState = await _request!.QuiesceAsync(cancellationToken);
        if (_applicationState.Length > AgentLimits.MaxStateBytes)
            throw new NotPassableException(NotPassableReason.State, null,
                $"The application's state has {_applicationState.Length} bytes; the limit is {AgentLimits.MaxStateBytes}.");

        await _connections.DrainAsync(Options.QuiesceTime, cancellationToken);
        Report(PassAction.Quiesced, string.Create(CultureInfo.InvariantCulture, $"{_connections.UnacknowledgedBytes} bytes left in the send queue"));
    }

    private void SendTransfer()
    {
        Transfer transfer = new() { Epoch = _epoch, ApplicationState = UnsafeByteOperations.UnsafeWrap(_applicationState) };
        transfer.Connections.Add(_connections.Snapshots.Select(SnapshotWire.ToMessage));
        byte[] bytes = transfer.ToByteArray();
        foreach (TransferChunk chunk in TransferChunks.Of(bytes, () => _connections.StoodStill))
        {
            if (chunk.Last && _divertedAt != 0)
                chunk.DivertedUs = (ulong)Stopwatch.GetElapsedTime(_divertedAt).TotalMicroseconds;
            _link.Send(message => message.Transfer = chunk);
        }

        Report(PassAction.Sent, bytes.Length.ToString(CultureInfo.InvariantCulture) + " bytes");
    }

    // Packets come here again and are held here, until those that the destination has held are here too.
    private async Task TakeBackAsync(ulong number)
    {
        if (_state is OriginState.Undoing)
            _connections.HoldPackets();
        await TakeBackPacketsAsync(number);
        if (_home is not null && await _home.TakeBackAsync(number) is { } home)
            _connections.NotePacketsFrom(home, number); // an agent that was started again does not know it
        await _link.EnsureOpenAsync();
        _link.Send(message => message.Undo = new Undo { Number = number, Connections = { _connections.Names.Select(EndPointWire.ToMessage) } });
    }

    // As long as the connections stand still, a redirector that is away for a moment is worth waiting for: what it still sends to the destination is held there.
    private async Task TakeBackPacketsAsync(ulong number)
    {
        long began = Stopwatch.GetTimestamp();
        while (true)
        {
            try
            {
                await _connections.TakeBackPacketsAsync(_destination, number, CancellationToken.None);
                return;
            }
            catch (RedirectionException) when (_state is OriginState.Undoing && Stopwatch.GetElapsedTime(began) < Options.AnswerTime)
            {
                await _link.PauseAsync(CancellationToken.None);
            }
        }
    }

    private void Thaw()
    {
        uint slot = (uint)_link.Ticket!.Value.Number;
        if (_connections.Thaw(_held, slot, _stoodStillSince) is { } faults)
            Report(PassAction.Broken, faults);
        Report(PassAction.Thawed, _held.Count.ToString(CultureInfo.InvariantCulture) + " packets came back", replayed: _held.Count);
        _held.Clear();
    }

    private void HandBack()
    {
        if (_quiesced)
            _request!.Resume();
        _connections.GiveRebuilt(_heir, new Arrival(_id, _connections.Names, _applicationState, _epoch));
    }

    private async ValueTask<OriginInput> HearAsync(CancellationToken cancellationToken)
    {
        if (_next is { } next)
            return next;
        bool mayGiveUp = _state is OriginState.Offering or OriginState.Beginning or OriginState.Diverting or OriginState.Freezing;
        using CancellationTokenSource waiting = CancellationTokenSource.CreateLinkedTokenSource(mayGiveUp ? cancellationToken : CancellationToken.None);
        lock (_hearing)
        {
            _waiting = waiting;
            if (_order is not null)
                waiting.Cancel();
        }

        try
        {
            return await HearAsync(_state is OriginState.InDoubt or OriginState.Undoing or OriginState.Thawed or OriginState.Settled, waiting.Token);
        }
        catch (OperationCanceledException)
        {
            if (TakeOrder() is { } order)
                return order;
            _detail = "The pass was cancelled.";
            return new OriginInput.StepFailed(PassFailure.Cancelled);
        }
        finally
        {
            lock (_hearing)
                _waiting = null;
        }
    }

    private OriginInput? TakeOrder()
    {
        lock (_hearing)
        {
            // Where the pass is not in doubt any more, an operator's word changes nothing.
            OriginInput? order = _order is null || _state is OriginState.InDoubt ? _order : new OriginInput.OperatorAbandons();
            _order = null;
            return order;
        }
    }

    private async ValueTask<OriginInput> HearAsync(bool waits, CancellationToken cancellationToken)
    {
        if (InDoubtFor > Options.AbandonAfter)
            return new OriginInput.OperatorAbandons();
        if (_isRedirectorSilent || (waits && !_link.IsOpen))
        {
            _isRedirectorSilent = false;
            await _link.PauseAsync(cancellationToken);
            return new OriginInput.TimeIsUp();
        }

        try
        {
            TimeSpan limit = _state is OriginState.Sending ? Options.DecisionTime : Options.AnswerTime;
            while (true)
            {
                PassMessage message = await _link.ReceiveAsync(limit, cancellationToken);
                if (InputOf(message) is { } input)
                    return input;
            }
        }
        catch (LinkException e)
        {
            _detail = e.Message;
            return new OriginInput.LinkLost();
        }
        catch (TimeoutException e)
        {
            _detail = e.Message;
            return new OriginInput.TimeIsUp();
        }
    }

    // Null: it says nothing to the table.
    private OriginInput? InputOf(PassMessage message)
    {
        switch (message.BodyCase)
        {
            case PassMessage.BodyOneofCase.Ready when _link.Ticket is null && PassMessages.TicketOf(message) is { } ticket:
                _link.Ticket = ticket;
                return new OriginInput.ReadyHeard(ticket);
            case PassMessage.BodyOneofCase.Refused:
                Report(PassAction.Refused, _detail = message.Refused.Detail);
                return new OriginInput.OfferRefused(RefusalReasons.ToFailure(message.Refused.Reason));
            case PassMessage.BodyOneofCase.Diverted:
                return new OriginInput.RedirectionAcknowledged(message.Diverted.Number);
            case PassMessage.BodyOneofCase.Held:
                if (_state is OriginState.Undoing)
                    _held.AddRange(message.Held.Packets.Select(packet => packet.ToByteArray()));
                return null;
            case PassMessage.BodyOneofCase.Undone:
                return new OriginInput.RedirectionAcknowledged(message.Undone.Number);
            case PassMessage.BodyOneofCase.Forgotten:
                return new OriginInput.ForgetAcknowledged();
            case PassMessage.BodyOneofCase.Verdict when PassMessages.TicketOf(message) is { } ticket:
                return InputOf(message.Verdict, ticket);
            default:
                return null;
        }
    }

    private OriginInput InputOf(Verdict verdict, PassTicket ticket)
    {
        PassFailure failure = RefusalReasons.ToFailure(verdict.Reason);
        if (verdict.Kind != VerdictKind.Accepted)
        {
            Report(PassAction.Refused, verdict.Detail);
            if (_state is not (OriginState.Undoing or OriginState.Thawed)) // else it is what the undo has led to, not why there is one
                _detail = verdict.Detail;
        }

        if (_state is OriginState.Offering)
            return new OriginInput.OfferRefused(failure); // it could not keep its word even for an offer
        if (verdict.BlackoutNs > 0)
            _blackout = BlackoutOf(TimeSpan.FromMicroseconds(verdict.BlackoutNs / 1000.0));
        return new OriginInput.VerdictHeard(ticket, VerdictMessages.KindOf(verdict), failure);
    }

    // Where this host has diverted, the destination's figure lacks the trip of the transfer, and the time until the verdict is heard has that of the verdict
    // besides: the truth lies in the middle.
    private TimeSpan BlackoutOf(TimeSpan atDestination) => _divertedAt == 0 || _state is OriginState.InDoubt ? atDestination
        : (atDestination + Stopwatch.GetElapsedTime(_divertedAt)) / 2;

    private static string Describe(IReadOnlyList<Core.ConnectionSnapshot> snapshots) => string.Create(CultureInfo.InvariantCulture,
        $"{snapshots.Sum(one => one.Unread.Length)} bytes unread, {snapshots.Sum(one => one.Sent.Length)} in flight, {snapshots.Sum(one => one.Unsent.Length)} unsent");

    private void Report(PassAction action, string detail = "", PassFailure failure = PassFailure.None, ConnectionOwner? owner = null, int replayed = 0) =>
        _observer(new PassStep(_id, _connections.Names[0], PassSide.Origin, action, Stopwatch.GetTimestamp(), detail)
        {
            Failure = failure,
            Owner = owner,
            ReplayedPackets = replayed,
            OtherHost = _destination.Name,
        });
}
