using System.Reflection;
using Tcpcp.Core;
using Tcpcp.Linux.Bpf;
using Tcpcp.Linux.Devices;
using Tcpcp.Linux.Diagnostics;
using Tcpcp.Linux.Namespaces;
using Tcpcp.Linux.Netlink;
using Tcpcp.Linux.Packets;
using Tcpcp.Linux.Processes;
using Tcpcp.Linux.Tcp;

namespace Tcpcp.Linux.Tests.Headers;

/// <summary>The kernel's values that have names of our own: members of enumerations, sizes and offsets.</summary>
internal static class NamedValues
{
    /// <summary>By the headers that they are about.</summary>
    public static IReadOnlyDictionary<string, HeaderAssertion[]> All { get; } = new Dictionary<string, HeaderAssertion[]>(StringComparer.Ordinal)
    {
        ["linux/netlink.h"] =
        [
            Of(NetlinkFlags.Request, "NLM_F_REQUEST"), Of(NetlinkFlags.Multi, "NLM_F_MULTI"), Of(NetlinkFlags.Ack, "NLM_F_ACK"),
            Of(NetlinkFlags.Echo, "NLM_F_ECHO"), Of(NetlinkFlags.DumpInterrupted, "NLM_F_DUMP_INTR"), Of(NetlinkFlags.Replace, "NLM_F_REPLACE"),
            Of(NetlinkFlags.Exclusive, "NLM_F_EXCL"), Of(NetlinkFlags.Dump, "NLM_F_DUMP"), Of(NetlinkFlags.Create, "NLM_F_CREATE"),
            Of(NetlinkFlags.Append, "NLM_F_APPEND"),
            Of<NetlinkMessage>("HeaderBytes", "sizeof(struct nlmsghdr)"), Of<NetlinkMessage>("AttributeHeaderBytes", "sizeof(struct nlattr)"),
        ],
        ["linux/bpf.h"] =
        [
            Of(BpfCommand.MapCreate, "BPF_MAP_CREATE"), Of(BpfCommand.MapUpdate, "BPF_MAP_UPDATE_ELEM"), Of(BpfCommand.MapDelete, "BPF_MAP_DELETE_ELEM"),
            Of(BpfCommand.ProgramLoad, "BPF_PROG_LOAD"), Of(BpfCommand.Pin, "BPF_OBJ_PIN"), Of(BpfCommand.OpenPin, "BPF_OBJ_GET"),
            Of(BpfCommand.ObjectInformation, "BPF_OBJ_GET_INFO_BY_FD"), Of(BpfCommand.MapLookupBatch, "BPF_MAP_LOOKUP_BATCH"), Of(BpfCommand.MapUpdateBatch, "BPF_MAP_UPDATE_BATCH"),
            Of(BpfCommand.LinkCreate, "BPF_LINK_CREATE"), Of(BpfCommand.LinkUpdate, "BPF_LINK_UPDATE"), Of(BpfCommand.LinkDetach, "BPF_LINK_DETACH"),
            Of<BpfObjectFile>("InstructionBytes", "sizeof(struct bpf_insn)"), Of<BpfObjectFile>("LoadImmediate64", "BPF_LD | BPF_DW | BPF_IMM"),
        ],
        ["sys/syscall.h"] = [HeaderAssertion.Equal("BpfSystemCalls.Number", "SYS_bpf", BpfSystemCalls.Number)],
        ["linux/neighbour.h"] =
        [
            Of(NeighbourState.Incomplete, "NUD_INCOMPLETE"), Of(NeighbourState.Reachable, "NUD_REACHABLE"), Of(NeighbourState.Stale, "NUD_STALE"),
            Of(NeighbourState.Delay, "NUD_DELAY"), Of(NeighbourState.Probe, "NUD_PROBE"), Of(NeighbourState.Failed, "NUD_FAILED"),
            Of(NeighbourState.NoArp, "NUD_NOARP"), Of(NeighbourState.Permanent, "NUD_PERMANENT"),
        ],
        ["sched.h"] =
        [
            Of(NamespaceKinds.Mount, "CLONE_NEWNS"), Of(NamespaceKinds.Pid, "CLONE_NEWPID"), Of(NamespaceKinds.Network, "CLONE_NEWNET"),
        ],
        ["netinet/tcp.h"] =
        [
            Of(TcpState.Established, "TCP_ESTABLISHED"), Of(TcpState.SynSent, "TCP_SYN_SENT"), Of(TcpState.SynReceived, "TCP_SYN_RECV"),
            Of(TcpState.FinWait1, "TCP_FIN_WAIT1"), Of(TcpState.FinWait2, "TCP_FIN_WAIT2"), Of(TcpState.TimeWait, "TCP_TIME_WAIT"),
            Of(TcpState.Closed, "TCP_CLOSE"), Of(TcpState.CloseWait, "TCP_CLOSE_WAIT"), Of(TcpState.LastAck, "TCP_LAST_ACK"),
            Of(TcpState.Listen, "TCP_LISTEN"), Of(TcpState.Closing, "TCP_CLOSING"),
        ],
        ["linux/virtio_net.h"] = [Of<TapDevice>("HeaderBytes", "sizeof(struct virtio_net_hdr)")],
        ["linux/if.h"] =
        [
            HeaderAssertion.Equal("TapDevice: request", "sizeof(struct ifreq)", 40),
            HeaderAssertion.Equal("TapDevice: flags in the request", "offsetof(struct ifreq, ifr_flags)", 16),
            HeaderAssertion.Equal("TapDevice: name in the request", "IFNAMSIZ", 16),
        ],
        ["linux/inet_diag.h"] =
        [
            Of<SocketDiagnostics>("MessageBytes", "sizeof(struct inet_diag_msg)"),
            HeaderAssertion.Equal("SocketDiagnostics: state", "offsetof(struct inet_diag_msg, idiag_state)", 1),
            HeaderAssertion.Equal("SocketDiagnostics: local port", "offsetof(struct inet_diag_msg, id.idiag_sport)", 4),
            HeaderAssertion.Equal("SocketDiagnostics: peer's port", "offsetof(struct inet_diag_msg, id.idiag_dport)", 6),
            HeaderAssertion.Equal("SocketDiagnostics: local address", "offsetof(struct inet_diag_msg, id.idiag_src)", 8),
            HeaderAssertion.Equal("SocketDiagnostics: peer's address", "offsetof(struct inet_diag_msg, id.idiag_dst)", 24),
            HeaderAssertion.Equal("SocketDiagnostics: interface", "offsetof(struct inet_diag_msg, id.idiag_if)", 40),
            HeaderAssertion.Equal("SocketDiagnostics: cookie", "offsetof(struct inet_diag_msg, id.idiag_cookie)", 44),
            HeaderAssertion.Equal("SocketDiagnostics: timer's end", "offsetof(struct inet_diag_msg, idiag_expires)", 52),
            HeaderAssertion.Equal("SocketDiagnostics: unread", "offsetof(struct inet_diag_msg, idiag_rqueue)", 56),
            HeaderAssertion.Equal("SocketDiagnostics: unacknowledged", "offsetof(struct inet_diag_msg, idiag_wqueue)", 60),
            HeaderAssertion.Equal("SocketDiagnostics: user", "offsetof(struct inet_diag_msg, idiag_uid)", 64),
            HeaderAssertion.Equal("SocketDiagnostics: inode", "offsetof(struct inet_diag_msg, idiag_inode)", 68),
        ],
        ["linux/sock_diag.h"] =
        [
            HeaderAssertion.Equal("SocketMemory", "4 * SK_MEMINFO_VARS", System.Runtime.InteropServices.Marshal.SizeOf<SocketMemory>()),
            HeaderAssertion.Equal("SocketMemory.SendQueued", "SK_MEMINFO_WMEM_QUEUED", 5),
        ],
        ["linux/if_ether.h"] =
        [
            new("PacketSocket.ETH_P_ALL_BigEndian", $"__builtin_bswap16(ETH_P_ALL) == {Constant<PacketSocket>("ETH_P_ALL_BigEndian")}"),
            new("VethDevice.ETH_P_ALL_BigEndian", $"__builtin_bswap16(ETH_P_ALL) == {Constant<VethDevice>("ETH_P_ALL_BigEndian")}"),
        ],
        ["linux/filter.h"] =
        [
            Of<VethDevice>("LoadByte", "BPF_LD | BPF_B | BPF_ABS"), Of<VethDevice>("JumpIfEqual", "BPF_JMP | BPF_JEQ | BPF_K"), Of<VethDevice>("Return", "BPF_RET | BPF_K"),
            Of<VethDevice>("PacketTypeOffset", "(unsigned)(SKF_AD_OFF + SKF_AD_PKTTYPE)"),
        ],
        ["netinet/in.h"] =
        [
            HeaderAssertion.Equal("RawSocket.SockaddrIn6Bytes", "sizeof(struct sockaddr_in6)", Constant(typeof(RawSocket), "SockaddrIn6Bytes")),
            HeaderAssertion.Equal("RawSocket: IPv4", "sizeof(struct sockaddr_in)", 16),
            HeaderAssertion.Equal("RawSocket: IPv4 address", "offsetof(struct sockaddr_in, sin_addr)", 4),
            HeaderAssertion.Equal("RawSocket: IPv6 address", "offsetof(struct sockaddr_in6, sin6_addr)", 8),
            HeaderAssertion.Equal("RawSocket: scope", "offsetof(struct sockaddr_in6, sin6_scope_id)", 24),
        ],
        ["signal.h"] =
        [
            Of<ProcessDescriptor>("SignalInformationBytes", "sizeof(siginfo_t)"), Of<ProcessDescriptor>("CodeOffset", "offsetof(siginfo_t, si_code)"),
            Of<ProcessDescriptor>("StatusOffset", "offsetof(siginfo_t, si_status)"),
        ],
        ["spawn.h"] =
        [
            new("SpawnPlan.RoomBytes", $"sizeof(posix_spawnattr_t) <= {Constant<SpawnPlan>("RoomBytes")}"),
            new("SpawnPlan.RoomBytes", $"sizeof(posix_spawn_file_actions_t) <= {Constant<SpawnPlan>("RoomBytes")}"),
        ],
    };

    private static HeaderAssertion Of<T>(T member, string name)
        where T : struct, Enum => HeaderAssertion.Equal($"{typeof(T).Name}.{member}", name, Convert.ToInt64(member, null));

    private static HeaderAssertion Of<T>(string constant, string expression) =>
        HeaderAssertion.Equal($"{typeof(T).Name}.{constant}", expression, Constant<T>(constant));

    private static long Constant<T>(string name) => Constant(typeof(T), name);

    private static long Constant(Type type, string name) =>
        HeaderAssertions.ValueOf(type.GetField(name, BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Static)!);
}
