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

    /// <summary>Who moves the packets of connections from and to here, if that is neither this host nor the other one.</summary>
    public IReadOnlyList<RedirectorStatus> Redirectors { get; init; } = [];

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

/// <summary>A third party that moves packets: a gateway, an agent on the peer or its first hop, or a hook.</summary>
public sealed record RedirectorStatus
{
    /// <summary>Name of its agent; of a hook the path of its program.</summary>
    public required string Name { get; init; }

    /// <summary>How its agent is reached; empty of a hook.</summary>
    public string Address { get; init; } = "";

    /// <summary>Whether the link stands; of a hook, whether its program could be run.</summary>
    public bool IsConnected { get; init; }

    /// <summary>Of an empty call; null if it was not measured.</summary>
    public TimeSpan? RoundTrip { get; init; }

    /// <summary>Orders that it was given and has not acknowledged.</summary>
    public int OutstandingOrders { get; init; }

    /// <summary>Age of the oldest of them; null if there are none.</summary>
    public TimeSpan? OldestOrder { get; init; }

    /// <summary>Why it was not reached, or what it answered instead of an acknowledgement; empty if nothing is wrong.</summary>
    public string Fault { get; init; } = "";
}
