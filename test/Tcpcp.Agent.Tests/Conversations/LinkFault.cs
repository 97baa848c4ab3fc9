using Tcpcp.Core.Wire;

namespace Tcpcp.Agent.Tests.Conversations;

/// <summary>Where a link between two agents breaks, once.</summary>
/// <param name="Message">The message in which, before which or after which it breaks.</param>
/// <param name="Bytes">How many bytes of it come through, of all that it has with its length before it.</param>
internal sealed record LinkFault(Func<PassMessage, bool> Message, Func<int, int> Bytes)
{
    /// <summary>Nothing is closed: from then on nothing is read or comes through, in either direction, and nobody is told.</summary>
    public bool IsSilent { get; init; }

    /// <summary>What comes out of each message, in both directions.</summary>
    public Func<PassMessage, PassMessage>? Rewrite { get; init; }

    /// <summary>New links break at once too, until the proxy is healed.</summary>
    public bool StaysDown { get; init; }
}
