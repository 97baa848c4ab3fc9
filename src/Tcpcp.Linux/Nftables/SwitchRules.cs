using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Tcpcp.Linux.Netlink;
using Tcpcp.Linux.Switching;
using static Tcpcp.Linux.Nftables.RuleExpressions;

namespace Tcpcp.Linux.Nftables;

/// <summary>
/// The rules of a packet switch, by raw nfnetlink: nft has no words for an interface and an address that come from one element of a map. In each interface's chain
/// they go by family to the chains <c>switch4</c> and <c>switch6</c>, where the three maps are asked one after the other.
/// </summary>
[KernelHeader("netinet/in.h", "linux/netlink.h", "linux/netfilter.h", "linux/netfilter/nfnetlink.h", "linux/netfilter/nf_tables.h")]
internal static class SwitchRules
{
    private const ushort NFNL_MSG_BATCH_BEGIN = 0x10;
    private const ushort NFNL_MSG_BATCH_END = 0x11;
    private const ushort NFNL_SUBSYS_NFTABLES = 10;
    private const ushort NFT_MSG_NEWRULE = 6;
    private const ushort NFT_MSG_DELRULE = 8;
    private const ushort NFTA_RULE_TABLE = 1;
    private const ushort NFTA_RULE_CHAIN = 2;
    private const ushort NFTA_RULE_EXPRESSIONS = 4;
    private const ushort NFTA_BITWISE_SREG = 1;
    private const ushort NFTA_BITWISE_DREG = 2;
    private const ushort NFTA_BITWISE_LEN = 3;
    private const ushort NFTA_BITWISE_MASK = 4;
    private const ushort NFTA_BITWISE_XOR = 5;
    private const ushort NFTA_DATA_VERDICT = 2;
    private const ushort NFTA_VERDICT_CODE = 1;
    private const ushort NFTA_VERDICT_CHAIN = 2;
    private const int NFT_GOTO = -4;
    private const ushort NFTA_IMMEDIATE_DREG = 1;
    private const ushort NFTA_IMMEDIATE_DATA = 2;
    private const ushort NFTA_LOOKUP_SET = 1;
    private const ushort NFTA_LOOKUP_SREG = 2;
    private const ushort NFTA_LOOKUP_DREG = 3;
    private const ushort NFTA_FWD_SREG_DEV = 1;
    private const ushort NFTA_FWD_SREG_ADDR = 2;
    private const ushort NFTA_FWD_NFPROTO = 3;
    private const uint NFT_REG_VERDICT = 0;
    private const byte NFPROTO_IPV4 = 2;
    private const byte NFPROTO_NETDEV = 5;
    private const byte NFPROTO_IPV6 = 10;
    private const byte IPPROTO_TCP = 6;

    /// <summary>Puts the rules into the chains in place of those that are there, in one transaction, in the calling thread's network namespace.</summary>
    /// <param name="arrivals">The chains at the interfaces.</param>
    public static void Set(string table, IEnumerable<string> arrivals)
    {
        Header batch = new(0, 0, BinaryPrimitives.ReverseEndianness(NFNL_SUBSYS_NFTABLES));
        NetlinkMessage message = new NetlinkMessage().Begin(NFNL_MSG_BATCH_BEGIN, NetlinkFlags.None, batch).End();
        foreach (bool ipv6 in (bool[])[false, true])
        {
            Flush(message, table, ChainFor(ipv6));
            foreach (PacketVerdict verdict in (PacketVerdict[])[PacketVerdict.Redirect, PacketVerdict.Hold, PacketVerdict.Drop])
                Switch(message, table, verdict, ipv6);
        }

        foreach (string chain in arrivals)
        {
            Flush(message, table, chain);
            Sort(message, table, chain, ipv6: false);
            Sort(message, table, chain, ipv6: true);
        }

        using NetlinkSocket socket = NetlinkSocket.Open(NetlinkSocket.NETLINK_NETFILTER);
        socket.Transact(message.Begin(NFNL_MSG_BATCH_END, NetlinkFlags.None, batch).End(), "NFT_MSG_NEWRULE", table);
    }

    /// <summary>Name of the chain for a family.</summary>
    public static string ChainFor(bool ipv6) => ipv6 ? "switch6" : "switch4";

    // TCP right behind the header, the first fragment. The type is the frame's: with a VLAN tag it is another one.
    private static void Sort(NetlinkMessage message, string table, string chain, bool ipv6)
    {
        BeginRule(message, table, chain);
        Load(message, NFT_REG32_00, NFT_PAYLOAD_LL_HEADER, 12, 2);
        Compare(message, ipv6 ? [0x86, 0xDD] : [0x08, 0x00]);
        Load(message, NFT_REG32_00, NFT_PAYLOAD_NETWORK_HEADER, ipv6 ? 6u : 9u, 1);
        Compare(message, [IPPROTO_TCP]);
        if (!ipv6)
        {
            Load(message, NFT_REG32_00, NFT_PAYLOAD_NETWORK_HEADER, 6, 2);
            Begin(message, "bitwise").U32BigEndian(NFTA_BITWISE_SREG, NFT_REG32_00).U32BigEndian(NFTA_BITWISE_DREG, NFT_REG32_00)
                .U32BigEndian(NFTA_BITWISE_LEN, 2)
                .BeginNested(NFTA_BITWISE_MASK).Attribute(NFTA_DATA_VALUE, [0x1F, 0xFF]).EndNested()
                .BeginNested(NFTA_BITWISE_XOR).Attribute(NFTA_DATA_VALUE, [0, 0]).EndNested();
            End(message);
            Compare(message, [0, 0]);
        }

        Begin(message, "immediate").U32BigEndian(NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT).BeginNested(NFTA_IMMEDIATE_DATA).BeginNested(NFTA_DATA_VERDICT)
            .U32BigEndian(NFTA_VERDICT_CODE, unchecked((uint)NFT_GOTO)).String(NFTA_VERDICT_CHAIN, ChainFor(ipv6)).EndNested().EndNested();
        End(message);
        EndRule(message);
    }

    private static void Switch(NetlinkMessage message, string table, PacketVerdict verdict, bool ipv6)
    {
        uint words = ipv6 ? 4u : 1u; // of an address, in registers of 32 bits
        uint target = NFT_REG32_00 + (2 * words) + 2;
        BeginRule(message, table, ChainFor(ipv6));
        Load(message, NFT_REG32_00, NFT_PAYLOAD_NETWORK_HEADER, ipv6 ? 24u : 16u, words * 4);
        Load(message, NFT_REG32_00 + words, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2);
        Load(message, NFT_REG32_00 + words + 1, NFT_PAYLOAD_NETWORK_HEADER, ipv6 ? 8u : 12u, words * 4);
        Load(message, NFT_REG32_00 + (2 * words) + 1, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 2);
        Begin(message, "lookup").String(NFTA_LOOKUP_SET, SwitchMaps.NameFor(verdict, ipv6)).U32BigEndian(NFTA_LOOKUP_SREG, NFT_REG32_00)
            .U32BigEndian(NFTA_LOOKUP_DREG, verdict == PacketVerdict.Drop ? NFT_REG_VERDICT : target);
        End(message);
        if (verdict != PacketVerdict.Drop)
        {
            Begin(message, "fwd").U32BigEndian(NFTA_FWD_SREG_DEV, target);
            if (verdict == PacketVerdict.Redirect)
                message.U32BigEndian(NFTA_FWD_SREG_ADDR, target + 1).U32BigEndian(NFTA_FWD_NFPROTO, ipv6 ? NFPROTO_IPV6 : NFPROTO_IPV4);
            End(message);
        }

        EndRule(message);
    }

    private static void Flush(NetlinkMessage message, string table, string chain) => message
        .Begin(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELRULE, NetlinkFlags.Ack, new Header(NFPROTO_NETDEV, 0, 0))
        .String(NFTA_RULE_TABLE, table).String(NFTA_RULE_CHAIN, chain).End();

    private static void BeginRule(NetlinkMessage message, string table, string chain) => message
        .Begin(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE, NetlinkFlags.Ack | NetlinkFlags.Create | NetlinkFlags.Append, new Header(NFPROTO_NETDEV, 0, 0))
        .String(NFTA_RULE_TABLE, table).String(NFTA_RULE_CHAIN, chain).BeginNested(NFTA_RULE_EXPRESSIONS);

    private static void EndRule(NetlinkMessage message) => message.EndNested().End();

    // struct nfgenmsg
    [KernelHeader("linux/netfilter/nfnetlink.h", Structure = "struct nfgenmsg", Fields = "nfgen_family version res_id")]
    [StructLayout(LayoutKind.Sequential)]
    private readonly record struct Header(byte Family, byte Version, ushort ResourceId);
}
