namespace Tcpcp.Agent.Passing;

/// <summary>Limits of messages that are not a matter of configuration.</summary>
internal static class AgentLimits
{
    /// <summary>Largest piece of a Transfer.</summary>
    public const int MaxChunkBytes = 1 << 20;

    /// <summary>Largest state of an application, and the snapshot's own fields.</summary>
    public const int MaxStateBytes = 16 << 20;

    /// <summary>How much of what was held travels in one message.</summary>
    public const int MaxHeldBytes = 1 << 19;

    /// <summary>Connections of one pass.</summary>
    public const int MaxConnections = 64;

    /// <summary>What a pass writes to the journal besides snapshots and application state, at most.</summary>
    public const int JournalBytesBesidesSnapshots = 16 << 10;
}
