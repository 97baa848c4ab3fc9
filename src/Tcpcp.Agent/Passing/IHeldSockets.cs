using System.Net.Sockets;
using Tcpcp.Core;

namespace Tcpcp.Agent.Passing;

/// <summary>What applications hold of passes that were open when the agent died.</summary>
internal interface IHeldSockets
{
    /// <summary>
    /// Waits until the application of a pass has given its sockets, or no process of this host has any of the connections and, for a while, until somebody has
    /// registered as the application.
    /// </summary>
    Task<HeldPass> AwaitAsync(PassId pass, string application, IReadOnlyList<FourTuple> connections, CancellationToken cancellationToken);
}

/// <param name="Sockets">One a connection, null for one that the application has not; empty if there is no application any more.</param>
/// <param name="Receiver">Who is told when the connections live; null: whoever is registered.</param>
internal readonly record struct HeldPass(IReadOnlyList<Socket?> Sockets, IPassReceiver? Receiver);
