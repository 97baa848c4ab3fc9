using System.Net.Sockets;

namespace Tcpcp.Client;

/// <summary>Connections of this program that are to be passed together: all of them or none.</summary>
public sealed record PassOrder
{
    /// <summary>The connections, 1 to 64. They are disposed of when the destination has them, or nobody.</summary>
    public required IReadOnlyList<Socket> Sockets { get; init; }

    /// <summary>Name under which the program at the destination is registered.</summary>
    public required string Application { get; init; }

    /// <summary>Name of the destination's agent: one of <see cref="AgentClient.Destinations"/>. May be left empty for passes that the operator wants.</summary>
    public string Destination { get; init; } = "";

    /// <summary>The highest number that was heard for these connections (<see cref="ArrivingConnections.Epoch"/>). Default 0: they never came from elsewhere.
    /// What earlier passes of the same sockets have used, the client knows.</summary>
    public ulong Epoch { get; init; }

    /// <summary>The connections belong together, as the two of a relay's session do. Where one of them cannot be passed, an operator's drain does not ask for the others by
    /// themselves. Default false.</summary>
    public bool IsInseparable { get; init; }

    /// <summary>Stops reading and writing at a boundary of the program's choice and gives its state, 16 MiB at most. Called once, when the destination is
    /// ready; the agent waits 2 s unless it is configured otherwise.</summary>
    public required Func<CancellationToken, ValueTask<ReadOnlyMemory<byte>>> QuiesceAsync { get; init; }

    /// <summary>The connections go on here: read and write again. Called after a quiesce only, also after one that has thrown.</summary>
    public required Action Resume { get; init; }

    /// <summary>Hears the outcome, after <see cref="Resume"/>; of interest for passes that the operator wants, for which nobody waits.</summary>
    public Action<Core.PassResult>? Concluded { get; init; }
}
