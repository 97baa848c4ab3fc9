using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Tcpcp.Linux.Netlink;
using static Tcpcp.Linux.Nftables.RuleExpressions;

namespace Tcpcp.Linux.Nftables;

/// <summary>
/// A rule that notes in a map the TSval of the first segment that a connection of a set sends: <c>ip saddr . tcp sport . ip daddr . tcp dport @set
/// add @map { ip saddr . tcp sport . ip daddr . tcp dport : tcp option timestamp tsval }</c>. By raw nfnetlink: libnftables 1.0.6 ends the process with an
/// assertion when it translates a concatenated key with a value.
/// </summary>
[KernelHeader("netinet/in.h", "linux/netlink.h", "linux/netfilter.h", "linux/netfilter/nfnetlink.h", "linux/netfilter/nf_tables.h")]
internal static class TimestampRule
{
    private const ushort NFNL_MSG_BATCH_BEGIN = 0x10;
    private const ushort NFNL_MSG_BATCH_END = 0x11;
    private const ushort NFNL_SUBSYS_NFTABLES = 10;
    private const ushort NFT_MSG_NEWRULE = 6;
    private const ushort NFTA_RULE_TABLE = 1;
    private const ushort NFTA_RULE_CHAIN = 2;
    private const ushort NFTA_RULE_EXPRESSIONS = 4;
    private const ushort NFTA_META_DREG = 1;
    private const ushort NFTA_META_KEY = 2;
    private const uint NFT_META_NFPROTO = 15;
    private const uint NFT_META_L4PROTO = 16;
    private const ushort NFTA_LOOKUP_SET = 1;
    private const ushort NFTA_LOOKUP_SREG = 2;
    private const ushort NFTA_EXTHDR_DREG = 1;
    private const ushort NFTA_EXTHDR_TYPE = 2;
    private const ushort NFTA_EXTHDR_OFFSET = 3;
    private const ushort NFTA_EXTHDR_LEN = 4;
    private const ushort NFTA_EXTHDR_OP = 6;
    private const uint NFT_EXTHDR_OP_TCPOPT = 1;
    private const ushort NFTA_DYNSET_SET_NAME = 1;
    private const ushort NFTA_DYNSET_OP = 3;
    private const ushort NFTA_DYNSET_SREG_KEY = 4;
    private const ushort NFTA_DYNSET_SREG_DATA = 5;
    private const uint NFT_DYNSET_OP_ADD = 0;
    private const byte NFPROTO_IPV4 = 2;
    private const byte NFPROTO_IPV6 = 10;
    private const byte IPPROTO_TCP = 6;
    private const byte TimestampOption = 8; // RFC 7323, 3.2: kind, length, TSval, TSecr

    /// <summary>Puts the rule at the head of a chain of an <c>inet</c> table, in the calling thread's network namespace.</summary>
    /// <param name="ipv6">The set and the map are for IPv6.</param>
    public static void Insert(string table, string chain, string set, string map, bool ipv6)
    {
        using NetlinkSocket socket = NetlinkSocket.Open(NetlinkSocket.NETLINK_NETFILTER);
        Header batch = new(0, 0, BinaryPrimitives.ReverseEndianness(NFNL_SUBSYS_NFTABLES));
        NetlinkMessage message = new NetlinkMessage()
            .Begin(NFNL_MSG_BATCH_BEGIN, NetlinkFlags.None, batch).End()
            .Begin(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE, NetlinkFlags.Ack | NetlinkFlags.Create, new Header(FourTupleSet.NFPROTO_INET, 0, 0))
            .String(NFTA_RULE_TABLE, table).String(NFTA_RULE_CHAIN, chain).BeginNested(NFTA_RULE_EXPRESSIONS);
        Match(message, NFT_META_NFPROTO, ipv6 ? NFPROTO_IPV6 : NFPROTO_IPV4);
        Match(message, NFT_META_L4PROTO, IPPROTO_TCP);

        uint words = ipv6 ? 4u : 1u; // of an address, in registers of 32 bits
        uint value = NFT_REG32_00 + (2 * words) + 2;
        Load(message, NFT_REG32_00, NFT_PAYLOAD_NETWORK_HEADER, ipv6 ? 8u : 12u, words * 4);
        Load(message, NFT_REG32_00 + words, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 2);
        Load(message, NFT_REG32_00 + words + 1, NFT_PAYLOAD_NETWORK_HEADER, ipv6 ? 24u : 16u, words * 4);
        Load(message, NFT_REG32_00 + (2 * words) + 1, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2);
        Begin(message, "lookup").String(NFTA_LOOKUP_SET, set).U32BigEndian(NFTA_LOOKUP_SREG, NFT_REG32_00);
        End(message);
        Begin(message, "exthdr").U32BigEndian(NFTA_EXTHDR_DREG, value).U8(NFTA_EXTHDR_TYPE, TimestampOption).U32BigEndian(NFTA_EXTHDR_OFFSET, 2)
            .U32BigEndian(NFTA_EXTHDR_LEN, 4).U32BigEndian(NFTA_EXTHDR_OP, NFT_EXTHDR_OP_TCPOPT);
        End(message);
        Begin(message, "dynset").String(NFTA_DYNSET_SET_NAME, map).U32BigEndian(NFTA_DYNSET_OP, NFT_DYNSET_OP_ADD)
            .U32BigEndian(NFTA_DYNSET_SREG_KEY, NFT_REG32_00).U32BigEndian(NFTA_DYNSET_SREG_DATA, value);
        End(message);

        message.EndNested().End().Begin(NFNL_MSG_BATCH_END, NetlinkFlags.None, batch).End();
        socket.Transact(message, "NFT_MSG_NEWRULE", $"{table} {chain}");
    }

    private static void Match(NetlinkMessage message, uint meta, byte value)
    {
        Begin(message, "meta").U32BigEndian(NFTA_META_KEY, meta).U32BigEndian(NFTA_META_DREG, NFT_REG32_00);
        End(message);
        Compare(message, [value]);
    }

    // struct nfgenmsg
    [StructLayout(LayoutKind.Sequential)]
    private readonly record struct Header(byte Family, byte Version, ushort ResourceId);
}
