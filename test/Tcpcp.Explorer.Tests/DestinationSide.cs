using Tcpcp.Core;
using Tcpcp.Core.Passing;
using static Tcpcp.Core.Passing.DestinationState;

namespace Tcpcp.Explorer.Tests;

/// <summary>The destination's driver: performs the table's effects, one a step, and brings it what happens.</summary>
internal sealed class DestinationSide(Model model)
{
    // Codes of inputs that are no messages, and what a message's code says besides.
    private const int Besides = 1 << 16;
    private const int ApplicationTook = 2 << 16;
    private const int Activated = 3 << 16;
    private const int AcceptNotRecorded = 8 << 16;

    private static readonly int[] s_doubts = [4 << 16, 5 << 16, 6 << 16, 7 << 16];

    private Scenario Scenario => model.Scenario;

    /// <summary>Of an agent that knows nothing of the pass.</summary>
    public ushort Fresh(World world, int pass) =>
        model.Destinations.Of(new Unknown(Codes.Incarnation(world.Incarnation(Scenario.DestinationOf(pass)))));

    public void Expand(Steps steps, int pass)
    {
        World from = steps.From;
        int host = Scenario.DestinationOf(pass);
        Situation<DestinationState, DestinationEffect> now = model.Destinations[from.Destination(pass)];
        if (!now.IsIdle)
        {
            if (CanPerform(from, host, now))
            {
                steps.TakeWithLosses(world =>
                {
                    steps.Say($"D{host} pass {pass}: {now.Effect}");
                    world.Destination(pass) = now.After;
                    Perform(world, pass, now.State, now.Effect!);
                });
            }
            if (now.Effect is DestinationEffect.Record { Kind: DestinationRecord.Accepted })
            {
                World world = steps.Fork();
                world.Destination(pass) = model.Destinations.Of(now.State);
                Input(world, pass, AcceptNotRecorded, steps, isMessage: false);
                steps.Take();
            }
            return;
        }
        switch (now.State)
        {
            case Restoring when from.ApplicationHolds(host) != 0:
                Offer(steps, pass, ApplicationTook);
                break;
            case Accepted:
                Offer(steps, pass, Activated);
                return;
            case Unknown or Forgotten:
                return;
        }
        int last = now.Number;
        foreach (int doubt in s_doubts)
        {
            int next = model.Destinations.Next(now.Number, doubt, Decode);
            if (next == now.Number || next == last || Repeats(from, pass, now.State, next))
                continue;
            last = next;
            Offer(steps, pass, doubt);
        }
    }

    // What is under way is not said again, and not before it is answered.
    private bool Repeats(World world, int pass, DestinationState state, int next) => next >= 0 && model.Destinations[next].State.Equals(state)
        && (Network.Has(world, MessageKind.Verdict, pass) || Network.Has(world, MessageKind.Forget, pass));

    /// <summary>Whether the next step is an effect that nobody else sees, as long as there are no accidents.</summary>
    public bool IsNextLocal(World world, int pass)
    {
        int host = Scenario.DestinationOf(pass);
        Situation<DestinationState, DestinationEffect> now = model.Destinations[world.Destination(pass)];
        if (model.Passes > 1 && model.Destinations[now.After].IsIdle)
            return false; // an offer of the other pass sees whether this one is open
        return now.Effect switch
        {
            DestinationEffect.Record record => record.Kind != DestinationRecord.Accepted, // moves the ownership
            DestinationEffect.SendReady or DestinationEffect.SendOfferRefused => true,
            DestinationEffect.RestoreDormant or DestinationEffect.HandToApplication or DestinationEffect.LeaveRepair =>
                world.Gate(host) == pass + 1 && CanPerform(world, host, now),
            _ => false,
        };
    }

    public void Hear(World world, Message message, Steps steps)
    {
        int pass = message.Pass;
        int host = Scenario.DestinationOf(pass);
        int code = message.Packed;
        switch (message.Kind)
        {
            case MessageKind.Offer:
                bool taken = world.Socket(host) != SocketState.None || world.Gate(host) != 0 || world.ApplicationLives(host) == 0
                    || model.Rules.OneOpenPass && model.IsBusy(world, host, besides: pass);
                bool makesTicket = !taken && model.Destinations[world.Destination(pass)].State is Unknown;
                if (makesTicket && (model.Rules.NewTicketNumbers || world.Tickets(host) == 0))
                    world.Tickets(host)++;
                int ticket = Codes.Ticket(world.Incarnation(host), world.Tickets(host));
                code = new Message(MessageKind.Offer, pass, ticket, message.Value).Packed | (taken ? Besides : 0);
                break;
            case MessageKind.Transfer when model.Destinations[world.Destination(pass)].State is Offered offered
                && Codes.Of(offered.Terms.Ticket) == message.Ticket:
                world.Transferred(pass) = (byte)message.Value;
                break;
            case MessageKind.Resolve or MessageKind.Transfer when LivesHere(world, pass, host):
                code |= Besides;
                break;
            // The message names its connections: a gate that a lost journal has left behind is opened, if it is this pass's.
            case MessageKind.Forget when !model.IsOpenAtDestination(world, pass) && world.Socket(host) == SocketState.None:
                model.Host.OpenGate(world, host, pass);
                break;
        }
        Input(world, pass, code, steps, isMessage: true);
    }

    /// <summary>After the death of the agent.</summary>
    public void Recover(World world, int pass)
    {
        byte record = world.DestinationJournal(pass);
        world.Transferred(pass) = 0;
        if (record == 0 || model.DestinationRecords[record].Kind == DestinationRecord.Forgotten)
        {
            world.DestinationJournal(pass) = 0; // compacted
            world.Destination(pass) = Fresh(world, pass);
            return;
        }
        DestinationStep step = model.Tables.RecoverDestination(model.DestinationRecords[record].Kind, model.DestinationRecords[record].Terms);
        world.Destination(pass) = model.Destinations.Of(step.State, step.Effects);
    }

    private bool LivesHere(World world, int pass, int host) => model.Rules.LiveSocketsAreEvidence
        && world.Socket(host) == SocketState.Live && world.CameBy(host) == pass + 1 && world.ApplicationHolds(host) != 0;

    private void Offer(Steps steps, int pass, int code)
    {
        World world = steps.Fork();
        Input(world, pass, code, steps, isMessage: false);
        steps.Take();
    }

    private void Input(World world, int pass, int code, Steps steps, bool isMessage)
    {
        int before = world.Destination(pass);
        int next = model.Destinations.Next(before, code, Decode);
        if (!isMessage)
            steps.Say($"D{Scenario.DestinationOf(pass)} pass {pass}: {Decode(code)}");
        if (next < 0)
        {
            world.Breach = (byte)Breach.InputNotLegal;
            return;
        }
        if (next == before)
            return;
        steps.Say($"-> {model.Destinations[next].State}");
        world.Destination(pass) = (ushort)next;
    }

    private static bool CanPerform(World world, int host, Situation<DestinationState, DestinationEffect> now) => now.Effect switch
    {
        DestinationEffect.LeaveRepair => world.Socket(host) != SocketState.Frozen || world.AgentHolds(host) != 0,
        // A dormant copy that the application has not closed yet would speak.
        DestinationEffect.OpenGate when now.State is not Accepted => world.Socket(host) != SocketState.Frozen,
        _ => true,
    };

    private void Perform(World world, int pass, DestinationState state, DestinationEffect effect)
    {
        int host = Scenario.DestinationOf(pass);
        switch (effect)
        {
            case DestinationEffect.Record record:
                Record(world, pass, host, record);
                break;
            case DestinationEffect.CloseGate:
                world.Gate(host) = (byte)(pass + 1);
                break;
            case DestinationEffect.SendReady ready:
                model.Network.Send(world, new Message(MessageKind.Ready, pass, Codes.Of(ready.Terms.Ticket)));
                break;
            case DestinationEffect.SendOfferRefused:
                model.Network.Send(world, new Message(MessageKind.OfferRefused, pass));
                break;
            case DestinationEffect.RestoreDormant when world.Socket(host) == SocketState.None:
                MakeDormant(world, pass, host, world.Transferred(pass));
                break;
            case DestinationEffect.HandToApplication when world.FrozenBy(host) == pass + 1:
                world.ApplicationHolds(host) = world.ApplicationLives(host);
                break;
            case DestinationEffect.RecoverDormant:
                if (world.Socket(host) != SocketState.None)
                {
                    world.AgentHolds(host) = 1;
                }
                else if (model.Rules.AcceptedHoldsSnapshot && (world.Gate(host) == pass + 1 || !model.Rules.RebuildsBehindGateOnly))
                {
                    MakeDormant(world, pass, host, world.Recorded(pass));
                    world.ApplicationHolds(host) = world.ApplicationLives(host);
                }
                break;
            case DestinationEffect.LeaveRepair when world.Socket(host) == SocketState.Frozen && world.FrozenBy(host) == pass + 1:
                world.Socket(host) = SocketState.Live;
                world.FrozenBy(host) = 0;
                world.CameBy(host) = (byte)(pass + 1);
                world.Epoch(host) = Math.Max(world.Epoch(host), (byte)((Accepted)state).Terms.Epoch);
                break;
            case DestinationEffect.OpenGate:
                model.Host.OpenGate(world, host, pass);
                break;
            case DestinationEffect.Go:
                world.AgentHolds(host) = 0;
                Host.Reap(world, host);
                break;
            case DestinationEffect.Discard when world.FrozenBy(host) == pass + 1:
                world.AgentHolds(host) = 0;
                world.MustClose(host) = world.ApplicationHolds(host);
                Host.Reap(world, host);
                break;
            case DestinationEffect.SendForgotten forgotten:
                model.Network.Send(world, new Message(MessageKind.Forgotten, pass, Codes.Of(forgotten.Ticket)));
                break;
            case DestinationEffect.SendVerdict verdict:
                model.Network.Send(world, new Message(MessageKind.Verdict, pass, Codes.Of(verdict.Ticket), (int)verdict.Verdict));
                break;
        }
    }

    private void Record(World world, int pass, int host, DestinationEffect.Record record)
    {
        world.DestinationJournal(pass) = model.DestinationRecords.Of((record.Kind, record.Terms));
        switch (record.Kind)
        {
            case DestinationRecord.Accepted:
                if (world.Owner != Scenario.OriginOf(pass) && world.Ended == 0)
                    world.Breach = (byte)Breach.AcceptedThoughNotOwned;
                world.Owner = (byte)host;
                world.Recorded(pass) = world.Transferred(pass);
                world.Transferred(pass) = 0;
                break;
            case DestinationRecord.Offered or DestinationRecord.Activating:
                break;
            default:
                world.Recorded(pass) = 0;
                world.Transferred(pass) = 0;
                break;
        }
    }

    private static void MakeDormant(World world, int pass, int host, byte position)
    {
        world.Socket(host) = SocketState.Frozen;
        world.FrozenBy(host) = (byte)(pass + 1);
        world.Position(host) = position;
        world.AgentHolds(host) = 1;
    }

    private static DestinationInput Decode(int code)
    {
        Message message = new((ushort)code);
        PassTicket ticket = Codes.Ticket(message.Ticket);
        bool besides = (code & Besides) != 0;
        return (code & 0xFFFF) == 0
            ? code switch
            {
                ApplicationTook => new DestinationInput.ApplicationTook(),
                Activated => new DestinationInput.Activated(),
                AcceptNotRecorded => new DestinationInput.AcceptNotRecorded(),
                4 << 16 => new DestinationInput.TimeIsUp(),
                5 << 16 => new DestinationInput.LinkLost(),
                6 << 16 => new DestinationInput.Declined(PassFailure.Cancelled),
                _ => new DestinationInput.ApplicationDied(),
            }
            : message.Kind switch
            {
                MessageKind.Offer => new DestinationInput.OfferHeard(new PassTerms(ticket, (ulong)message.Value), besides ? PassFailure.Conflict : PassFailure.None),
                MessageKind.Transfer => new DestinationInput.TransferHeard(ticket, besides),
                MessageKind.Resolve => new DestinationInput.ResolveHeard(ticket, besides),
                MessageKind.Forget => new DestinationInput.ForgetHeard(ticket),
                _ => new DestinationInput.UndoHeard(ticket),
            };
    }
}
