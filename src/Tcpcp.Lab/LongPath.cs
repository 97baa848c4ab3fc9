namespace Tcpcp.Lab;

/// <summary>A path between a host and the switch: long, narrow, or both.</summary>
/// <param name="Delay">In each direction.</param>
/// <param name="BytesPerSecond">In each direction; frames that come faster wait in a queue.</param>
/// <param name="QueueBytes">Of each direction's queue; what does not fit is dropped.</param>
public sealed record LongPath(TimeSpan Delay, long BytesPerSecond, long QueueBytes)
{
    /// <summary>What it does wrong besides; default null: nothing.</summary>
    public PathFaults? Faults { get; init; }
}
