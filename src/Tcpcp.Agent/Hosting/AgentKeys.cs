using Tcpcp.Configuration;

namespace Tcpcp.Agent.Hosting;

/// <summary>The keys of the agent's configuration, as docs/configuration.md has them.</summary>
internal static class AgentKeys
{
    /// <summary>Every key there is.</summary>
    public static IReadOnlyList<ConfigurationKey> All { get; } =
    [
        new("name", "the host's name", "Name of this agent: its certificate has it, and other agents call it so."),
        new("role", "host", "host: passes connections; gateway: sends the peers' packets to the hosts that have their connections; peer-route: routes service addresses to the hosts that have them, on the peer or its first hop."),
        new("interface", "", "The interface that peers and the other hosts are behind."),
        new("listen", "", "Address and port that other agents connect to: an address of this host alone.",
            "A service address moves away with its connections, and the link with it."),
        new("certificate:file", "", "PEM file of this host's certificate. Read again when it changes."),
        new("certificate:key", "", "PEM file of its private key; readable by the agent alone."),
        new("certificate:authority", "", "PEM file of the authority that has signed the certificates of all agents.",
            "Who has a certificate of it can reach the agent; what it may pass says the policy."),
        new("destinations:*:address", "", "Address and port of another agent, by its name."),
        new("destinations:*:packets", "the address", "Addresses to which packets for it are forwarded, one of each family, as a list.") { IsList = true },
        new("destinations:*:tunnel", ConfigurationKey.None, "vxlan: packets for it are forwarded through a VXLAN tunnel between the agents' addresses, for hosts that are not on one layer 2. Both agents say so.",
            "Whoever can send UDP packets to port 4789 of this host can feed it packets: let the other hosts alone do so."),
        new("policy:*:origin", "", "Of each rule in the list: the agent that may pass connections to this host, by its certificate's name; *: any."),
        new("policy:*:applications", "", "Names of the applications that it may pass connections of; *: any.", "They get whatever state and data it makes up.") { IsList = true },
        new("policy:*:addresses", "", "Local addresses of connections that it may pass, single or as networks (192.0.2.0/24); *: any.",
            "It can make this host speak from any of them.") { IsList = true },
        new("policy:*:ports", "", "Local ports of connections that it may pass, single or as ranges (8000-8099); *: any.") { IsList = true },
        new("redirection", "takeover", "How packets follow a connection: takeover (the address moves), forward (its host sends them on), gateway (one in the path does), peer-route (the peer, or its first hop, routes the address) or hook (a program has them moved).",
            "With takeover and peer-route all connections of an address move at once; with forward the address's host must stay up."),
        new("redirectors:*:address", "", "With gateway and peer-route: address and port of the agent of each that moves the packets, by its name. All of them are asked in every pass."),
        new("gateway:services:*:addresses", "", "Of each entry in the list, with the role gateway: addresses of the service, single ones.") { IsList = true },
        new("gateway:services:*:ports", "", "Its ports, single or as ranges (8000-8099).") { IsList = true },
        new("gateway:backends:*:address", "", "Address and port of the agent of each host that has connections of the services, by its name."),
        new("gateway:backends:*:packets", "the address", "Addresses that packets for it are sent to, one of each family, as a list: neighbours behind the interface.") { IsList = true },
        new("gateway:backends:*:draining", "false", "Whether nothing that opens goes there any more. The backends are followed while the agent runs (SIGHUP).",
            "A host that is taken out of the list keeps its connections until the agent is restarted."),
        new("gateway:connections", "262144", "Connections that there is room for besides those that go by the table; 150 bytes each."),
        new("gateway:add-addresses", "true", "Whether the gateway gives its interface the service addresses. If not, packets for them must be routed through it, or it must have them.",
            "An address that it has before its packets are switched answers them with an RST."),
        new("peer-route:hosts:*:next-hops", "", "With the role peer-route: next hops to each host that may have service addresses, by the name of its agent; one of each family, as a list.") { IsList = true },
        new("peer-route:hosts:*:addresses", "", "Service addresses that it may have, and move to another host, single or as networks (192.0.2.0/24), as a list.",
            "It can have the peer's packets for any of them.") { IsList = true },
        new("hook:command", "", "With hook: path of the program that has packets moved, and its arguments, as a list. It is run without a shell.", "It has the rights of the agent.") { IsList = true },
        new("hook:timeout", "that of bounds:answer", "How long it may take; then it is killed."),
        new("packet-switch", "auto", "What switches the packets of single connections: bpf, nftables, or auto (bpf, or nftables where it is not to be had)."),
        new("hold", "auto", "What the peer's packets are held by during a pass: tap (a TAP interface), veth (a veth pair with a packet socket) or auto (tap, or veth where there is no /dev/net/tun)."),
        new("congestion", "default", "What congestion control of connections that come starts from: default (as a new connection, with the algorithm that it had), new (with this host's "
            + "algorithm) or keep (from the window and the rate that it had).",
            "keep: where the path to the peer is not the same, the first round trips may overload it."),
        new("ecn", "drop", "What becomes of connections that have agreed on explicit congestion notification: drop (they come here and go on without it), keep (with it) or refuse (they are "
            + "neither passed from here nor taken).", "drop: where routers mark instead of dropping, the peer does not hear of it any more."),
        new("local:socket", "/run/tcpcp/agent.sock", "Path of the socket for programs of this host."),
        new("local:applications-group", "tcpcp", "Group whose members may pass and receive connections.", "They receive other users' connections by name."),
        new("local:operators-group", "root", "Group whose members may drain and settle passes."),
        new("journal", "/run/tcpcp", "Directory of the journal, on a memory file system: it must not outlive a boot.",
            "On a disk every step waits for it, and what it says after a boot is not true any more."),
        new("unaware", "false", "Whether operators may pass connections of processes that know nothing of tcpcp (needs CAP_SYS_PTRACE).",
            "The agent can take any descriptor of any process then."),
        new("in-doubt:abandon-after", ConfigurationKey.None, "Time after which a pass in doubt is given up: its frozen connections are closed silently. None: they are held.",
            "If the destination never took them, they are lost."),
        new("limits:frozen", "32", "Connections of one drain that are being passed at a time."),
        new("limits:clients", "256", "Programs that are connected to the local socket at a time."),
        new("limits:queue-bytes", "67108864", "Longest queue of a connection that is passed or taken, in bytes."),
        new("bounds:offer-lifetime", "10s", "How long an offer from another agent stays open."),
        new("bounds:answer", "2s", "How long the origin waits for an answer before anything was sent."),
        new("bounds:decision", "2s", "How long the decision may take from the last piece of the transfer on."),
        new("bounds:quiesce", "30ms", "How long the origin waits for the send queue to drain. What is left is carried."),
        new("bounds:hold", "5s", "How long packets of a connection are held at most."),
        new("bounds:hold-bytes", "16777216", "How many bytes of packets are held for a connection; more is dropped, and the peer sends it again."),
        new("bounds:resolve-first", "50ms", "First pause between two questions about a verdict; it doubles."),
        new("bounds:resolve-longest", "5s", "Longest pause between two questions."),
        new("bounds:compare-forwarded", "60s", "How often the connections here are compared with all that others forward to this host. Ends are told at once; this finds what was missed. A gateway looks as often for passes that nobody ends any more."),
        new("metrics:listen", ConfigurationKey.None, "Address and port of /metrics and /healthz (plain HTTP).", "Anybody who reaches it can read it."),
        new("metrics:otlp", ConfigurationKey.None, "Address of an OpenTelemetry collector (OTLP over HTTP) that gets traces and metrics."),
        new("log-level", "information", "trace, debug, information, warning, error or critical."),
    ];

    /// <summary>With the page that explains them.</summary>
    public static ConfigurationKeys Known { get; } = new(All, "docs/configuration.md");
}
