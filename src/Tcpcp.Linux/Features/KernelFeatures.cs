namespace Tcpcp.Linux.Features;

/// <summary>What tcpcp uses of the system. The versions are those of the first kernel that has it.</summary>
internal static class KernelFeatures
{
    private const string Newer = "Use a newer kernel.";
    private const string NftablesConfig =
        "Use a kernel with CONFIG_NF_TABLES, CONFIG_NF_TABLES_INET and CONFIG_NFT_SOCKET (every distribution's has them).";

    /// <summary>Name of the feature that packet switches are made of BPF with.</summary>
    public const string TcxProgram = "BPF: program at the TCX hook";

    /// <summary>Name of the feature that packets are held by.</summary>
    public const string Tap = "TAP with virtio headers";

    /// <summary>Name of the feature that only one host answers for a service address by.</summary>
    public const string QuietServiceAddresses = "quiet service addresses";

    /// <summary>In the order in which they make sense to a reader.</summary>
    public static IReadOnlyList<KernelFeature> All { get; } =
    [
        new("CAP_NET_ADMIN", SystemProbes.NetAdmin)
        {
            NeededFor = "repair mode, the gate and the marks",
            IfMissing = Newer,
        },
        new("TCP_REPAIR", SocketProbes.Repair)
        {
            NeededFor = "capture and restore",
            MinKernel = new Version(3, 5),
            IfMissing = Newer,
        },
        new("TCP_REPAIR_WINDOW", SocketProbes.RepairWindow)
        {
            NeededFor = "restoring both windows: without it the peer drops segments as out of window",
            MinKernel = new Version(4, 8),
            IfMissing = Newer,
        },
        new("TCP_REPAIR off without probe", SocketProbes.RepairOffWithoutProbe)
        {
            NeededFor = "leaving repair mode without sending",
            MinKernel = new Version(4, 20),
            IfMissing = Newer,
        },
        new("SO_BUF_LOCK", SocketProbes.BufferLock)
        {
            NeededFor = "buffer sizes with their lock state",
            MinKernel = new Version(5, 14),
            IfMissing = Newer,
        },
        new("SO_NETNS_COOKIE", SocketProbes.NamespaceCookie)
        {
            NeededFor = "telling network namespaces apart",
            MinKernel = new Version(5, 14),
            IfMissing = Newer,
        },
        new("sock_diag", SocketProbes.SocketDiagnostics)
        {
            NeededFor = "listing connections and finding the gate's sockets",
            MinKernel = new Version(3, 3),
            IfMissing = "Load the module: modprobe tcp_diag",
        },
        new("libnftables", NftablesProbes.Library)
        {
            NeededFor = "making the gate",
            IfMissing = "Install it: apt-get install libnftables1",
        },
        new("nftables: sets of four-tuples", NftablesProbes.FourTupleSets)
        {
            NeededFor = "the gate: dropping one connection",
            MinKernel = new Version(4, 1),
            IfMissing = NftablesConfig,
        },
        new("nftables: socket mark", NftablesProbes.SocketMark)
        {
            NeededFor = "the gate: dropping what is for a marked socket",
            MinKernel = new Version(4, 19),
            IfMissing = NftablesConfig,
        },
        new("nftables: TCP options in maps", NftablesProbes.TimestampMap)
        {
            NeededFor = "the gate: noting the timestamp of a segment that it keeps back",
            MinKernel = new Version(4, 11),
            IfMissing = NftablesConfig,
        },
        new(TcxProgram, BpfProbes.TcxProgram)
        {
            NeededFor = "switching packets: a change at a tenth of the cost with nftables, which else does it",
            Need = FeatureNeed.Optional,
            MinKernel = new Version(6, 6),
            IfMissing = "Use Linux 6.6 or newer with CONFIG_BPF_SYSCALL and CONFIG_NET_XGRESS, and mount a BPF file system: mount -t bpf bpf /sys/fs/bpf",
            IfNotPermitted = "Run as root, or give CAP_BPF and CAP_NET_ADMIN (not in a user namespace).",
        },
        new("BPF: events of the cgroup's sockets", BpfProbes.SocketEvents)
        {
            NeededFor = "congestion: keep",
            Need = FeatureNeed.Optional,
            MinKernel = new Version(5, 7),
            IfMissing = "Use Linux 5.7 or newer with CONFIG_CGROUP_BPF, and mount both file systems: mount -t cgroup2 none /sys/fs/cgroup; mount -t bpf bpf /sys/fs/bpf",
            IfNotPermitted = "Run as root, or give CAP_BPF and CAP_NET_ADMIN (not in a user namespace).",
        },
        new("BPF: congestion control (struct_ops)", BpfProbes.CongestionControl)
        {
            NeededFor = "ecn: keep, and the slow start threshold of congestion: keep",
            Need = FeatureNeed.Optional,
            MinKernel = new Version(6, 4),
            IfMissing = "Use Linux 6.4 or newer with CONFIG_BPF_JIT and CONFIG_DEBUG_INFO_BTF.",
            IfNotPermitted = "Run as root, or give CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN (not in a user namespace).",
        },
        new("nftables: netdev fwd", NftablesProbes.Forward)
        {
            NeededFor = "switching packets where BPF does not",
            Need = FeatureNeed.Agent,
            MinKernel = new Version(4, 5),
            IfMissing = "Use a kernel with CONFIG_NF_TABLES_NETDEV and CONFIG_NFT_FWD_NETDEV.",
        },
        new("VXLAN", SystemProbes.Vxlan)
        {
            NeededFor = "forwarding between hosts that are not on one layer 2",
            Need = FeatureNeed.Optional,
            MinKernel = new Version(3, 12),
            IfMissing = "Load the module: modprobe vxlan",
        },
        new(Tap, SystemProbes.Tap)
        {
            NeededFor = "the hold: keeping the peer's packets, which else a veth pair does",
            Need = FeatureNeed.Optional,
            MinKernel = new Version(2, 6, 27),
            IfMissing = "Load the module: modprobe tun. In a container, pass the device /dev/net/tun in.",
            IfNotPermitted = "Allow this device: in a container pass /dev/net/tun in, under systemd DeviceAllow=/dev/net/tun rw.",
        },
        new("veth with virtio headers (AF_PACKET)", SystemProbes.Veth)
        {
            NeededFor = "the hold where a TAP is not to be had",
            Need = FeatureNeed.Agent,
            MinKernel = new Version(2, 6, 27),
            IfMissing = "Load the modules: modprobe veth af_packet",
            IfNotPermitted = "Run as root, or give CAP_NET_ADMIN and CAP_NET_RAW in the network namespace.",
        },
        new("AF_PACKET", SystemProbes.PacketSocket)
        {
            NeededFor = "announcing an address that moves here, and captures",
            Need = FeatureNeed.Agent,
            MinKernel = new Version(2, 2),
            IfMissing = "Load the module: modprobe af_packet",
            IfNotPermitted = "Run as root, or give CAP_NET_RAW in the network namespace.",
        },
        new(QuietServiceAddresses, SystemProbes.QuietServiceAddresses)
        {
            NeededFor = "a gateway's backends, and hosts that a service address is routed to: they have it on lo and must not answer ARP for it",
            Need = FeatureNeed.Optional,
            IfMissing = "sysctl -w net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2",
        },
        new("pidfd_open", SystemProbes.PidfdOpen)
        {
            NeededFor = "stopping a process that does not know of tcpcp",
            Need = FeatureNeed.Optional,
            MinKernel = new Version(5, 3),
            IfMissing = Newer,
            IfNotPermitted = "A seccomp filter forbids pidfd_open: allow it (container runtimes have a profile for it).",
        },
        new("pidfd_getfd", SystemProbes.PidfdGetfd)
        {
            NeededFor = "passing the connection of a process that does not know of tcpcp",
            Need = FeatureNeed.Optional,
            MinKernel = new Version(5, 6),
            IfMissing = Newer,
            IfNotPermitted = "A seccomp filter or ptrace rule forbids pidfd_getfd: give CAP_SYS_PTRACE, or allow it.",
        },
        new("TCP_TIMESTAMP in microseconds", SocketProbes.MicrosecondTimestamp)
        {
            NeededFor = "connections whose timestamps count microseconds",
            Need = FeatureNeed.Optional,
            MinKernel = new Version(6, 7),
            IfMissing = "Nothing: such connections exist only between hosts with Linux 6.7 or newer.",
        },
        new("user namespaces", SystemProbes.UserNamespaces)
        {
            NeededFor = "the demo as an ordinary user",
            Need = FeatureNeed.Optional,
            MinKernel = new Version(3, 8),
            IfMissing = "Use a kernel with CONFIG_USER_NS, or run the demo as root.",
            IfNotPermitted = "Run the demo as root, or allow it: sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone, " +
                "kernel.apparmor_restrict_unprivileged_userns.",
        },
    ];
}
