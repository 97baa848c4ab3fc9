namespace Tcpcp.Core.Passing;

/// <summary>What a redirector knows of one connection.</summary>
internal abstract record RedirectorState
{
    /// <summary>Nothing, since it has started or lost its state: what it does not know it does not place; owners say it again.</summary>
    public sealed record Unplaced : RedirectorState;

    /// <summary>The packets go to a host.</summary>
    /// <param name="Number">Of the last redirection.</param>
    public sealed record Placed(ulong Number, RedirectionTarget Target) : RedirectorState;
}

/// <summary>A host that packets are sent to, by the name that redirector and agents have for it.</summary>
internal readonly record struct RedirectionTarget(string Host);

/// <summary>An owner of the connection says where its packets go: in a pass, in an undo, or since the redirector has lost its state.</summary>
internal readonly record struct RedirectionOrder(ulong Number, RedirectionTarget Target);

/// <summary>What the redirector does.</summary>
internal abstract record RedirectorEffect
{
    public sealed record Place(RedirectionTarget Target) : RedirectorEffect;

    /// <summary>Tells who gave the order the number that holds now: its own, or a higher one.</summary>
    public sealed record Acknowledge(ulong Number) : RedirectorEffect;
}

/// <summary>A state and what has to be done on the way into it, in this order.</summary>
internal readonly record struct RedirectorStep(RedirectorState State, params RedirectorEffect[] Effects);

/// <summary>A redirector's bookkeeping of one connection: only a higher number moves its packets, and every order is acknowledged.</summary>
internal static class RedirectorTable
{
    public static RedirectorStep Next(RedirectorState state, RedirectionOrder order) => state switch
    {
        RedirectorState.Placed placed when order.Number <= placed.Number => new(placed, new RedirectorEffect.Acknowledge(placed.Number)),
        _ => new(new RedirectorState.Placed(order.Number, order.Target),
            new RedirectorEffect.Place(order.Target), new RedirectorEffect.Acknowledge(order.Number)),
    };
}
