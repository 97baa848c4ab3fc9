using Tcpcp.Core;

namespace Tcpcp.Client;

/// <summary>Connections that come from another host, with what the program there said.</summary>
/// <param name="Pass">Name of the pass.</param>
/// <param name="Application">The name that they were passed to.</param>
/// <param name="Origin">Name of the agent that they come from; may be empty after a restart of this host's.</param>
/// <param name="Connections">Their names.</param>
/// <param name="State">The state of the program at the origin.</param>
/// <param name="Epoch">Number of this redirection: <see cref="PassOrder.Epoch"/> of the next pass of these connections.</param>
public sealed record ArrivingConnections(
    PassId Pass, string Application, string Origin, IReadOnlyList<FourTuple> Connections, ReadOnlyMemory<byte> State, ulong Epoch);
