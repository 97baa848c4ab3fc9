using System.Diagnostics;
using Tcpcp.Core;

namespace Tcpcp.Agent.Passing;

internal enum PassSide
{
    Origin,
    Destination,
}

/// <summary>What was done in a pass, in the order of a pass that succeeds.</summary>
internal enum PassAction
{
    Offered,
    Ready,
    Begun,
    Quiesced,
    Diverted,
    Frozen,
    Captured,
    SendingRecorded,
    Sent,
    Received,
    Restored,
    Accepted,
    Activating,
    Woken,
    Replayed,
    Activated,
    Broken,
    Released,
    Done,
    Refused,
    InDoubt,
    Undone,
    Thawed,
    Recovered,
}

/// <summary>One step of a pass, for timelines and logs.</summary>
/// <param name="Timestamp">Monotonic clock of the host (CLOCK_MONOTONIC), as <see cref="Stopwatch.GetTimestamp"/> gives it.</param>
/// <param name="Detail">Figures or a reason; may be empty.</param>
internal readonly record struct PassStep(PassId Pass, FourTuple Connection, PassSide Side, PassAction Action, long Timestamp, string Detail)
{
    /// <summary>With <see cref="PassAction.Activated"/>: the time from the divert.</summary>
    public TimeSpan? Blackout { get; init; }
}

/// <summary>Hears of every step. Called on the path of the pass: it must not block.</summary>
internal delegate void PassObserver(PassStep step);
