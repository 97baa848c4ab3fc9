using System.Collections.Concurrent;
using Google.Protobuf;
using Tcpcp.Agent.Link;
using Tcpcp.Core;
using Tcpcp.Core.Passing;
using Tcpcp.Core.Wire;
using Tcpcp.Linux;
using FourTuple = Tcpcp.Core.FourTuple;

namespace Tcpcp.Agent.Passing;

/// <summary>
/// Takes offers and what follows them, over links that origins open. It keeps a verdict until the origin's Forget, over broken links too.
/// </summary>
internal sealed class DestinationSide(HostServices host, PassObserver observer)
{
    private readonly ConcurrentDictionary<string, IPassReceiver> _receivers = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<PassId, DestinationPass> _passes = new();
    private readonly Guid _incarnation = Guid.NewGuid();
    private readonly Lock _lock = new();
    private long _lastTicket;

    public void Register(IPassReceiver receiver)
    {
        if (!_receivers.TryAdd(receiver.Application, receiver))
            throw new ArgumentException($"An application named '{receiver.Application}' is registered already.", nameof(receiver));
    }

    /// <summary>Serves one link until the origin closes it or it breaks.</summary>
    public async Task ServeAsync(Stream stream, CancellationToken cancellationToken)
    {
        using AgentLink link = new(stream);
        HashSet<PassId> served = [];
        try
        {
            while (await link.ReceiveAsync(cancellationToken) is { } message)
            {
                if (PassMessages.IdOf(message) is not { } id)
                    return; // not an origin
                served.Add(id);
                Handle(id, message, link);
            }
        }
        catch (LinkException)
        {
            // The origin asks again over another link.
        }
        finally
        {
            LoseLink(served);
        }
    }

    private void Handle(PassId id, PassMessage message, AgentLink link)
    {
        if (message.BodyCase == PassMessage.BodyOneofCase.Offer)
        {
            Answer(link, id, null, HandleOffer(id, message.Offer));
            return;
        }

        PassTicket? ticket = PassMessages.TicketOf(message);
        if (!_passes.TryGetValue(id, out DestinationPass? pass) || pass.Ticket != ticket)
        {
            if (ticket is { } unknown && message.BodyCase is PassMessage.BodyOneofCase.Resolve or PassMessage.BodyOneofCase.Transfer)
                Answer(link, id, ticket, new PassMessage { Verdict = VerdictOn(unknown) });
            else if (message.BodyCase == PassMessage.BodyOneofCase.Undo)
                Answer(link, id, ticket, new PassMessage { Undone = new Undone { Epoch = message.Undo.Epoch } }); // nothing here to undo
            return;
        }

        lock (_lock)
            HandleFor(pass, message, link);
    }

    private void HandleFor(DestinationPass pass, PassMessage message, AgentLink link)
    {
        switch (message.BodyCase)
        {
            case PassMessage.BodyOneofCase.Divert:
                Divert(pass, message.Divert.Epoch, link);
                break;
            case PassMessage.BodyOneofCase.Transfer:
                pass.Receive(message.Transfer);
                AnswerVerdict(link, pass);
                break;
            case PassMessage.BodyOneofCase.Resolve:
                pass.Refuse(new DestinationInput.ResolveHeard(), "The origin asked for the verdict before the transfer was whole.");
                AnswerVerdict(link, pass);
                break;
            case PassMessage.BodyOneofCase.Undo:
                SendHeld(link, pass, pass.Undo());
                Answer(link, pass.Id, pass.Ticket, new PassMessage { Undone = new Undone { Epoch = message.Undo.Epoch } });
                break;
            case PassMessage.BodyOneofCase.Opened:
                pass.OpenGate();
                break;
            case PassMessage.BodyOneofCase.Forget:
                pass.Forget();
                if (pass.IsForgotten)
                    _passes.TryRemove(pass.Id, out _);
                break;
            default:
                break; // a destination's own message, or a newer version's: not for us
        }
    }

    private static void Divert(DestinationPass pass, ulong epoch, AgentLink link)
    {
        try
        {
            pass.Divert();
            if (pass.Verdict is null)
                Answer(link, pass.Id, pass.Ticket, new PassMessage { Diverted = new Diverted { Epoch = epoch } });
        }
        catch (KernelException e)
        {
            pass.Refuse(new DestinationInput.Declined(PassFailure.RedirectionFailed), e.Message);
        }

        AnswerVerdict(link, pass);
    }

    private PassMessage HandleOffer(PassId id, Offer offer)
    {
        (PassFailure failure, string reason) = TakeOffer(id, offer, out DestinationPass? pass);
        if (pass is null)
            return new PassMessage { Refused = new Refused { Reason = RefusalReasons.FromFailure(failure), Detail = reason } };
        _ = ExpireAsync(pass);
        PassMessage answer = PassMessages.New(id, pass.Ticket);
        answer.Ready = new Ready { OfferLifetimeMs = (uint)host.Options.OfferLifetime.TotalMilliseconds };
        return answer;
    }

    private (PassFailure Failure, string Reason) TakeOffer(PassId id, Offer offer, out DestinationPass? pass)
    {
        pass = null;
        if (!_receivers.TryGetValue(offer.Application, out IPassReceiver? receiver))
            return (PassFailure.NoApplication, $"No application named '{offer.Application}' is registered here.");
        if (offer.Connections.Count != 1)
            return (PassFailure.InvalidSnapshot, $"The offer has {offer.Connections.Count} connections; this version takes one at a time.");
        try
        {
            FourTuple connection = EndPointWire.FromMessage(offer.Connections[0]);
            lock (_lock)
            {
                if (_passes.ContainsKey(id) || _passes.Values.Any(other => other.IsOpen && other.Connection == connection))
                    return (PassFailure.Conflict, $"Another pass of {connection} is open here.");
                if (host.Sockets.List().Any(socket => socket.Connection == connection && socket.State != Core.TcpState.TimeWait))
                    return (PassFailure.Conflict, $"{connection} is alive here.");
                PassTicket ticket = new(_incarnation, (ulong)Interlocked.Increment(ref _lastTicket));
                pass = DestinationPass.Take(host, receiver, observer, id, ticket, connection);
                _passes[id] = pass;
            }

            return default;
        }
        catch (InvalidSnapshotException e)
        {
            return (PassFailure.InvalidSnapshot, e.Message);
        }
        catch (Exception e) when (e is KernelException or InvalidOperationException)
        {
            return (PassFailure.Conflict, e.Message);
        }
    }

    // What is not decided when the offer's lifetime ends is refused. A refused pass that nobody undoes opens a while later.
    private async Task ExpireAsync(DestinationPass pass)
    {
        await Task.Delay(host.Options.OfferLifetime);
        lock (_lock)
            pass.Refuse(new DestinationInput.TimeIsUp(), "The offer's time was up.");
        await Task.Delay(host.Options.HoldTime);
        lock (_lock)
        {
            pass.OpenGate();
            if (pass.Verdict?.Kind == VerdictKind.Refused)
                _passes.TryRemove(pass.Id, out _); // it needs no memory: a ticket that is not known here is refused
        }
    }

    private void LoseLink(HashSet<PassId> served)
    {
        lock (_lock)
        {
            foreach (PassId id in served)
            {
                if (_passes.TryGetValue(id, out DestinationPass? pass))
                    pass.Refuse(new DestinationInput.LinkLost(), "The link to the origin broke before the packets were diverted.");
            }
        }
    }

    // A ticket that is not in the table: of this incarnation it can never be accepted any more; of another one nobody can say.
    private Verdict VerdictOn(PassTicket ticket) => ticket.Incarnation == _incarnation
        ? new Verdict { Kind = VerdictKind.Refused, Reason = RefusalReason.UnknownTicket, Detail = "This pass is not open here." }
        : new Verdict { Kind = VerdictKind.Unknown, Detail = "The destination has lost its memory of this pass." };

    private static void AnswerVerdict(AgentLink link, DestinationPass pass)
    {
        if (pass.Verdict is not { } verdict)
            return;
        Answer(link, pass.Id, pass.Ticket, new PassMessage { Verdict = verdict });
        if (pass.Activation is { } activation)
            Answer(link, pass.Id, pass.Ticket, new PassMessage { Active = activation });
    }

    private static void SendHeld(AgentLink link, DestinationPass pass, IReadOnlyList<byte[]> frames)
    {
        HeldPackets held = new();
        int bytes = 0;
        foreach (byte[] frame in frames)
        {
            if (bytes + frame.Length > AgentLimits.MaxHeldBytes)
            {
                Answer(link, pass.Id, pass.Ticket, new PassMessage { Held = held });
                (held, bytes) = (new HeldPackets(), 0);
            }

            held.Packets.Add(UnsafeByteOperations.UnsafeWrap(frame));
            bytes += frame.Length;
        }

        if (held.Packets.Count > 0)
            Answer(link, pass.Id, pass.Ticket, new PassMessage { Held = held });
    }

    private static void Answer(AgentLink link, PassId id, PassTicket? ticket, PassMessage body)
    {
        PassMessage identity = PassMessages.New(id, ticket);
        body.PassId = identity.PassId;
        body.Ticket ??= identity.Ticket;
        try
        {
            link.Send(body);
        }
        catch (LinkException)
        {
            // The reader finds it out too; the origin asks again.
        }
    }
}
