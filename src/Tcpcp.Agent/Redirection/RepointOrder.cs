using Tcpcp.Core;

namespace Tcpcp.Agent.Redirection;

/// <summary>What an owner orders from the home of connections: where their packets go from now on.</summary>
/// <param name="Pass">Of which it is part.</param>
/// <param name="Host">Name of the agent of the host that they go to; empty: to the one that orders.</param>
/// <param name="Number">Of the redirection.</param>
/// <param name="IsQuestion">Only: would it be done?</param>
internal sealed record RepointOrder(PassId Pass, IReadOnlyList<FourTuple> Connections, string Host, ulong Number, bool IsQuestion = false)
{
    /// <summary>How large the peers' packets may be.</summary>
    public int PacketBytes { get; init; }

    /// <summary>Nothing changes but this: the pass is over, and its origin takes nothing back any more.</summary>
    public bool IsSettled { get; init; }
}

/// <param name="Number">The highest that holds for one of them: the order's own, if it was obeyed.</param>
/// <param name="Obstacle">Why nothing has changed; null: it was obeyed, or a higher number holds.</param>
internal readonly record struct RepointAnswer(ulong Number, string? Obstacle = null);
