using System.Net.Sockets;
using System.Runtime.InteropServices;
using Tcpcp.Core;

namespace Tcpcp.Agent.Passing;

/// <summary>Connections that an application wants to pass together: all of them or none.</summary>
internal sealed record PassRequest
{
    /// <summary>The connections, one or more. After a pass that succeeded they are closed.</summary>
    public required IReadOnlyList<Socket> Sockets { get; init; }

    /// <summary>Name under which the application at the destination is registered.</summary>
    public required string Application { get; init; }

    /// <summary>Number of the redirection that brought the connections here; 0 if they were never passed.</summary>
    public ulong Epoch { get; init; }

    /// <summary>Stops writing and reading at a boundary of the application's choice and gives its state. Called once, when the destination is ready.</summary>
    public required Func<CancellationToken, ValueTask<ReadOnlyMemory<byte>>> QuiesceAsync { get; init; }

    /// <summary>The pass did not succeed and the connections go on here: write and read again. Called after a quiesce only.</summary>
    public required Action Resume { get; init; }

    /// <summary>The process that has the only connection and knows nothing of its pass: noted for the next agent. Null: an application passes them.</summary>
    public Core.Wire.ProcessHolder? Holder { get; init; }

    /// <summary>The owner is known. Called before the pass is forgotten.</summary>
    public Action? Concluded { get; init; }

    /// <summary>Hears of the pass before anything changes: what it needs to know should this agent lose its journal.</summary>
    public Action<PassNote>? Begun { get; init; }
}

/// <summary>What an application notes of a pass of its connections.</summary>
/// <param name="Destination">How the origin reaches the destination.</param>
/// <param name="Ticket">The destination's.</param>
/// <param name="Epoch">Number of the redirection.</param>
internal readonly record struct PassNote(PassId Pass, string Destination, PassTicket Ticket, ulong Epoch);

/// <summary>Connections that come, with what their application said.</summary>
/// <param name="State">The application's state.</param>
/// <param name="Epoch">Number of this redirection; the next pass of the connections needs it.</param>
internal sealed record Arrival(PassId Pass, IReadOnlyList<FourTuple> Connections, ReadOnlyMemory<byte> State, ulong Epoch)
{
    /// <summary>This host's own, which an application notes; null for connections that were not passed here.</summary>
    public PassTicket? Ticket { get; init; }

    /// <summary>Name of the agent that they come from; empty if it is not known.</summary>
    public string Origin { get; init; } = "";
}

/// <summary>An application that takes connections.</summary>
internal interface IPassReceiver
{
    /// <summary>Name that origins offer connections for.</summary>
    string Application { get; }

    /// <summary>
    /// Looks at the state of connections that are restored and do not live yet; it must be quick, the peers are waiting. What takes longer than
    /// <see cref="PassOptions.DecisionTime"/> is a refusal.
    /// </summary>
    /// <param name="dormant">Their sockets, in the order of the arrival's connections: not to be used before <see cref="Go"/>. Valid during the call only: who keeps
    /// one, duplicates it.</param>
    /// <returns>Null to take them, else why not, in one sentence.</returns>
    ValueTask<string?> ExamineAsync(Arrival arrival, IReadOnlyList<SafeHandle> dormant);

    /// <summary>The connections that were shown do not come after all. Their sockets are dissolved already.</summary>
    void Withdraw(PassId pass);

    /// <summary>The connections live here: go on. The sockets are the application's now; null stands for one that ended meanwhile.</summary>
    void Go(Arrival arrival, IReadOnlyList<Socket?> sockets);
}
