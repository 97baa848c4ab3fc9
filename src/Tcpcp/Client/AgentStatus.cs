namespace Tcpcp.Client;

/// <summary>What an agent says of itself. Counts are since its start.</summary>
public sealed record AgentStatus
{
    /// <summary>Version of the agent's program.</summary>
    public required string AgentVersion { get; init; }

    /// <summary>Name of the agent.</summary>
    public required string Host { get; init; }

    /// <summary>Identity of its journal.</summary>
    public required Guid Incarnation { get; init; }

    /// <summary>Time since its start.</summary>
    public required TimeSpan Uptime { get; init; }

    /// <summary>The applications that take connections.</summary>
    public IReadOnlyList<RegisteredApplicationStatus> Applications { get; init; } = [];

    /// <summary>The agents that connections can be passed to.</summary>
    public IReadOnlyList<DestinationStatus> Destinations { get; init; } = [];

    /// <summary>Passes that have not ended.</summary>
    public int OpenPasses { get; init; }

    /// <summary>Those of them that are in doubt.</summary>
    public int InDoubt { get; init; }

    /// <summary>Passes from here that succeeded.</summary>
    public long PassedOut { get; init; }

    /// <summary>Passes to here that succeeded.</summary>
    public long PassedIn { get; init; }

    /// <summary>Offers that were refused here.</summary>
    public long Refused { get; init; }

    /// <summary>Passes from here that did not succeed.</summary>
    public long Failed { get; init; }

    /// <summary>Packets that were held.</summary>
    public long HeldPackets { get; init; }

    /// <summary>Size of the journal in bytes.</summary>
    public long JournalBytes { get; init; }

    /// <summary>What moves the packets.</summary>
    public string Redirection { get; init; } = "";
}

/// <summary>A program that takes connections.</summary>
/// <param name="Name">Name that it is registered under.</param>
/// <param name="ProcessId">Its process.</param>
/// <param name="Program">What it calls itself.</param>
public sealed record RegisteredApplicationStatus(string Name, int ProcessId, string Program);

/// <summary>Another host's agent.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Address">How it is reached.</param>
/// <param name="IsConnected">Whether the link stands.</param>
/// <param name="RoundTrip">Of an empty call; null if it was not measured.</param>
public sealed record DestinationStatus(string Name, string Address, bool IsConnected, TimeSpan? RoundTrip);
