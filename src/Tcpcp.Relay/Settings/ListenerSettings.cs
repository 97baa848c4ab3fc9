using System.Net;
using Tcpcp.Core;
using Tcpcp.Relay.Sessions;

namespace Tcpcp.Relay.Settings;

/// <summary>Where clients connect to, as it is configured.</summary>
internal sealed record ListenerSettings
{
    public required string Name { get; init; }

    public required IReadOnlyList<IPEndPoint> Addresses { get; init; }

    /// <summary>Name of the pool for what no name in TLS decides; null: such a session is refused.</summary>
    public required string? Pool { get; init; }

    /// <summary>Pools by the name that the client asks for in TLS; <c>*.example.net</c> stands for all names below.</summary>
    public IReadOnlyDictionary<string, string> Names { get; init; } = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);

    /// <summary>Clients begin with a PROXY protocol header, version 1 or 2.</summary>
    public bool ExpectsProxyHeader { get; init; }

    /// <summary>How long a client may take for what it has to say first.</summary>
    public TimeSpan PrologueTime { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>0: no limit.</summary>
    public int MaxSessions { get; init; }

    /// <summary>Of one client address; 0: no limit.</summary>
    public int MaxPerSource { get; init; }

    /// <summary>Connections that wait in the kernel until they are accepted.</summary>
    public int Backlog { get; init; } = 1024;

    /// <summary>None: all.</summary>
    public IReadOnlyList<AddressRange> Allow { get; init; } = [];

    public IReadOnlyList<AddressRange> Deny { get; init; } = [];

    public SessionTimeouts Timeouts { get; init; }

    /// <summary>Silence after which the other ends are probed; null: they are not.</summary>
    public TimeSpan? KeepAlive { get; init; }

    /// <summary>How long what was sent may stay without acknowledgement; null: as the kernel has it.</summary>
    public TimeSpan? UserTimeout { get; init; }

    /// <summary>Whether an address may have sessions here.</summary>
    public bool Admits(IPAddress client) => !Deny.Any(range => range.Contains(client)) && (Allow.Count == 0 || Allow.Any(range => range.Contains(client)));

    /// <summary>The pool of a session.</summary>
    /// <param name="name">What the client asks for in TLS; null: nothing.</param>
    public string? PoolOf(string? name)
    {
        if (name is null)
            return Pool;
        if (Names.TryGetValue(name, out string? exact))
            return exact;
        for (int dot = name.IndexOf('.', StringComparison.Ordinal); dot >= 0; dot = name.IndexOf('.', dot + 1))
        {
            if (Names.TryGetValue($"*{name[dot..]}", out string? below))
                return below;
        }

        return Pool;
    }
}
