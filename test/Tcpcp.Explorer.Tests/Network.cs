namespace Tcpcp.Explorer.Tests;

/// <summary>
/// What is under way between the agents: a sorted set, so that any order, delay, loss and repetition can happen. Two equal messages are one: that it
/// arrives twice is <see cref="Fault.MessageRepeated"/>.
/// </summary>
internal sealed class Network(Model model)
{
    public static void Send(World world, Message message)
    {
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
            if (CanBeTaken(from, message))
            {
                World world = steps.Fork();
                Remove(world, index);
                steps.Say($"{message} arrives");
                Deliver(world, message, steps);
                steps.Take();
                if (model.Accidents.Allows(from, Fault.MessageRepeated))
                {
                    world = steps.Fork();
                    steps.Say($"{message} arrives, and will again");
                    Deliver(world, message, steps);
                    steps.TakeFault(Fault.MessageRepeated);
                }
            }
            if (model.Accidents.Allows(from, Fault.MessageLost))
            {
                World world = steps.Fork();
                Remove(world, index);
                steps.Say($"{message} is lost");
                steps.TakeFault(Fault.MessageLost);
            }
        }
    }

    public static string Describe(World world) =>
        string.Join(", ", world.Messages[..world.MessageCount].ToArray().Select(packed => new Message(packed).ToString()));

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
