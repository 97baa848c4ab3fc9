using System.Net;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;
using Tcpcp.Configuration;

namespace Tcpcp.Relay.Settings;

/// <summary>What a relay is told by its operator: one JSON file. The keys are in <see cref="RelayKeys.All"/>.</summary>
internal sealed record RelayConfiguration
{
    private const int MostThreads = 16;

    /// <summary>The values as they are written, by their keys.</summary>
    public IReadOnlyDictionary<string, string> Values { get; init; } = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);

    public string Application { get; init; } = "relay";

    /// <summary>The socket of this host's agent; null: sessions do not move.</summary>
    public string? AgentSocket { get; init; } = "/run/tcpcp/agent.sock";

    public string ControlSocket { get; init; } = "/run/tcpcp/relay.sock";

    public string ControlGroup { get; init; } = "root";

    public int Threads { get; init; } = Math.Min(Environment.ProcessorCount, MostThreads);

    public int BufferBytes { get; init; } = 64 << 10;

    public IPEndPoint? MetricsListen { get; init; }

    public LogLevel LogLevel { get; init; } = LogLevel.Information;

    public bool LogsSessions { get; init; } = true;

    public required IReadOnlyList<ListenerSettings> Listeners { get; init; }

    public required IReadOnlyList<PoolSettings> Pools { get; init; }

    /// <summary>Reads and validates a file.</summary>
    /// <exception cref="ConfigurationException">It is not there, no JSON, or a key's value makes no sense.</exception>
    public static RelayConfiguration Read(string path) => ConfigurationFile.Read(path, Read);

    /// <exception cref="ConfigurationException">A key's value makes no sense.</exception>
    public static RelayConfiguration Read(IConfiguration configuration)
    {
        ConfigurationReader reader = new(configuration, RelayKeys.Known);
        reader.RequireKnownKeys();
        int threads = reader.Number("threads", 0, 0, 256);
        RelayConfiguration read = new()
        {
            Values = configuration.AsEnumerable().Where(one => one.Value is not null).ToDictionary(one => one.Key, one => one.Value!, StringComparer.OrdinalIgnoreCase),
            Application = reader.Text("application", "relay"),
            AgentSocket = reader.Text("agent", "/run/tcpcp/agent.sock") is var agent && agent == ConfigurationKey.None ? null : agent,
            ControlSocket = reader.Text("control:socket", "/run/tcpcp/relay.sock"),
            ControlGroup = reader.Text("control:group", "root"),
            Threads = threads > 0 ? threads : Math.Min(Environment.ProcessorCount, MostThreads),
            BufferBytes = reader.Number("buffer-bytes", 64 << 10, 4 << 10, 1 << 20),
            MetricsListen = reader.FindEndPoint("metrics:listen"),
            LogsSessions = reader.Flag("log-sessions", otherwise: true),
            LogLevel = Enum.TryParse(reader.Text("log-level", "information"), ignoreCase: true, out LogLevel level) && Enum.IsDefined(level) ? level
                : throw new ConfigurationException("log-level", "it is one of trace, debug, information, warning, error and critical."),
            Pools = [.. reader.Names("pools").Select(name => PoolReader.Read(reader, name))],
            Listeners = [.. reader.Names("listeners").Select(name => ListenerReader.Read(reader, name))],
        };
        read.Check();
        return read;
    }

    private void Check()
    {
        if (Listeners.Count == 0)
            throw new ConfigurationException("listeners", "there is none: name at least one.");
        foreach (ListenerSettings listener in Listeners)
        {
            RequirePool($"listeners:{listener.Name}:pool", listener.Pool);
            foreach ((string name, string pool) in listener.Names)
                RequirePool($"listeners:{listener.Name}:names:{name}", pool);
            if (listener.Pool is null && listener.Names.Count == 0)
                throw new ConfigurationException($"listeners:{listener.Name}:pool", "name the pool of its servers, or pools by the name that a client asks for (names).");
        }

        if (Listeners.SelectMany(one => one.Addresses).GroupBy(one => one).FirstOrDefault(group => group.Count() > 1) is { } twice)
            throw new ConfigurationException("listeners", $"{twice.Key} is listened on twice.");
    }

    private void RequirePool(string key, string? pool)
    {
        if (pool is not null && !Pools.Any(one => one.Name.Equals(pool, StringComparison.OrdinalIgnoreCase)))
            throw new ConfigurationException(key, $"there is no pool '{pool}'. There are: {string.Join(", ", Pools.Select(one => one.Name))}.");
    }
}
