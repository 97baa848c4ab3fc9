using Tcpcp.Core;
using Tcpcp.Core.Passing;
using static Tcpcp.Core.Passing.OriginState;

namespace Tcpcp.Explorer.Tests;

/// <summary>The origin's driver: performs the table's effects, one a step, and brings it what happens.</summary>
internal sealed class OriginSide(Model model)
{
    // Codes of inputs that are no messages.
    private const int Quiesced = 1 << 16;
    private const int Captured = 2 << 16;
    private const int RoutingLeft = 3 << 16;
    private const int SendingNotRecorded = 4 << 16;
    private const int OperatorAbandons = 5 << 16;

    private static readonly int[] s_doubts = [6 << 16, 7 << 16, 8 << 16, 9 << 16];

    private Scenario Scenario => model.Scenario;

    public void Expand(Steps steps, int pass)
    {
        World from = steps.From;
        int host = Scenario.OriginOf(pass);
        Situation<OriginState, OriginEffect> now = model.Origins[from.Origin(pass)];
        if (!now.IsIdle)
        {
            if (CanPerform(from, pass, now.Effect!))
            {
                steps.TakeWithLosses(world =>
                {
                    steps.Say($"O{host} pass {pass}: {now.Effect}");
                    world.Origin(pass) = now.After;
                    Perform(world, pass, now.State, now.Effect!);
                    Settle(world, pass, model.Origins[now.After]);
                });
            }
            if (now.Effect is OriginEffect.Record { Kind: OriginRecord.Sending } && now.State is Sending)
            {
                World world = steps.Fork();
                world.Origin(pass) = model.Origins.Of(now.State);
                Input(world, pass, SendingNotRecorded, steps);
                steps.Take();
            }
            return;
        }
        switch (now.State)
        {
            case Done:
                TryBegin(steps, pass, host);
                return;
            case Beginning when from.ApplicationLives(host) != 0:
                Offer(steps, pass, Quiesced);
                break;
            case Freezing when from.Socket(host) == SocketState.Frozen:
                Offer(steps, pass, Captured);
                break;
            case Releasing or Abandoning when HasRoutingLeft(from, pass, host):
                Offer(steps, pass, RoutingLeft);
                break;
        }
        int last = from.Origin(pass);
        foreach (int doubt in s_doubts)
        {
            int next = model.Origins.Next(now.Number, doubt, Decode);
            if (next == from.Origin(pass) || next == last || Repeats(from, pass, now.State, next))
                continue;
            last = next;
            Offer(steps, pass, doubt);
        }
    }

    // What is under way is not said again.
    private bool Repeats(World world, int pass, OriginState state, int next) => next >= 0 && model.Origins[next].State.Equals(state) && (state is Thawed
        ? Network.Has(world, MessageKind.Redirect, pass) || Network.Has(world, MessageKind.Acknowledge, pass)
        : state is Settled ? Network.Has(world, MessageKind.Forget, pass) || Network.Has(world, MessageKind.Forgotten, pass)
        : Network.Has(world, MessageKind.Resolve, pass) || Network.Has(world, MessageKind.Verdict, pass));

    /// <summary>Whether the next step is an effect that nobody else sees, as long as there are no accidents.</summary>
    public bool IsNextLocal(World world, int pass)
    {
        Situation<OriginState, OriginEffect> now = model.Origins[world.Origin(pass)];
        return now.Effect switch
        {
            OriginEffect.Record { Kind: OriginRecord.Sending } => now.State is not Sending, // else it may fail
            OriginEffect.Record or OriginEffect.SendOffer or OriginEffect.SendTransfer => true,
            OriginEffect.Capture or OriginEffect.EnterRepair => world.Gate(Scenario.OriginOf(pass)) == pass + 1 && CanPerform(world, pass, now.Effect),
            _ => false,
        };
    }

    public void Hear(World world, Message message, Steps steps)
    {
        if (message.Kind == MessageKind.Acknowledge)
            message = new Message(message.Kind, message.Pass, 0, message.Value);
        // An agent that has lost its journal does not answer for a pass before its applications have said what they know.
        else if (world.Told(message.Pass) != 0 && model.Origins[world.Origin(message.Pass)].State is Done)
            return;
        Input(world, message.Pass, message.Packed, steps, message);
    }

    public void Abandon(World world, int pass, Steps steps)
    {
        world.Ended |= (byte)(world.Owner == Scenario.OriginOf(pass) ? 1 : 0);
        Input(world, pass, OperatorAbandons, steps);
    }

    /// <summary>After the death of the agent.</summary>
    public void Recover(World world, int pass)
    {
        byte record = world.OriginJournal(pass);
        world.Captured(pass) = 0;
        if (record == 0)
        {
            world.Origin(pass) = model.NoPass;
            return;
        }
        (OriginRecord kind, PassTerms terms, PassOutcome? outcome) = model.OriginRecords[record];
        OriginStep step = model.Tables.RecoverOrigin(kind, terms, outcome);
        world.Origin(pass) = model.Origins.Of(step.State, step.Effects);
        Settle(world, pass, model.Origins[world.Origin(pass)]);
    }

    /// <summary>After a loss of the journal, when the application has come back.</summary>
    public void RecoverFromApplication(World world, int pass)
    {
        int host = Scenario.OriginOf(pass);
        world.AgentHolds(host) = 1;
        OriginStep step = model.Tables.RecoverFromApplication(model.Terms[world.Told(pass)], world.Socket(host) == SocketState.Frozen);
        world.Origin(pass) = model.Origins.Of(step.State, step.Effects);
    }

    public static PassTerms? TermsOf(OriginState state) => state switch
    {
        Beginning s => s.Terms,
        Diverting s => s.Terms,
        Freezing s => s.Terms,
        Sending s => s.Terms,
        InDoubt s => s.Terms,
        Undoing s => s.Terms,
        Thawed s => s.Terms,
        Releasing s => s.Terms,
        Abandoning s => s.Terms,
        Settled s => s.Terms,
        _ => null,
    };

    private void TryBegin(Steps steps, int pass, int host)
    {
        World from = steps.From;
        bool mayTry = from.Tries(pass) == 0 || !model.Rules.PassIdOnce && from.Tries(pass) == 1;
        if (!mayTry || from.Socket(host) != SocketState.Live || from.Gate(host) != 0 || from.ApplicationHolds(host) == 0 || from.Ended != 0)
            return;
        if (pass > 0 && from.Tries(pass - 1) == 0 || model.Rules.OneOpenPass && (model.IsBusy(from, host) || IsTold(from, host)))
            return;
        World world = steps.Fork();
        steps.Say($"O{host} pass {pass}: begins");
        world.Tries(pass)++;
        world.AgentHolds(host) = 1;
        OriginStep step = model.Tables.Begin((ulong)from.Epoch(host) + 1);
        world.Origin(pass) = model.Origins.Of(step.State, step.Effects);
        steps.Take();
    }

    // The application knows that it is in a pass, whatever its agent remembers.
    private bool IsTold(World world, int host)
    {
        for (int pass = 0; pass < model.Passes; pass++)
        {
            if (Scenario.OriginOf(pass) == host && world.Told(pass) != 0)
                return true;
        }
        return false;
    }

    private bool HasRoutingLeft(World world, int pass, int host)
    {
        if (world.Socket(host) != SocketState.None)
            return false;
        if (!model.Rules.AwaitsRedirector)
            return true;
        (int route, ulong number) = model.Route(world);
        ulong divert = TermsOf(model.Origins[world.Origin(pass)].State)!.Value.DivertNumber;
        // A higher number that leads here is that of an undo: they come to stay, and nobody is here any more.
        return route == host ? number > divert : number >= divert;
    }

    private void Offer(Steps steps, int pass, int code)
    {
        World world = steps.Fork();
        Input(world, pass, code, steps);
        steps.Take();
    }

    private void Input(World world, int pass, int code, Steps steps, Message? heard = null)
    {
        int before = world.Origin(pass);
        int next = model.Origins.Next(before, code, Decode);
        if (heard is null)
            steps.Say($"O{Scenario.OriginOf(pass)} pass {pass}: {Decode(code)}");
        if (next < 0)
        {
            world.Breach = (byte)Breach.InputNotLegal;
            return;
        }
        if (next == before)
            return;
        steps.Say($"-> {model.Origins[next].State}");
        world.Origin(pass) = (ushort)next;
        if (model.Origins[before].State is not (Settled or Done) && ReportOf(model.Origins[next].State) is { } owner && !IsTrue(world, pass, owner))
            world.Breach = (byte)Breach.FalseReport;
        if (model.Origins[next].State is Abandoning)
        {
            if (world.Owner == Scenario.OriginOf(pass))
                world.Ended = 1;
            else if (heard is not null && world.Ended == 0 && model.Passes == 1 && LivesAtDestination(world, pass))
                world.Breach = (byte)Breach.FalseReport; // it lives at the destination
        }
        if (model.Origins[next].State is Done && model.Origins[next].IsIdle && model.Origins[before].State is not Done)
        {
            world.AgentHolds(Scenario.OriginOf(pass)) = 0;
            Host.Reap(world, Scenario.OriginOf(pass));
        }
        Settle(world, pass, model.Origins[next]);
    }

    // What the caller hears, as soon as it is known.
    private static ConnectionOwner? ReportOf(OriginState state) => state switch
    {
        Settled settled => settled.Owner,
        Done done => done.Owner,
        _ => null,
    };

    private bool LivesAtDestination(World world, int pass) =>
        world.Socket(Scenario.DestinationOf(pass)) == SocketState.Live && world.CameBy(Scenario.DestinationOf(pass)) == pass + 1;

    private bool IsTrue(World world, int pass, ConnectionOwner reported)
    {
        int origin = Scenario.OriginOf(pass);
        return world.Ended != 0 || reported switch
        {
            ConnectionOwner.Origin => world.Owner == origin,
            ConnectionOwner.Destination => world.Owner != origin,
            _ => true,
        };
    }

    // The application keeps its note until the pass is done.
    private static void Settle(World world, int pass, Situation<OriginState, OriginEffect> situation)
    {
        if (situation.State is not (Settled or Done) || !situation.IsIdle)
            return;
        world.Told(pass) = 0;
        world.Captured(pass) = 0;
    }

    private bool CanPerform(World world, int pass, OriginEffect effect)
    {
        int host = Scenario.OriginOf(pass);
        return effect switch
        {
            OriginEffect.Thaw => world.Socket(host) != SocketState.Frozen || world.AgentHolds(host) != 0, // waits for the application
            OriginEffect.EnterRepair => world.Socket(host) == SocketState.Live,
            _ => true,
        };
    }

    private void Perform(World world, int pass, OriginState state, OriginEffect effect)
    {
        int host = Scenario.OriginOf(pass);
        int destination = Scenario.DestinationOf(pass);
        switch (effect)
        {
            case OriginEffect.SendOffer offer:
                model.Network.Send(world, new Message(MessageKind.Offer, pass, 0, (int)offer.Epoch));
                break;
            case OriginEffect.Record record:
                world.OriginJournal(pass) = model.OriginRecords.Of((record.Kind, record.Terms, record.Outcome));
                world.Epoch(host) = Math.Max(world.Epoch(host), (byte)record.Terms.Epoch);
                break;
            case OriginEffect.TellApplication tell when world.ApplicationHolds(host) != 0:
                world.Told(pass) = model.Terms.Of(tell.Terms);
                break;
            case OriginEffect.Redirect redirect:
                int target = redirect.ToDestination ? destination : host;
                model.Network.Send(world, Message.Redirect(pass, redirect.Number, target));
                if (!redirect.ToDestination)
                    model.Network.Send(world, new Message(MessageKind.Undo, pass, Codes.Of(TermsOf(state)!.Value.Ticket)));
                else if (!model.Rules.AwaitsRedirector)
                    model.Network.Send(world, new Message(MessageKind.Acknowledge, pass, 0, (int)redirect.Number));
                break;
            case OriginEffect.CloseGate:
                world.Gate(host) = (byte)(pass + 1);
                break;
            case OriginEffect.EnterRepair:
                world.Socket(host) = SocketState.Frozen;
                world.FrozenBy(host) = (byte)(pass + 1);
                break;
            case OriginEffect.Capture:
                world.Captured(pass) = world.Position(host);
                break;
            case OriginEffect.SendTransfer transfer:
                model.Network.Send(world, new Message(MessageKind.Transfer, pass, Codes.Of(transfer.Terms.Ticket), world.Captured(pass)));
                world.Captured(pass) = 0;
                break;
            case OriginEffect.SendResolve resolve:
                model.Network.Send(world, new Message(MessageKind.Resolve, pass, Codes.Of(resolve.Terms.Ticket)));
                break;
            case OriginEffect.Thaw:
                if (world.Owner != host && world.Ended == 0)
                    world.Breach = (byte)Breach.ThawedThoughNotOwner;
                if (world.Socket(host) == SocketState.None)
                    world.Ended = 1; // its application is dead, and the copy that the record makes again is closed as its owner's would be
                else
                    world.Socket(host) = SocketState.Live;
                world.FrozenBy(host) = 0;
                break;
            case OriginEffect.OpenGate:
                model.Host.OpenGate(world, host, pass);
                break;
            case OriginEffect.HandBack:
                world.AgentHolds(host) = 0;
                Host.Reap(world, host);
                break;
            case OriginEffect.CloseSilently when world.FrozenBy(host) == pass + 1:
                world.AgentHolds(host) = 0;
                world.MustClose(host) = world.ApplicationHolds(host);
                Host.Reap(world, host);
                break;
            case OriginEffect.SendForget forget:
                model.Network.Send(world, new Message(MessageKind.Forget, pass, Codes.Of(forget.Terms.Ticket)));
                break;
        }
    }

    private static OriginInput Decode(int code)
    {
        if (code >= 1 << 16)
        {
            return code switch
            {
                Quiesced => new OriginInput.Quiesced(),
                Captured => new OriginInput.Captured(),
                RoutingLeft => new OriginInput.RoutingLeft(),
                SendingNotRecorded => new OriginInput.SendingNotRecorded(),
                OperatorAbandons => new OriginInput.OperatorAbandons(),
                6 << 16 => new OriginInput.TimeIsUp(),
                7 << 16 => new OriginInput.LinkLost(),
                8 << 16 => new OriginInput.StepFailed(PassFailure.Cancelled),
                _ => new OriginInput.ApplicationDied(),
            };
        }
        Message message = new((ushort)code);
        PassTicket ticket = Codes.Ticket(message.Ticket);
        return message.Kind switch
        {
            MessageKind.Ready => new OriginInput.ReadyHeard(ticket),
            MessageKind.OfferRefused => new OriginInput.OfferRefused(PassFailure.Conflict),
            MessageKind.Verdict => new OriginInput.VerdictHeard(ticket, (PassVerdict)message.Value,
                message.Value == (int)PassVerdict.Accepted ? PassFailure.None : PassFailure.Expired),
            MessageKind.Forgotten => new OriginInput.ForgetAcknowledged(),
            _ => new OriginInput.RedirectionAcknowledged((ulong)message.Value),
        };
    }
}
