using System.Net;

namespace Tcpcp.Relay.Settings;

/// <summary>Servers that do the same, as they are configured.</summary>
internal sealed record PoolSettings
{
    public required string Name { get; init; }

    public Balance Balance { get; init; } = Balance.RoundRobin;

    public required IReadOnlyList<ServerSettings> Servers { get; init; }

    public TimeSpan ConnectTime { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>Further servers that are tried for a session.</summary>
    public int Retries { get; init; } = 3;

    /// <summary>This host's addresses that servers are connected from, one of each family at most; of others: by the route.</summary>
    public IReadOnlyList<IPAddress> Sources { get; init; } = [];

    /// <summary>Sessions that wait for room.</summary>
    public int MaxQueued { get; init; } = 1024;

    public TimeSpan QueueTime { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long a server that has come back works up to its weight.</summary>
    public TimeSpan SlowStart { get; init; }

    /// <summary>Connects in a row that fail until a server is left out; 0: never.</summary>
    public int EjectAfter { get; init; } = 5;

    public TimeSpan EjectTime { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Null: servers are not checked.</summary>
    public CheckSettings? Check { get; init; }
}

/// <summary>How servers are checked: a connection is opened and closed.</summary>
/// <param name="Rise">Good ones in a row until a server that is down counts as up.</param>
/// <param name="Fall">Bad ones in a row until one that is up counts as down.</param>
internal sealed record CheckSettings(TimeSpan Interval, TimeSpan Timeout, int Rise, int Fall);
