using Tcpcp.Core.Passing;

namespace Tcpcp.Explorer.Tests;

/// <summary>
/// What is under way between the agents: a sorted set, so that any order, delay, loss and repetition can happen. Two equal messages are one: that it
/// arrives twice is <see cref="Fault.MessageRepeated"/>.
/// </summary>
internal sealed class Network(Model model)
{
    private int _loses = -1;

    /// <summary>Messages sent since the last <see cref="Lose"/>.</summary>
    public int Sent { get; private set; }

    /// <summary>Loses one of the messages that are sent from now on, -1 none.</summary>
    public void Lose(int index) => (_loses, Sent) = (index, 0);

    public void Send(World world, Message message)
    {
        if (Sent++ == _loses)
            return;
        int count = world.MessageCount;
        if (world.Messages[..count].Contains(message.Packed))
            return;
        if (count == World.MaxMessages)
            throw new InvalidOperationException($"Too many messages under way: {Describe(world)}");
        Span<ushort> messages = world.Messages;
        while (count > 0 && messages[count - 1] > message.Packed)
        {
            messages[count] = messages[count - 1];
            count--;
        }
        messages[count] = message.Packed;
        world.MessageCount++;
    }

    public static bool Has(World world, MessageKind kind, int pass)
    {
        foreach (ushort packed in world.Messages[..world.MessageCount])
        {
            Message message = new(packed);
            if (message.Kind == kind && message.Pass == pass)
                return true;
        }
        return false;
    }

    /// <summary>Whether an order is under way that sends the packets to the host.</summary>
    public static bool HasRedirectTo(World world, int host)
    {
        foreach (ushort packed in world.Messages[..world.MessageCount])
        {
            Message message = new(packed);
            if (message.Kind == MessageKind.Redirect && message.Host == host)
                return true;
        }
        return false;
    }

    public void Expand(Steps steps)
    {
        World from = steps.From;
        for (int index = 0; index < from.MessageCount; index++)
        {
            Message message = new(from.Messages[index]);
            if (!CanBeTaken(from, message))
                continue;
            int at = index;
            steps.TakeWithLosses(world =>
            {
                Remove(world, at);
                steps.Say($"{message} arrives");
                Deliver(world, message, steps);
            });
            if (model.Accidents.Allows(from, Fault.MessageRepeated))
            {
                World world = steps.Fork();
                steps.Say($"{message} arrives, and will again");
                Deliver(world, message, steps);
                steps.TakeFault(Fault.MessageRepeated);
            }
        }
    }

    /// <summary>Takes away what can change nothing any more, whenever it arrives.</summary>
    public void RemoveDead(World world)
    {
        for (int index = world.MessageCount - 1; index >= 0; index--)
        {
            if (IsDead(world, new Message(world.Messages[index])))
                Remove(world, index);
        }
    }

    public static string Describe(World world) =>
        string.Join(", ", world.Messages[..world.MessageCount].ToArray().Select(packed => new Message(packed).ToString()));

    // Tickets are live once, and a pass begins once: so much is needed to know what a message can never do any more.
    private bool IsDead(World world, Message message)
    {
        if (!model.Reduces || !model.Rules.NewTicketNumbers || !model.Rules.PassIdOnce)
            return false;
        OriginState origin = model.Origins[world.Origin(message.Pass)].State;
        DestinationState destination = model.Destinations[world.Destination(message.Pass)].State;
        return message.Kind switch
        {
            MessageKind.Ready or MessageKind.OfferRefused => origin is not OriginState.Offering,
            MessageKind.Forgotten => origin is not OriginState.Settled,
            MessageKind.Acknowledge => origin is OriginState.Settled or OriginState.Done && model.Origins[world.Origin(message.Pass)].IsIdle,
            MessageKind.Undo => destination is DestinationState.Refused or DestinationState.Unknown or DestinationState.Forgotten, // nothing is held
            _ => model.IsShipped && !model.Accidents.AllowsAny(world) && IsDeadWithoutAccidents(world, message, origin, destination),
        };
    }

    // As long as no memory is lost: it would be ignored, or bring an answer that is ignored or that a timer brings as well.
    private bool IsDeadWithoutAccidents(World world, Message message, OriginState origin, DestinationState destination)
    {
        bool isDecided = destination is not (DestinationState.Offered or DestinationState.Restoring);
        bool isGone = destination is DestinationState.Unknown or DestinationState.Forgotten
            && world.Gate(model.Scenario.DestinationOf(message.Pass)) != message.Pass + 1;
        return message.Kind switch
        {
            MessageKind.Offer => destination is not DestinationState.Unknown,
            MessageKind.Transfer => isDecided,
            MessageKind.Resolve => isDecided && origin is not (OriginState.Sending or OriginState.InDoubt),
            MessageKind.Verdict => origin is OriginState.Undoing or OriginState.Thawed or OriginState.Releasing or OriginState.Abandoning or OriginState.Settled
                || origin is OriginState.Done && isGone,
            MessageKind.Forget => isGone && origin is not OriginState.Settled && model.Destinations[world.Destination(message.Pass)].IsIdle,
            _ => false,
        };
    }

    private static void Remove(World world, int index)
    {
        Span<ushort> messages = world.Messages[..world.MessageCount];
        messages[(index + 1)..].CopyTo(messages[index..]);
        messages[^1] = 0;
        world.MessageCount--;
    }

    // An input is taken when all effects of the step before are performed.
    private bool CanBeTaken(World world, Message message) => message.Kind switch
    {
        MessageKind.Redirect => true,
        MessageKind.Offer or MessageKind.Transfer or MessageKind.Resolve or MessageKind.Forget or MessageKind.Undo =>
            model.Destinations[world.Destination(message.Pass)].IsIdle,
        _ => model.Origins[world.Origin(message.Pass)].IsIdle,
    };

    private void Deliver(World world, Message message, Steps steps)
    {
        switch (message.Kind)
        {
            case MessageKind.Redirect:
                model.Redirect(world, message);
                break;
            case MessageKind.Offer or MessageKind.Transfer or MessageKind.Resolve or MessageKind.Forget or MessageKind.Undo:
                model.Destination.Hear(world, message, steps);
                break;
            default:
                model.Origin.Hear(world, message, steps);
                break;
        }
    }
}
