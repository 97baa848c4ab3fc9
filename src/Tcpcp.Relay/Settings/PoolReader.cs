using System.Net;
using Tcpcp.Configuration;
using Tcpcp.Relay.Servers;

namespace Tcpcp.Relay.Settings;

/// <summary>Reads what a configuration says of a pool and its servers.</summary>
internal static class PoolReader
{
    /// <summary>Of a server.</summary>
    public const int MostWeight = 256;

    private static readonly TimeSpan s_least = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan s_hour = TimeSpan.FromHours(1);

    /// <exception cref="ConfigurationException">A key's value makes no sense.</exception>
    public static PoolSettings Read(ConfigurationReader reader, string name)
    {
        string key = $"pools:{name}";
        PoolSettings pool = new()
        {
            Name = name,
            Balance = reader.Text($"{key}:balance", "round-robin") switch
            {
                "round-robin" => Balance.RoundRobin,
                "least-connections" => Balance.LeastConnections,
                "consistent-hash" => Balance.ConsistentHash,
                "source-hash" => Balance.SourceHash,
                string other => throw new ConfigurationException($"{key}:balance", $"'{other}' is none of round-robin, least-connections, consistent-hash and source-hash."),
            },
            Servers = [.. reader.Names($"{key}:servers").Select(server => ReadServer(reader, $"{key}:servers:{server}", server))],
            ConnectTime = reader.Time($"{key}:connect-timeout", TimeSpan.FromSeconds(3), s_least, s_hour),
            Retries = reader.Number($"{key}:retries", 3, 0, 100),
            Sources = ReadSources(reader, $"{key}:source"),
            MaxQueued = reader.Number($"{key}:max-queued", 1024, 0, 1_000_000),
            QueueTime = reader.Time($"{key}:queue-timeout", TimeSpan.FromSeconds(5), s_least, s_hour),
            SlowStart = reader.Time($"{key}:slow-start", TimeSpan.Zero, TimeSpan.Zero, s_hour),
            EjectAfter = reader.Number($"{key}:eject:after", 5, 0, 1_000_000),
            EjectTime = reader.Time($"{key}:eject:time", TimeSpan.FromSeconds(30), s_least, TimeSpan.FromDays(1)),
            Check = ReadCheck(reader, $"{key}:check"),
        };
        return pool.Servers.Count > 0 ? pool : throw new ConfigurationException($"{key}:servers", "there is none: name at least one.");
    }

    /// <returns>Null if there is no such state.</returns>
    public static ServerState? FindState(string text) => text switch
    {
        "ready" => ServerState.Ready,
        "drain" => ServerState.Drain,
        "maint" => ServerState.Maint,
        _ => null,
    };

    private static ServerSettings ReadServer(ConfigurationReader reader, string key, string name) => new()
    {
        Name = name,
        Address = reader.EndPoint($"{key}:address"),
        Weight = reader.Number($"{key}:weight", 1, 0, MostWeight),
        IsBackup = reader.Flag($"{key}:backup", otherwise: false),
        State = FindState(reader.Text($"{key}:state", "ready")) ?? throw new ConfigurationException($"{key}:state", "it is one of ready, drain and maint."),
        MaxSessions = reader.Number($"{key}:max-sessions", 0, 0, int.MaxValue),
        GetsProxyHeader = reader.Flag($"{key}:send-proxy", otherwise: false),
    };

    private static CheckSettings? ReadCheck(ConfigurationReader reader, string key)
    {
        CheckSettings check = new(TimeSpan.Zero, reader.Time($"{key}:timeout", TimeSpan.FromSeconds(2), s_least, s_hour),
            reader.Number($"{key}:rise", 2, 1, 1000), reader.Number($"{key}:fall", 3, 1, 1000));
        return ListenerReader.OptionalTime(reader, $"{key}:interval", null) is { } interval ? check with { Interval = interval } : null;
    }

    private static IPAddress[] ReadSources(ConfigurationReader reader, string key)
    {
        IPAddress[] sources = [.. reader.List(key).Select(text => IPAddress.TryParse(text, out IPAddress? one) ? one
            : throw new ConfigurationException(key, $"'{text}' is not an address."))];
        return sources.DistinctBy(one => one.AddressFamily).Count() == sources.Length ? sources
            : throw new ConfigurationException(key, "name one address of each family at most.");
    }
}
