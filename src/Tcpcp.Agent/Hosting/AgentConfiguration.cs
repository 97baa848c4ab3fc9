using System.Net;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;
using Tcpcp.Agent.Gateways;
using Tcpcp.Agent.Hold;
using Tcpcp.Agent.Link;
using Tcpcp.Agent.Passing;
using Tcpcp.Agent.PeerRoutes;
using Tcpcp.Agent.Policy;
using Tcpcp.Agent.Redirection;
using Tcpcp.Configuration;
using Tcpcp.Core;
using Tcpcp.Linux.Switching;

namespace Tcpcp.Agent.Hosting;

/// <summary>What an agent is told by its operator: one JSON file. The keys are in <see cref="AgentKeys.All"/>.</summary>
internal sealed record AgentConfiguration
{
    public const string Takeover = "takeover";
    public const string Forward = "forward";
    public const string Gateway = "gateway";
    public const string PeerRoute = "peer-route";
    public const string Hook = "hook";

    private static readonly TimeSpan s_day = TimeSpan.FromDays(1);

    public required string Name { get; init; }

    /// <summary>The values as they are written, by their keys.</summary>
    public IReadOnlyDictionary<string, string> Values { get; init; } = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);

    /// <summary>What a gateway does; null: this is a host's agent.</summary>
    public GatewayOptions? GatewayRole { get; init; }

    /// <summary>What a peer, or its first hop, does; null: this is none.</summary>
    public PeerRouteOptions? PeerRouteRole { get; init; }

    /// <summary>It passes connections.</summary>
    public bool IsHost => GatewayRole is null && PeerRouteRole is null;

    public required string Interface { get; init; }

    public required IPEndPoint Listen { get; init; }

    public required CertificateFiles Certificates { get; init; }

    public IReadOnlyList<ConfiguredDestination> Destinations { get; init; } = [];

    public required PassPolicy Policy { get; init; }

    /// <summary><see cref="Takeover"/>, <see cref="Forward"/>, <see cref="Gateway"/>, <see cref="PeerRoute"/> or <see cref="Hook"/>.</summary>
    public string Redirection { get; init; } = Takeover;

    /// <summary>Whose agents are asked to move packets.</summary>
    public IReadOnlyList<ConfiguredDestination> Redirectors { get; init; } = [];

    /// <summary>The program that has packets moved, and its arguments.</summary>
    public IReadOnlyList<string> HookCommand { get; init; } = [];

    public TimeSpan HookTime { get; init; } = new PassOptions().AnswerTime;

    public string LocalSocket { get; init; } = "/run/tcpcp/agent.sock";

    public string ApplicationsGroup { get; init; } = "tcpcp";

    public string OperatorsGroup { get; init; } = "root";

    public string JournalDirectory { get; init; } = "/run/tcpcp";

    public bool TakesUnaware { get; init; }

    /// <summary>Null: passes in doubt are held until an operator or the destination decides.</summary>
    public TimeSpan? AbandonAfter { get; init; }

    public int MaxFrozen { get; init; } = 32;

    public int MaxClients { get; init; } = 256;

    public PassOptions Bounds { get; init; } = new();

    public IPEndPoint? MetricsListen { get; init; }

    public Uri? OtlpCollector { get; init; }

    public LogLevel LogLevel { get; init; } = LogLevel.Information;

    /// <summary>Reads and validates a file.</summary>
    /// <exception cref="ConfigurationException">It is not there, no JSON, or a key's value makes no sense.</exception>
    public static AgentConfiguration Read(string path) => ConfigurationFile.Read(path, Read);

    /// <exception cref="ConfigurationException">A key's value makes no sense.</exception>
    public static AgentConfiguration Read(IConfiguration configuration)
    {
        ConfigurationReader reader = new(configuration, AgentKeys.Known);
        reader.RequireKnownKeys();
        AgentConfiguration read = new()
        {
            Values = configuration.AsEnumerable().Where(one => one.Value is not null).ToDictionary(one => one.Key, one => one.Value!, StringComparer.OrdinalIgnoreCase),
            Name = reader.Text("name", Environment.MachineName),
            Interface = reader.Text("interface"),
            Listen = reader.EndPoint("listen"),
            Certificates = new CertificateFiles(reader.Text("certificate:file"), reader.Text("certificate:key"), reader.Text("certificate:authority")),
            Destinations = [.. reader.Names("destinations").Select(name => ReadDestination(reader, "destinations", name))],
            GatewayRole = RedirectionReader.ReadGateway(reader),
            PeerRouteRole = RedirectionReader.ReadPeerRoute(reader),
            Redirectors = [.. reader.Names("redirectors").Select(name => new ConfiguredDestination(new OtherHost(name, []), reader.EndPoint($"redirectors:{name}:address")))],
            HookCommand = reader.List("hook:command"),
            Policy = ReadPolicy(reader),
            Redirection = reader.Text("redirection", Takeover),
            LocalSocket = reader.Text("local:socket", "/run/tcpcp/agent.sock"),
            ApplicationsGroup = reader.Text("local:applications-group", "tcpcp"),
            OperatorsGroup = reader.Text("local:operators-group", "root"),
            JournalDirectory = reader.Text("journal", "/run/tcpcp"),
            TakesUnaware = reader.Flag("unaware", otherwise: false),
            AbandonAfter = reader.FindTime("in-doubt:abandon-after", TimeSpan.FromSeconds(1), TimeSpan.FromDays(30)),
            MaxFrozen = reader.Number("limits:frozen", 32, 1, 4096),
            MaxClients = reader.Number("limits:clients", 256, 1, 10_000),
            Bounds = ReadBounds(reader),
            MetricsListen = reader.FindEndPoint("metrics:listen"),
            OtlpCollector = ReadCollector(reader),
            LogLevel = Enum.TryParse(reader.Text("log-level", "information"), ignoreCase: true, out LogLevel level) && Enum.IsDefined(level) ? level
                : throw new ConfigurationException("log-level", "it is one of trace, debug, information, warning, error and critical."),
        };
        read = read with { HookTime = reader.Time("hook:timeout", read.Bounds.AnswerTime, TimeSpan.FromMilliseconds(10), s_day) };
        RedirectionReader.Check(read);
        if (read.Destinations.FirstOrDefault(destination => destination.Host.TunnelTo is { } end && end.AddressFamily != read.Listen.Address.AddressFamily) is { } mixed)
            throw new ConfigurationException($"destinations:{mixed.Host.Name}:tunnel", "its address is of another family than this agent's (listen): a tunnel needs both of one.");
        if (read.Redirection != Forward && read.Destinations.FirstOrDefault(destination => destination.Host.TunnelTo is not null) is { } useless)
            throw new ConfigurationException($"destinations:{useless.Host.Name}:tunnel", "packets go through a tunnel only where they are forwarded: set redirection to forward.");
        if (read.Listen.Address.Equals(IPAddress.Any) || read.Listen.Address.Equals(IPAddress.IPv6Any))
            throw new ConfigurationException("listen", "name one address of this host: links to other agents come from it too, and must not come from a service address.");
        if (read.Destinations.FirstOrDefault(destination => destination.Host.Name == read.Name) is not null)
            throw new ConfigurationException($"destinations:{read.Name}", "this agent cannot pass connections to itself.");
        return read;
    }

    /// <summary>A host with its agent, below a key.</summary>
    public static ConfiguredDestination ReadDestination(ConfigurationReader reader, string section, string name)
    {
        IPEndPoint address = reader.EndPoint($"{section}:{name}:address");
        string key = $"{section}:{name}:packets";
        IPAddress[] packets = [.. reader.List(key, address.Address.ToString()).Select(text => IPAddress.TryParse(text, out IPAddress? one) ? one
            : throw new ConfigurationException(key, $"'{text}' is not an address."))];
        if (packets.DistinctBy(one => one.AddressFamily).Count() != packets.Length)
            throw new ConfigurationException(key, "name one address of each family at most.");
        string tunnelKey = $"destinations:{name}:tunnel";
        bool isTunnelled = reader.Text(tunnelKey, ConfigurationKey.None) switch
        {
            ConfigurationKey.None => false,
            "vxlan" => true,
            string other => throw new ConfigurationException(tunnelKey, $"'{other}' is neither none nor vxlan."),
        };
        return new ConfiguredDestination(new OtherHost(name, packets) { TunnelTo = isTunnelled ? address.Address : null }, address);
    }

    private static PassPolicy ReadPolicy(ConfigurationReader reader)
    {
        List<string> faults = [];
        PassPolicy policy = PassPolicy.Parse(
            [.. reader.Names("policy").Select(rule => new PolicyRuleOptions
            {
                Key = rule,
                Origin = reader.Find($"policy:{rule}:origin"),
                Applications = reader.List($"policy:{rule}:applications"),
                Addresses = reader.List($"policy:{rule}:addresses"),
                Ports = reader.List($"policy:{rule}:ports"),
            })], faults);
        return faults.Count == 0 ? policy : throw new ConfigurationException("policy", string.Join(' ', faults));
    }

    private static PassOptions ReadBounds(ConfigurationReader reader)
    {
        PassOptions usual = new();
        TimeSpan least = TimeSpan.FromMilliseconds(10);
        PassOptions bounds = new()
        {
            OfferLifetime = reader.Time("bounds:offer-lifetime", usual.OfferLifetime, TimeSpan.FromMilliseconds(100), s_day),
            AnswerTime = reader.Time("bounds:answer", usual.AnswerTime, least, s_day),
            DecisionTime = reader.Time("bounds:decision", usual.DecisionTime, least, s_day),
            QuiesceTime = reader.Time("bounds:quiesce", usual.QuiesceTime, TimeSpan.Zero, s_day),
            HoldTime = reader.Time("bounds:hold", usual.HoldTime, least, s_day),
            HoldBytes = reader.Number("bounds:hold-bytes", usual.HoldBytes, 4096, 1 << 30),
            ResolveBackOff = reader.Time("bounds:resolve-first", usual.ResolveBackOff, TimeSpan.FromMilliseconds(1), s_day),
            ResolveBackOffMax = reader.Time("bounds:resolve-longest", usual.ResolveBackOffMax, TimeSpan.FromMilliseconds(1), s_day),
            CompareForwarded = reader.Time("bounds:compare-forwarded", usual.CompareForwarded, TimeSpan.FromMilliseconds(100), s_day),
            PacketSwitch = ReadSwitch(reader),
            Hold = ReadHold(reader),
            Congestion = ReadCongestion(reader),
            Ecn = ReadEcn(reader),
            MaxQueueBytes = reader.Number("limits:queue-bytes", usual.MaxQueueBytes, 4096, 1 << 30),
        };
        return bounds.ResolveBackOff <= bounds.ResolveBackOffMax ? bounds
            : throw new ConfigurationException("bounds:resolve-longest", "it is shorter than bounds:resolve-first.");
    }

    private static CongestionStart ReadCongestion(ConfigurationReader reader) => reader.Text("congestion", "default") switch
    {
        "default" => CongestionStart.Default,
        "new" => CongestionStart.New,
        "keep" => CongestionStart.Keep,
        string other => throw new ConfigurationException("congestion", $"'{other}' is none of default, new and keep."),
    };

    private static EcnPolicy ReadEcn(ConfigurationReader reader) => reader.Text("ecn", "drop") switch
    {
        "drop" => EcnPolicy.Drop,
        "keep" => EcnPolicy.Keep,
        "refuse" => EcnPolicy.Refuse,
        string other => throw new ConfigurationException("ecn", $"'{other}' is none of drop, keep and refuse."),
    };

    private static SwitchChoice ReadSwitch(ConfigurationReader reader) => reader.Text("packet-switch", "auto") switch
    {
        "auto" => SwitchChoice.Automatic,
        "bpf" => SwitchChoice.Bpf,
        "nftables" => SwitchChoice.Nftables,
        string other => throw new ConfigurationException("packet-switch", $"'{other}' is none of auto, bpf and nftables."),
    };

    private static HoldChoice ReadHold(ConfigurationReader reader) => reader.Text("hold", "auto") switch
    {
        "auto" => HoldChoice.Automatic,
        "tap" => HoldChoice.Tap,
        "veth" => HoldChoice.Veth,
        string other => throw new ConfigurationException("hold", $"'{other}' is none of auto, tap and veth."),
    };

    private static Uri? ReadCollector(ConfigurationReader reader) => reader.Find("metrics:otlp") is not { } text ? null
        : Uri.TryCreate(text, UriKind.Absolute, out Uri? uri) && uri.Scheme is "http" or "https" ? uri
        : throw new ConfigurationException("metrics:otlp", $"'{text}' is not an address. Write for instance http://192.0.2.9:4318.");
}

/// <summary>Another agent that connections can be passed to.</summary>
/// <param name="Address">Where its agent listens.</param>
internal sealed record ConfiguredDestination(OtherHost Host, IPEndPoint Address);
