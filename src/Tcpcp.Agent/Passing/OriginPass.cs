using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Google.Protobuf;
using Tcpcp.Agent.Link;
using Tcpcp.Capture;
using Tcpcp.Core;
using Tcpcp.Core.Passing;
using Tcpcp.Core.Wire;
using Tcpcp.Linux;
using Tcpcp.Linux.Tcp;
using FourTuple = Tcpcp.Core.FourTuple;

namespace Tcpcp.Agent.Passing;

/// <summary>The origin's driver of one pass: performs what <see cref="OriginTable"/> says.</summary>
internal sealed class OriginPass
{
    private readonly HostServices _host;
    private readonly PassRequest _request;
    private readonly OriginLink _link;
    private readonly PassObserver _observer;
    private readonly PassId _id = PassId.New();
    private readonly FourTuple _connection;
    private OriginState _state = new OriginState.Offering();
    private PassTicket? _ticket;
    private FrozenConnection? _frozen;
    private ReadOnlyMemory<byte> _applicationState;
    private Core.ConnectionSnapshot? _snapshot;
    private bool _quiesced;
    private bool _diverting;
    private string _detail = "";

    private OriginPass(HostServices host, PassRequest request, OriginLink link, PassObserver observer, FourTuple connection)
    {
        _host = host;
        _request = request;
        _link = link;
        _observer = observer;
        _connection = connection;
    }

    private PassOptions Options => _host.Options;

    private ulong Epoch => _request.Epoch + 1;

    /// <summary>Passes a connection. What happened is in the result; an exception is a caller's bug.</summary>
    /// <param name="connect">Opens a stream to the destination's agent; called again when a link breaks after the snapshot was sent.</param>
    /// <param name="cancellationToken">Gives up as long as nothing was sent; afterwards only the verdict decides.</param>
    public static async Task<PassResult> RunAsync(HostServices host, PassRequest request, Func<CancellationToken, ValueTask<Stream>> connect,
        PassObserver observer, CancellationToken cancellationToken)
    {
        FourTuple connection;
        try
        {
            connection = Passability.Require(request.Socket.SafeHandle, host.Gate.Options, out _).Connection;
        }
        catch (NotPassableException e)
        {
            return new PassResult(PassFailure.NotPassable, ConnectionOwner.Origin, e.Message);
        }

        if (host.Redirection.FindObstacle(connection) is { } obstacle)
            return new PassResult(PassFailure.RedirectionFailed, ConnectionOwner.Origin, obstacle);
        using OriginLink link = new(connect);
        return await new OriginPass(host, request, link, observer, connection).RunAsync(cancellationToken);
    }

    private async Task<PassResult> RunAsync(CancellationToken cancellationToken)
    {
        await AttemptAsync(cancellationToken);
        if (_state is OriginState.InDoubt)
            await ResolveAsync();
        switch (_state)
        {
            case OriginState.Undoing:
                await UndoAsync();
                break;
            case OriginState.Releasing or OriginState.Abandoning:
                Release();
                break;
            default:
                if (_quiesced)
                    _request.Resume();
                break;
        }

        OriginState.Done done = (OriginState.Done)_state;
        Report(PassAction.Done, done.Failure == PassFailure.None ? "" : $"{done.Failure}: {_detail}");
        return new PassResult(done.Failure, done.Owner, _detail);
    }

    // The steps up to the verdict. Whatever goes wrong is an input of the table, which knows what it means in the present state.
    private async Task AttemptAsync(CancellationToken cancellationToken)
    {
        try
        {
            await OfferAsync(cancellationToken);
            if (_state is OriginState.Prepared)
                await BeginAsync(cancellationToken);
            if (_state is OriginState.Begun)
                await DivertAsync(cancellationToken);
            if (_state is OriginState.Diverted)
            {
                FreezeAndCapture();
                Send();
                await HearVerdictAsync(Options.DecisionTime);
            }
        }
        catch (LinkException e)
        {
            Fail(new OriginInput.LinkLost(), e.Message);
        }
        catch (TimeoutException e)
        {
            Fail(new OriginInput.LinkLost(), e.Message);
        }
        catch (OperationCanceledException)
        {
            Fail(new OriginInput.StepFailed(PassFailure.Cancelled), "The pass was cancelled.");
        }
        catch (ObjectDisposedException)
        {
            Fail(new OriginInput.StepFailed(PassFailure.NotPassable), "The connection ended before it was frozen.");
        }
        catch (Exception e)
        {
            // The kernel, the application or a bug: no matter which, the table must know, or a connection would stay frozen.
            Fail(new OriginInput.StepFailed(PassFailure.NotPassable), e is NotPassableException or KernelException ? e.Message : e.ToString());
        }
    }

    private async Task OfferAsync(CancellationToken cancellationToken)
    {
        await _link.OpenAsync(Options.AnswerTime, cancellationToken);
        PassMessage message = Message();
        message.Offer = new Offer { Application = _request.Application, Epoch = Epoch };
        message.Offer.Connections.Add(EndPointWire.ToMessage(_connection));
        message.Offer.QueueBytes.Add((ulong)SocketQueues.UnacknowledgedBytes(_request.Socket.SafeHandle));
        Report(PassAction.Offered);
        _link.Send(message);
        PassMessage answer = await ReceiveAsync(Options.AnswerTime, cancellationToken);
        if (answer.BodyCase == PassMessage.BodyOneofCase.Ready && PassMessages.TicketOf(answer) is { } ticket)
        {
            _ticket = ticket;
            Move(new OriginInput.DestinationReady(ticket));
            return;
        }

        RefusalReason reason = answer.BodyCase == PassMessage.BodyOneofCase.Refused ? answer.Refused.Reason : RefusalReason.Invalid;
        Fail(new OriginInput.DestinationRefused(RefusalReasons.ToFailure(reason)),
            answer.BodyCase == PassMessage.BodyOneofCase.Refused ? answer.Refused.Detail : $"The destination answered an offer with {answer.BodyCase}.");
        Report(PassAction.Refused, _detail);
    }

    private async Task BeginAsync(CancellationToken cancellationToken)
    {
        Move(new OriginInput.BeginRecorded());
        Report(PassAction.Begun);
        _quiesced = true;
        _applicationState = await _request.QuiesceAsync(cancellationToken);
        if (_applicationState.Length > AgentLimits.MaxStateBytes)
        {
            Fail(new OriginInput.StepFailed(PassFailure.NotPassable),
                $"The application's state has {_applicationState.Length} bytes; the limit is {AgentLimits.MaxStateBytes}.");
            return;
        }

        // An emptier send queue makes a shorter blackout; what is left of it is carried.
        long started = Stopwatch.GetTimestamp();
        while (SocketQueues.UnacknowledgedBytes(_request.Socket.SafeHandle) > 0 && Stopwatch.GetElapsedTime(started) < Options.QuiesceTime)
            await Task.Delay(1, cancellationToken);
        Report(PassAction.Quiesced, string.Create(CultureInfo.InvariantCulture,
            $"{SocketQueues.UnacknowledgedBytes(_request.Socket.SafeHandle)} bytes left in the send queue"));
    }

    private async Task DivertAsync(CancellationToken cancellationToken)
    {
        _diverting = true;
        PassMessage message = Message();
        message.Divert = new Divert { Epoch = Epoch };
        _link.Send(message);
        PassMessage answer = await ReceiveAsync(Options.AnswerTime, cancellationToken);
        if (answer.BodyCase == PassMessage.BodyOneofCase.Diverted)
            Move(new OriginInput.DivertAcknowledged());
        else
            HearVerdict(answer);
    }

    private void FreezeAndCapture()
    {
        SendPendingAcknowledgement(_request.Socket.SafeHandle);
        _frozen = FrozenConnection.Freeze(_request.Socket.SafeHandle, _host.Gate, (uint)_ticket!.Value.Number, Epoch);
        Move(new OriginInput.SocketFrozen());
        Report(PassAction.Frozen);
        _snapshot = _frozen.Capture();
        Move(new OriginInput.SnapshotCaptured());
        Report(PassAction.Captured, string.Create(CultureInfo.InvariantCulture,
            $"{_snapshot.Unread.Length} bytes unread, {_snapshot.Sent.Length} in flight, {_snapshot.Unsent.Length} unsent"));
    }

    // The application reads no more, so the window does not grow and the kernel delays acknowledgements. One that is due and does not leave now never
    // leaves: the restored socket knows of none, and a peer that sends would wait for its retransmission timer (200 ms and more).
    private static void SendPendingAcknowledgement(SafeHandle socket)
    {
        const int Once = 2; // acknowledges, and leaves the delaying of acknowledgements on
        SocketOption.Get(socket, SocketLevel.IPPROTO_TCP, TcpOption.TCP_QUICKACK, out int quick);
        SocketOption.Set(socket, SocketLevel.IPPROTO_TCP, TcpOption.TCP_QUICKACK, quick != 0 ? 1 : Once);
    }

    private void Send()
    {
        Transfer transfer = new() { Epoch = Epoch, ApplicationState = UnsafeByteOperations.UnsafeWrap(_applicationState) };
        transfer.Connections.Add(SnapshotWire.ToMessage(_snapshot!));
        byte[] bytes = transfer.ToByteArray();
        _frozen!.MarkSent();
        Move(new OriginInput.SendingRecorded());
        for (int at = 0; at < bytes.Length || at == 0; at += AgentLimits.MaxChunkBytes)
        {
            int length = Math.Min(AgentLimits.MaxChunkBytes, bytes.Length - at);
            PassMessage message = Message();
            message.Transfer = new TransferChunk { Data = UnsafeByteOperations.UnsafeWrap(bytes.AsMemory(at, length)), Last = at + length == bytes.Length };
            if (message.Transfer.Last)
                message.Transfer.StoodStillUs = (ulong)_frozen.StoodStill.TotalMicroseconds;
            _link.Send(message);
        }

        Report(PassAction.Sent, bytes.Length.ToString(CultureInfo.InvariantCulture) + " bytes");
    }

    private async Task HearVerdictAsync(TimeSpan limit)
    {
        while (_state is OriginState.Sending or OriginState.InDoubt)
            HearVerdict(await ReceiveAsync(limit, CancellationToken.None));
    }

    private void HearVerdict(PassMessage message)
    {
        if (message.BodyCase != PassMessage.BodyOneofCase.Verdict || PassMessages.TicketOf(message) is not { } ticket)
            return;
        PassVerdict verdict = message.Verdict.Kind switch
        {
            VerdictKind.Accepted => PassVerdict.Accepted,
            VerdictKind.Refused => PassVerdict.Refused,
            _ => PassVerdict.Unknown,
        };
        if (verdict != PassVerdict.Accepted)
            Report(PassAction.Refused, _detail = message.Verdict.Detail);
        Move(new OriginInput.VerdictHeard(ticket, verdict, RefusalReasons.ToFailure(message.Verdict.Reason)));
    }

    // Nothing is known: neither thaw nor close, ask until there is an answer.
    private async Task ResolveAsync()
    {
        Report(PassAction.InDoubt, _detail);
        TimeSpan pause = Options.ResolveBackOff;
        while (_state is OriginState.InDoubt)
        {
            try
            {
                await _link.OpenAsync(Options.AnswerTime, CancellationToken.None);
                PassMessage message = Message();
                message.Resolve = new Resolve();
                _link.Send(message);
                await HearVerdictAsync(Options.AnswerTime);
            }
            catch (Exception e) when (e is LinkException or TimeoutException)
            {
                await Task.Delay(pause);
                pause = pause * 2 < Options.ResolveBackOffMax ? pause * 2 : Options.ResolveBackOffMax;
            }
        }
    }

    private async Task UndoAsync()
    {
        List<byte[]> held = [];
        if (_diverting)
        {
            // Packets come here again and are held here, until those that the destination has held are here too.
            _host.Hold.Arm(_connection);
            _host.Redirection.Reclaim(_connection);
            await TakeBackAsync(held);
        }

        void Replay()
        {
            foreach (byte[] frame in held)
                _host.Hold.Inject(frame);
            _host.Hold.Replay(_connection);
        }

        if (_frozen is not null)
            _frozen.Thaw(_diverting ? Replay : null);
        else if (_diverting)
            Replay();
        Report(PassAction.Thawed, held.Count.ToString(CultureInfo.InvariantCulture) + " packets came back");
        _request.Resume();
        SendLast(opened: true);
        Move(new OriginInput.UndoCompleted());
    }

    // The destination may be gone: then what it held is lost, and the peer sends it again.
    private async Task TakeBackAsync(List<byte[]> held)
    {
        try
        {
            if (!_link.IsOpen)
                await _link.OpenAsync(Options.AnswerTime, CancellationToken.None);
            PassMessage message = Message();
            message.Undo = new Undo { Epoch = Epoch };
            _link.Send(message);
            while (true)
            {
                PassMessage answer = await ReceiveAsync(Options.AnswerTime, CancellationToken.None);
                if (answer.BodyCase == PassMessage.BodyOneofCase.Held)
                    held.AddRange(answer.Held.Packets.Select(packet => packet.ToByteArray()));
                else if (answer.BodyCase == PassMessage.BodyOneofCase.Undone)
                    return;
            }
        }
        catch (Exception e) when (e is LinkException or TimeoutException)
        {
            _detail += $" The undo was not acknowledged: {e.Message}";
        }
    }

    private void Release()
    {
        _frozen!.Release();
        _host.Redirection.Leave(_connection);
        _frozen.OpenGate();
        Report(PassAction.Released);
        Move(new OriginInput.RoutingLeft());
        SendLast(opened: false);
    }

    private void SendLast(bool opened)
    {
        if (_ticket is null)
            return;
        try
        {
            if (opened)
            {
                PassMessage message = Message();
                message.Opened = new Opened();
                _link.Send(message);
            }

            PassMessage forget = Message();
            forget.Forget = new Forget();
            _link.Send(forget);
        }
        catch (LinkException)
        {
            // The destination keeps its verdict longer than needed, no more.
        }
    }

    private async Task<PassMessage> ReceiveAsync(TimeSpan limit, CancellationToken cancellationToken)
    {
        while (true)
        {
            PassMessage message = await _link.ReceiveAsync(limit, cancellationToken);
            if (PassMessages.IdOf(message) == _id && (_ticket is null || PassMessages.TicketOf(message) == _ticket))
                return message;
        }
    }

    private PassMessage Message() => PassMessages.New(_id, _ticket);

    private void Fail(OriginInput input, string detail)
    {
        _detail = detail;
        Move(input);
    }

    private void Move(OriginInput input) => _state = OriginTable.Next(_state, input);

    private void Report(PassAction action, string detail = "") =>
        _observer(new PassStep(_id, _connection, PassSide.Origin, action, Stopwatch.GetTimestamp(), detail));
}
