using Tcpcp.Client;
using Tcpcp.Core;

namespace Tcpcp.Agent.Local;

/// <summary>What operators ask for. An exception of type <see cref="OperationRefusedException"/> is told to them; any other is a bug and told as such.</summary>
internal interface ILocalOperations
{
    ValueTask<IReadOnlyList<OpenPass>> ListPassesAsync(bool inDoubtOnly, CancellationToken cancellationToken);

    /// <summary>Settles a pass in doubt.</summary>
    Task<PassResult> SettleAsync(PassId pass, SettleWay way, CancellationToken cancellationToken);

    /// <summary>Passes connections, and says what became of each.</summary>
    /// <param name="stop">Begin no new pass; those under way end, and are told. Also when nobody listens any more.</param>
    IAsyncEnumerable<DrainProgress> DrainAsync(DrainOrder order, CancellationToken stop);

    ValueTask<AgentStatus> GetStatusAsync(CancellationToken cancellationToken);
}

/// <summary>An operator's request cannot be met; nothing has changed.</summary>
/// <param name="message">One sentence that says what to do.</param>
internal sealed class OperationRefusedException(string message) : Exception(message);
