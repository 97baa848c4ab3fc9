using Tcpcp.Linux.Netlink;

namespace Tcpcp.Linux.Nftables;

/// <summary>The expressions that raw rules are made of: each is a name and its attributes in the list of the rule's message.</summary>
[KernelHeader("linux/netfilter/nf_tables.h")]
internal static class RuleExpressions
{
    public const uint NFT_PAYLOAD_LL_HEADER = 0;
    public const uint NFT_PAYLOAD_NETWORK_HEADER = 1;
    public const uint NFT_PAYLOAD_TRANSPORT_HEADER = 2;
    public const uint NFT_REG32_00 = 8;
    public const ushort NFTA_DATA_VALUE = 1;

    private const ushort NFTA_LIST_ELEM = 1;
    private const ushort NFTA_EXPR_NAME = 1;
    private const ushort NFTA_EXPR_DATA = 2;
    private const ushort NFTA_CMP_SREG = 1;
    private const ushort NFTA_CMP_OP = 2;
    private const ushort NFTA_CMP_DATA = 3;
    private const uint NFT_CMP_EQ = 0;
    private const ushort NFTA_PAYLOAD_DREG = 1;
    private const ushort NFTA_PAYLOAD_BASE = 2;
    private const ushort NFTA_PAYLOAD_OFFSET = 3;
    private const ushort NFTA_PAYLOAD_LEN = 4;

    /// <summary>Begins any expression; <see cref="End"/> ends it.</summary>
    public static NetlinkMessage Begin(NetlinkMessage message, string expression) =>
        message.BeginNested(NFTA_LIST_ELEM).String(NFTA_EXPR_NAME, expression).BeginNested(NFTA_EXPR_DATA);

    public static void End(NetlinkMessage message) => message.EndNested().EndNested();

    /// <summary>Loads bytes of the packet into registers.</summary>
    public static void Load(NetlinkMessage message, uint register, uint header, uint offset, uint length)
    {
        Begin(message, "payload").U32BigEndian(NFTA_PAYLOAD_DREG, register).U32BigEndian(NFTA_PAYLOAD_BASE, header)
            .U32BigEndian(NFTA_PAYLOAD_OFFSET, offset).U32BigEndian(NFTA_PAYLOAD_LEN, length);
        End(message);
    }

    /// <summary>Leaves the rule unless the first register has this value.</summary>
    public static void Compare(NetlinkMessage message, ReadOnlySpan<byte> value)
    {
        Begin(message, "cmp").U32BigEndian(NFTA_CMP_SREG, NFT_REG32_00).U32BigEndian(NFTA_CMP_OP, NFT_CMP_EQ)
            .BeginNested(NFTA_CMP_DATA).Attribute(NFTA_DATA_VALUE, value).EndNested();
        End(message);
    }
}
