namespace Tcpcp.Relay.Settings;

/// <summary>How the server of a session is chosen among those that take sessions.</summary>
internal enum Balance
{
    /// <summary>In turn, as often as their weights say.</summary>
    RoundRobin,

    /// <summary>The one with the fewest sessions for its weight.</summary>
    LeastConnections,

    /// <summary>By the client's address in a Maglev table: few clients change servers when one comes or goes, and two relays choose alike.</summary>
    ConsistentHash,

    /// <summary>By the client's address modulo the weights: most clients change servers when one comes or goes.</summary>
    SourceHash,
}
