using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net.Sockets;
using Tcpcp.Agent.Journal;
using Tcpcp.Agent.Link;
using Tcpcp.Agent.Policy;
using Tcpcp.Core;
using Tcpcp.Core.Passing;
using Tcpcp.Core.Wire;
using Tcpcp.Linux;
using Tcpcp.Linux.Tcp;
using FourTuple = Tcpcp.Core.FourTuple;
using Redirector = Tcpcp.Agent.Redirection.Redirector;

namespace Tcpcp.Agent.Passing;

/// <summary>
/// Takes offers and what follows them, over links that origins open. It keeps a verdict until the origin's Forget, over broken links and its own death.
/// </summary>
internal sealed class DestinationSide(HostServices host, PassObserver observer)
{
    private readonly ConcurrentDictionary<string, IPassReceiver> _receivers = new(StringComparer.Ordinal);
    private readonly Dictionary<PassId, DestinationPass> _passes = [];
    private readonly Lock _lock = new();
    private readonly Dictionary<string, IPassLink> _links = new(StringComparer.OrdinalIgnoreCase); // the newest, by the origin's name
    private LostPasses? _lost;

    /// <summary>Who may pass what to here; null: everybody everything.</summary>
    public PassPolicy? Policy { get; init; }

    /// <summary>Hears of messages that were refused.</summary>
    public LinkObserver LinkObserver { get; init; } = _ => { };

    /// <summary>Adds an application; false if its name is taken.</summary>
    public bool TryRegister(IPassReceiver receiver) => _receivers.TryAdd(receiver.Application, receiver);

    /// <summary>Takes an application away again: its name is free. Passes that it was shown still tell it what becomes of them.</summary>
    public void Unregister(IPassReceiver receiver) => _receivers.TryRemove(KeyValuePair.Create(receiver.Application, receiver));

    /// <summary>
    /// An application has sockets of a pass that this journal does not know. Those that live stay, and the origin is told that it was accepted; what is dormant
    /// has no owner here, and is dissolved.
    /// </summary>
    public void TakeClaim(PassId pass, PassTicket ticket, bool isLive, IReadOnlyList<Socket?> sockets)
    {
        lock (_lock)
            Lost.TakeClaim(pass, ticket, isLive, sockets);
    }

    /// <summary>At the start, when the passes of the journal are known: opens gates that were left closed by passes which no journal knows.</summary>
    /// <param name="ofOrigin">Connections of this host's passes as the origin.</param>
    public void OpenUnneededGates(IEnumerable<FourTuple> ofOrigin)
    {
        lock (_lock)
            Lost.OpenUnneeded(new HashSet<FourTuple>(Kept.Concat(ofOrigin)));
    }

    /// <summary>The passes that the origin has not released yet.</summary>
    public IReadOnlyList<DestinationPass> List()
    {
        lock (_lock)
            return [.. _passes.Values];
    }

    /// <summary>The connections of the passes that may change anything for them still. Of one that lives here, or has lived, the kernel knows; its origin may have died for good and never release it.</summary>
    public IReadOnlyList<FourTuple> OpenConnections
    {
        get
        {
            lock (_lock)
                return [.. _passes.Values.Where(pass => pass.IsOpen).SelectMany(pass => pass.Names)];
        }
    }

    public void Register(IPassReceiver receiver)
    {
        if (!TryRegister(receiver))
            throw new ArgumentException($"An application named '{receiver.Application}' is registered already.", nameof(receiver));
    }

    /// <summary>The application of that name, null if it is not there.</summary>
    public IPassReceiver? FindReceiver(string application) => _receivers.GetValueOrDefault(application);

    /// <summary>Goes on with a pass that the journal has: at once if it needs no application. Before links are served.</summary>
    /// <param name="held">Where the sockets of applications come from that have not died with the agent; null: there are none.</param>
    public void Recover(JournalRecord record, IHeldSockets? held, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            DestinationPass pass = new(host, FindReceiver(record.Application), observer, record, _lock, Forget);
            _passes[pass.Id] = pass;
            _ = TellAgainAsync(pass.Id);
            if (!pass.Recover(record))
                return;
            if (held is null)
                pass.GoOn([], FindReceiver(record.Application));
            else
                _ = GoOnAsync(pass, held, cancellationToken);
        }
    }

    private async Task GoOnAsync(DestinationPass pass, IHeldSockets held, CancellationToken cancellationToken)
    {
        HeldPass found = await held.AwaitAsync(pass.Id, pass.Application, pass.Names, cancellationToken);
        lock (_lock)
            pass.GoOn(found.Sockets, found.Receiver ?? FindReceiver(pass.Application));
    }

    /// <summary>Serves one link until the origin closes it or it breaks.</summary>
    /// <param name="link">Disposed of at its end.</param>
    /// <param name="peer">The name of the origin's certificate; null if the link has none: then passes have no names either.</param>
    /// <returns>Null if it ended as links do, else why it was given up.</returns>
    public async Task<string?> ServeAsync(IPassLink link, string? peer, CancellationToken cancellationToken)
    {
        using IPassLink served = link;
        try
        {
            if (peer is not null)
                Meet(link, peer);
            while (await link.ReceiveAsync(cancellationToken) is { } message)
            {
                long arrived = Stopwatch.GetTimestamp(); // not after the wait for the lock
                if (PassMessages.IdOf(message) is not { } id)
                    return "It sent a message that names no pass.";
                lock (_lock)
                    Handle(id, message, link, peer, arrived);
            }

            return null;
        }
        catch (LinkException)
        {
            return null; // the origin asks again over another link
        }
        finally
        {
            lock (_lock)
            {
                foreach (DestinationPass pass in _passes.Values)
                    pass.LoseLink(link);
                if (peer is not null && _links.GetValueOrDefault(peer) == link)
                    _links.Remove(peer);
            }
        }
    }

    // What it has not heard it is told now.
    private void Meet(IPassLink link, string origin)
    {
        lock (_lock)
        {
            _links[origin] = link;
            foreach (DestinationPass pass in _passes.Values.Where(pass => CertificateNames.AreSame(pass.OriginName, origin)).ToArray())
                pass.TellAgain(link);
        }
    }

    private void Handle(PassId id, PassMessage message, IPassLink link, string? peer, long arrived)
    {
        if (message.BodyCase == PassMessage.BodyOneofCase.Offer)
        {
            HandleOffer(id, message.Offer, link, peer);
            return;
        }

        DestinationPass? pass = FindOwn(id, message, peer);
        if (message.BodyCase == PassMessage.BodyOneofCase.Hangup)
        {
            pass?.HangUp();
            return;
        }

        if (PassMessages.TicketOf(message) is not { } ticket)
            return; // no message of a pass that is open is without
        if (pass is null || pass.Terms.Ticket != ticket)
        {
            HandleUnknown(id, ticket, message, link, peer);
            return;
        }

        pass.Hear(message, link, arrived);
    }

    // Only the certificate that has offered a pass may speak of it; to others it is unknown.
    private DestinationPass? FindOwn(PassId id, PassMessage message, string? peer)
    {
        if (!_passes.TryGetValue(id, out DestinationPass? pass))
            return null;
        if (peer is null || pass.OriginName.Length == 0 || CertificateNames.AreSame(pass.OriginName, peer))
            return pass;
        LinkObserver(new LinkEvent(LinkEventKind.ForeignPass, peer,
            $"{peer} sent {message.BodyCase} about pass {id} of {pass.Names[0]}, which {pass.OriginName} has offered."));
        return null;
    }

    private LostPasses Lost => _lost ??= new LostPasses(host, Policy);

    private HashSet<FourTuple> Kept => [.. _passes.Values.SelectMany(pass => pass.Names)];

    private void Forget(DestinationPass pass) => _passes.Remove(pass.Id);

    private void HandleOffer(PassId id, Offer offer, IPassLink link, string? peer)
    {
        (PassFailure failure, string reason) = TakeOffer(id, offer, link, peer);
        if (failure == PassFailure.None)
            return;
        if (failure == PassFailure.RefusedByPolicy)
            LinkObserver(new LinkEvent(LinkEventKind.PolicyRefused, peer ?? "", reason));
        PassMessage answer = PassMessages.New(id, null);
        answer.Refused = new Refused { Reason = RefusalReasons.FromFailure(failure), Detail = reason };
        Send(link, answer);
    }

    private (PassFailure Failure, string Reason) TakeOffer(PassId id, Offer offer, IPassLink link, string? peer)
    {
        if (offer.Connections.Count is 0 or > AgentLimits.MaxConnections)
            return (PassFailure.InvalidSnapshot, $"The offer has {offer.Connections.Count} connections; a pass takes 1 to {AgentLimits.MaxConnections}.");
        try
        {
            FourTuple[] connections = [.. offer.Connections.Select(EndPointWire.FromMessage)];
            if (connections.Distinct().Count() != connections.Length)
                return (PassFailure.InvalidSnapshot, "The offer names a connection twice.");
            if (Policy?.FindObstacle(peer, offer.Application, connections) is { } obstacle)
                return (PassFailure.RefusedByPolicy, obstacle);
            if (offer.Ecn && host.Options.Ecn == EcnPolicy.Refuse)
                return (PassFailure.RefusedByPolicy, DestinationPass.EcnRefused);
            if (FindReceiver(offer.Application) is not { } receiver)
                return (PassFailure.NoApplication, $"No application named '{offer.Application}' is registered here.");
            if (FindRedirectionObstacle(offer, connections) is { } missing)
                return (PassFailure.RedirectionFailed, missing);
            if (FindConflict(id, connections) is { } conflict)
                return (PassFailure.Conflict, conflict);
            if (connections.Select(connection => host.Redirection.Expect(connection, (Redirector)offer.Redirector)).FirstOrDefault(one => one is not null) is { } sentOn)
                return (PassFailure.RedirectionFailed, sentOn);
            ulong queues = Math.Min(offer.QueueBytes.Aggregate(0UL, (sum, one) => sum + Math.Min(one, int.MaxValue)),
                2UL * (ulong)host.Options.MaxQueueBytes * (ulong)connections.Length);
            host.Journal.Reserve(id, (long)queues + AgentLimits.JournalBytesBesidesSnapshots);
            PassTerms terms = new(new PassTicket(host.Journal.Incarnation, host.Journal.TakeTicketNumber()), offer.Epoch);
            DestinationPass pass = new(host, receiver, offer.Application, observer, id, terms, connections, _lock, Forget)
            {
                Redirector = (Redirector)offer.Redirector,
                TraceParent = offer.TraceParent.Memory,
                OriginName = peer ?? "",
                OriginIncarnation = offer.Incarnation,
                Home = offer.Home,
            };
            _passes[id] = pass;
            pass.TakeOffer(link);
            _ = ExpireAsync(id);
            return (PassFailure.None, "");
        }
        catch (InvalidSnapshotException e)
        {
            return (PassFailure.InvalidSnapshot, e.Message);
        }
        catch (JournalFullException e)
        {
            return (PassFailure.JournalFull, e.Message);
        }
        catch (KernelException e)
        {
            return (PassFailure.RestoreRefusedByKernel, e.Message);
        }
    }

    // The end of a connection has to be told to the host that forwards its packets.
    private string? FindRedirectionObstacle(Offer offer, FourTuple[] connections) => offer.Redirector switch
    {
        Core.Wire.Redirector.Destination or Core.Wire.Redirector.Origin => null,
        Core.Wire.Redirector.Home when !connections.All(host.Redirection.IsForeign) =>
            $"{offer.Home} would forward the packets of {connections[0]} to this host, which takes none that are forwarded, or has the address itself: its redirection is {host.Redirection.Name}.",
        Core.Wire.Redirector.Home when host.FindHost(offer.Home) is null =>
            $"{offer.Home} forwards the packets of {connections[0]}, and is not among the destinations of this agent, which could not tell it of the connection's end. Add it there.",
        Core.Wire.Redirector.Home => null,
        Core.Wire.Redirector.Both when connections.DistinctBy(host.Redirection.IsForeign).Count() == 1 =>
            $"The origin takes this host for the home of some of the connections only. Here it is otherwise: its redirection is {host.Redirection.Name}, and the address of {connections[0]} is {(host.Redirection.IsForeign(connections[0]) ? "not " : "")}here.",
        Core.Wire.Redirector.Both => null,
        _ => "The offer names a redirector that this agent does not know.",
    };

    // One open pass per connection, over both roles: the origin's side is known by the gate and the lock of its socket, which is alive here.
    private string? FindConflict(PassId id, FourTuple[] connections)
    {
        if (_passes.ContainsKey(id))
            return "This pass is known already: its name must not be used again.";
        if (_passes.Values.Where(other => other.IsOpen).SelectMany(other => other.Names).Intersect(connections).FirstOrDefault() is { Local: not null } open)
            return $"Another pass of {open} is open here.";
        if (connections.FirstOrDefault(host.OriginPasses.IsRecovering) is { Local: not null } recovering)
            return $"A pass of {recovering} from here is not settled yet.";
        return connections.FirstOrDefault(host.Living.Contains) is { Local: not null } living ? $"{living} is alive here." : null;
    }

    private void HandleUnknown(PassId id, PassTicket ticket, PassMessage message, IPassLink link, string? peer)
    {
        DestinationInput? input = message.BodyCase switch
        {
            PassMessage.BodyOneofCase.Transfer when message.Transfer.Last => new DestinationInput.TransferHeard(ticket, Lost.LivesHere(id, ticket)),
            PassMessage.BodyOneofCase.Resolve => new DestinationInput.ResolveHeard(ticket, Lost.LivesHere(id, ticket)),
            PassMessage.BodyOneofCase.Undo => new DestinationInput.UndoHeard(ticket),
            PassMessage.BodyOneofCase.Forget => new DestinationInput.ForgetHeard(ticket),
            _ => null,
        };
        if (ticket.Incarnation != host.Journal.Incarnation)
            HandleLost(message, peer);
        if (input is null)
            return;
        foreach (DestinationEffect effect in DestinationTable.Next(new DestinationState.Unknown(host.Journal.Incarnation), input).Effects)
        {
            PassMessage answer = PassMessages.New(id, ticket);
            if (effect is DestinationEffect.SendVerdict verdict)
                answer.Verdict = VerdictMessages.New(verdict, "This pass is not open here.");
            else if (effect is DestinationEffect.SendHeld)
                answer.Undone = new Undone { Number = message.Undo.Number }; // nothing is held for it, and nothing diverted
            else if (effect is DestinationEffect.SendForgotten)
                answer.Forgotten = new Forgotten();
            Send(link, answer);
        }
    }

    // This journal is younger than the pass: nobody else cleans up after it.
    private void HandleLost(PassMessage message, string? peer)
    {
        if (message.BodyCase == PassMessage.BodyOneofCase.Forget)
            Lost.Forget(LostPasses.NamesOf(message.Forget.Connections), Kept);
        else if (message.BodyCase == PassMessage.BodyOneofCase.Undo)
            Lost.Undo(LostPasses.NamesOf(message.Undo.Connections), peer, Kept);
    }

    // What is not decided when the offer's lifetime ends is refused. What is held for a refused pass, and nobody asks for, is dropped a while later.
    // Of what is forgotten by then, nothing is kept for it.
    private async Task ExpireAsync(PassId id)
    {
        await Task.Delay(host.Options.OfferLifetime);
        lock (_lock)
            _passes.GetValueOrDefault(id)?.Expire();
        await Task.Delay(host.Options.HoldTime);
        lock (_lock)
            _passes.GetValueOrDefault(id)?.StopHolding();
        await TellAgainAsync(id);
    }

    private async Task TellAgainAsync(PassId id)
    {
        while (true)
        {
            lock (_lock)
            {
                if (!_passes.TryGetValue(id, out DestinationPass? pass))
                    return;
                if (_links.GetValueOrDefault(pass.OriginName) is { } link)
                    pass.TellAgain(link);
            }

            await Task.Delay(host.Options.ResolveBackOffMax);
        }
    }

    private static void Send(IPassLink link, PassMessage message)
    {
        try
        {
            link.Send(message);
        }
        catch (LinkException)
        {
            // The reader finds it out too; the origin asks again.
        }
    }
}
