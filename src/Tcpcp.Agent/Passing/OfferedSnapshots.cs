using Tcpcp.Core;
using Tcpcp.Core.Wire;
using FourTuple = Tcpcp.Core.FourTuple;

namespace Tcpcp.Agent.Passing;

/// <summary>The snapshots of a transfer that anybody may have made: they must be of the connections that were offered, in that order, and make sense.</summary>
internal static class OfferedSnapshots
{
    /// <exception cref="InvalidSnapshotException">They are not.</exception>
    public static IReadOnlyList<Core.ConnectionSnapshot> Of(Transfer transfer, IReadOnlyList<FourTuple> offered, int maxQueueBytes)
    {
        if (transfer.Connections.Count != offered.Count)
            throw new InvalidSnapshotException($"The transfer has {transfer.Connections.Count} connections, the offer had {offered.Count}.");
        Core.ConnectionSnapshot[] snapshots = [.. transfer.Connections.Select(SnapshotWire.FromMessage)];
        for (int i = 0; i < offered.Count; i++)
        {
            if (snapshots[i].Connection != offered[i])
                throw new InvalidSnapshotException($"The transfer is of {snapshots[i].Connection}, the offer was of {offered[i]}.");
            if (SnapshotValidator.FindFault(snapshots[i], maxQueueBytes) is { } fault)
                throw new InvalidSnapshotException(fault);
        }

        return snapshots;
    }
}
