namespace Tcpcp.AspNetCore;

/// <summary>What is known of a connection's passes. A feature of the connection, and so of its requests.</summary>
public interface IPassedConnectionFeature
{
    /// <summary>Name of the agent that the connection came from; null: it was accepted here.</summary>
    string? Origin { get; }

    /// <summary>Hosts that it was passed to. 0: it was accepted here.</summary>
    int Passes { get; }

    /// <summary>Why it cannot be passed, in one sentence; null: it can, at the next boundary between two requests at the latest.</summary>
    string? Obstacle { get; }
}
