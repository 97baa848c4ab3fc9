using Tcpcp.Configuration;

namespace Tcpcp.Relay.Settings;

/// <summary>The keys of the relay's configuration, as docs/relay.md has them.</summary>
internal static class RelayKeys
{
    /// <summary>Every key there is.</summary>
    public static IReadOnlyList<ConfigurationKey> All { get; } =
    [
        new("application", "relay", "Name under which the relays of all hosts are known to their agents: sessions move between relays of one name."),
        new("agent", "/run/tcpcp/agent.sock", "Path of the socket of this host's agent, which passes sessions. `none`: they do not move."),
        new("control:socket", "/run/tcpcp/relay.sock", "Path of the socket that `tcpcp relay status`, `set`, `drain` and `rebalance` speak to."),
        new("control:group", "root", "Group whose members may use it; root and the relay's own user may always.", "They can take servers out and move all sessions."),
        new("threads", "0", "Threads that move bytes; 0: one for each processor, 16 at most."),
        new("buffer-bytes", "65536", "Bytes that are read at once. A session has at most one buffer for each direction, and only while the other end does not take what was read.",
            "Twice as much for each session whose ends are both slow."),
        new("metrics:listen", ConfigurationKey.None, "Address and port of /metrics and /healthz (plain HTTP).", "Anybody who reaches it can read it."),
        new("log-level", "information", "trace, debug, information, warning, error or critical."),
        new("log-sessions", "true", "Whether the end of each session is a line of the log."),
        new("listeners:*:listen", "", "Addresses and ports that clients connect to, as a list. An address need not be on this host yet: a service address may come later.") { IsList = true },
        new("listeners:*:pool", ConfigurationKey.None, "Name of the pool of servers. Needed unless all sessions are routed by `names`."),
        new("listeners:*:names:*", ConfigurationKey.None, "Pool for the name that a client asks for in TLS (SNI), by the name; `*.example.net` stands for all names below it. TLS is not terminated. Other names go to `pool`; where there is none they are refused, and so is what is not TLS."),
        new("listeners:*:proxy-protocol", "false", "Whether clients begin with a PROXY protocol header (version 1 or 2), whose address counts as theirs.", "Whoever reaches the listener can claim any address: let only load balancers reach it."),
        new("listeners:*:prologue-timeout", "5s", "How long a client may take for a PROXY header, or the name in TLS."),
        new("listeners:*:max-sessions", "0", "Sessions at a time; 0: no limit. Clients beyond it wait in the kernel's queue."),
        new("listeners:*:max-per-source", "0", "Sessions of one client address at a time; 0: no limit. A client beyond it is disconnected."),
        new("listeners:*:backlog", "1024", "Connections that wait in the kernel until they are accepted."),
        new("listeners:*:allow", ConfigurationKey.None, "Client addresses that are let in, single or as networks (192.0.2.0/24), as a list; none: all.") { IsList = true },
        new("listeners:*:deny", ConfigurationKey.None, "Client addresses that are not, although `allow` lets them in, as a list.") { IsList = true },
        new("listeners:*:idle-timeout", ConfigurationKey.None, "How long no byte may go either way until a session is ended."),
        new("listeners:*:half-closed-timeout", ConfigurationKey.None, "How long no byte may come from one side when the other one has closed."),
        new("listeners:*:total-timeout", ConfigurationKey.None, "How long a session may live."),
        new("listeners:*:keep-alive", "60s", "Silence after which the kernel probes clients and servers. `none`: it does not."),
        new("listeners:*:user-timeout", ConfigurationKey.None, "How long what was sent may stay unacknowledged until a connection counts as broken; none: as the kernel has it."),
        new("pools:*:balance", "round-robin", "How a server is chosen: round-robin, least-connections, consistent-hash (of the client's address, by a Maglev table that is the same on every relay) or source-hash (of the client's address, modulo the weights)."),
        new("pools:*:connect-timeout", "3s", "How long a connect to a server may take."),
        new("pools:*:retries", "3", "Other servers that are tried when one cannot be connected to."),
        new("pools:*:source", "by the route", "This host's addresses that servers are connected from, one of each family, as a list. Sessions keep them when they move: their servers' packets then come by way of this host until the address moves too.") { IsList = true },
        new("pools:*:max-queued", "1024", "Sessions that wait when all servers are full."),
        new("pools:*:queue-timeout", "5s", "How long they wait."),
        new("pools:*:slow-start", "0s", "How long a server that has come back works up to its weight, from a tenth of it on."),
        new("pools:*:eject:after", "5", "Connects in a row that fail until a server is left out; 0: never."),
        new("pools:*:eject:time", "30s", "How long it is left out."),
        new("pools:*:check:interval", ConfigurationKey.None, "How often each server is checked by a connection that is closed at once; none: never."),
        new("pools:*:check:timeout", "2s", "How long a check may take."),
        new("pools:*:check:rise", "2", "Good checks in a row until a server that is down counts as up."),
        new("pools:*:check:fall", "3", "Bad checks in a row until a server that is up counts as down. Its sessions go on."),
        new("pools:*:servers:*:address", "", "Address and port of the server, by its name."),
        new("pools:*:servers:*:weight", "1", "Its share beside the others, 0 to 256; 0: it gets no new sessions."),
        new("pools:*:servers:*:backup", "false", "Whether it gets sessions only while no other server takes them."),
        new("pools:*:servers:*:state", "ready", "ready, drain (it gets no new sessions) or maint (it is not checked either)."),
        new("pools:*:servers:*:max-sessions", "0", "Sessions at a time; 0: no limit."),
        new("pools:*:servers:*:send-proxy", "false", "Whether it is told the client's address by a PROXY protocol header of version 2.", "A server that does not expect it takes it for the client's first bytes."),
    ];

    /// <summary>With the page that explains them.</summary>
    public static ConfigurationKeys Known { get; } = new(All, "docs/relay.md");
}
