namespace Tcpcp.Relay.Servers;

/// <summary>What the operator wants of a server.</summary>
internal enum ServerState
{
    /// <summary>It takes sessions.</summary>
    Ready,

    /// <summary>It gets no new sessions; those that it has go on.</summary>
    Drain,

    /// <summary>As with drain, and it is not checked.</summary>
    Maint,
}

/// <summary>What is known of it.</summary>
internal enum ServerHealth
{
    Up,
    Down,

    /// <summary>Too many connects have failed in a row: it is left out for a while.</summary>
    Ejected,
}
