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
internal sealed record PassStep(PassId Pass, FourTuple Connection, PassSide Side, PassAction Action, long Timestamp, string Detail)
{
    /// <summary>With <see cref="PassAction.Activated"/>: the time from the divert.</summary>
    public TimeSpan? Blackout { get; init; }

    /// <summary>With <see cref="PassAction.Done"/>: why it did not succeed.</summary>
    public PassFailure Failure { get; init; }

    /// <summary>With <see cref="PassAction.Done"/>: who owns the connections.</summary>
    public ConnectionOwner? Owner { get; init; }

    /// <summary>Of the destination: the origin's span of the pass, if it is traced.</summary>
    public ReadOnlyMemory<byte> TraceParent { get; init; }

    /// <summary>Name of the other agent; empty if it is not known.</summary>
    public string OtherHost { get; init; } = "";

    /// <summary>With <see cref="PassAction.Replayed"/>, and with <see cref="PassAction.Thawed"/>: packets that were held and have arrived.</summary>
    public int ReplayedPackets { get; init; }

    /// <summary>With <see cref="PassAction.Replayed"/>: packets that there was no room to hold; the peer sends them again.</summary>
    public int DroppedPackets { get; init; }
}

/// <summary>Hears of every step. Called on the path of the pass: it must not block.</summary>
internal delegate void PassObserver(PassStep step);
