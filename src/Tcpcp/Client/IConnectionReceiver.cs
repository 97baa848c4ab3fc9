using System.Net.Sockets;
using Tcpcp.Core;

namespace Tcpcp.Client;

/// <summary>A program that takes connections from other hosts, and passes its own when the operator wants it. Its methods may be called at the same time,
/// but for those about one pass.</summary>
public interface IConnectionReceiver
{
    /// <summary>Looks at the state of connections that are restored and do not live yet. It must be quick: the peers are waiting, and what takes longer than 2 s
    /// counts as a refusal.</summary>
    /// <param name="arriving">The connections.</param>
    /// <param name="cancellationToken">They do not come after all.</param>
    /// <returns>Null to take them, else why not, in one sentence for a person.</returns>
    ValueTask<string?> ExamineAsync(ArrivingConnections arriving, CancellationToken cancellationToken);

    /// <summary>The connections live here: read and write. May come without <see cref="ExamineAsync"/>, when the agent has made them again after a fault.</summary>
    /// <param name="arriving">The connections.</param>
    /// <param name="sockets">One a connection, the receiver's from now on; null stands for one that has ended.</param>
    void Go(ArrivingConnections arriving, IReadOnlyList<Socket?> sockets);

    /// <summary>The connections that were examined do not come after all.</summary>
    /// <param name="arriving">The connections.</param>
    void Withdraw(ArrivingConnections arriving)
    {
        // Nothing was kept.
    }

    /// <summary>The operator wants connections to leave.</summary>
    /// <param name="wanted">Which; empty: all.</param>
    /// <returns>What can be passed, in the order in which it is to be passed; by default nothing. What has none of the wanted connections stays.</returns>
    IReadOnlyList<PassOrder> FindConnections(IReadOnlyList<FourTuple> wanted) => [];
}
