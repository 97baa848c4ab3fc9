using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Tcpcp.Linux.Netlink;

/// <summary>Adds and removes rules that choose a routing table by the packet's mark.</summary>
[KernelHeader("linux/fib_rules.h", "linux/rtnetlink.h", "errno.h")]
internal sealed class RouteRules(NetlinkSocket socket)
{
    private const ushort RTM_NEWRULE = 32; // linux/rtnetlink.h
    private const ushort RTM_DELRULE = 33;
    private const ushort FRA_PRIORITY = 6; // linux/fib_rules.h
    private const ushort FRA_FWMARK = 10;
    private const ushort FRA_TABLE = 15;
    private const ushort FRA_FWMASK = 16;
    private const byte FR_ACT_TO_TBL = 1;

    /// <returns>False if the rule exists (EEXIST).</returns>
    public bool Add(MarkRule rule)
    {
        NetlinkOutcome outcome = socket.TryTransact(Message(RTM_NEWRULE, NetlinkFlags.Ack | NetlinkFlags.Create | NetlinkFlags.Exclusive, rule));
        if (outcome.Errno == Errno.EEXIST)
            return false;
        outcome.ThrowIfFailed("RTM_NEWRULE", rule.ToString());
        return true;
    }

    /// <returns>False if there was no such rule (ENOENT).</returns>
    public bool Remove(MarkRule rule)
    {
        NetlinkOutcome outcome = socket.TryTransact(Message(RTM_DELRULE, NetlinkFlags.Ack, rule));
        if (outcome.Errno == Errno.ENOENT)
            return false;
        outcome.ThrowIfFailed("RTM_DELRULE", rule.ToString());
        return true;
    }

    private static NetlinkMessage Message(ushort type, NetlinkFlags flags, MarkRule rule)
    {
        byte family = rule.Family == AddressFamily.InterNetworkV6 ? RouteFamily.AF_INET6 : RouteFamily.AF_INET;
        return new NetlinkMessage().Begin(type, flags, new RuleHeader(family, 0, 0, 0, 0, 0, 0, FR_ACT_TO_TBL, 0))
            .U32(FRA_PRIORITY, rule.Priority).U32(FRA_FWMARK, rule.Mark).U32(FRA_FWMASK, rule.Mask).U32(FRA_TABLE, rule.Table).End();
    }

    // struct fib_rule_hdr
    [KernelHeader("linux/fib_rules.h", Structure = "struct fib_rule_hdr",
        Fields = "family dst_len src_len tos table res1 res2 action flags")]
    [StructLayout(LayoutKind.Sequential)]
    private readonly record struct RuleHeader(
        byte Family, byte DestinationLength, byte SourceLength, byte Tos, byte Table, byte Reserved1, byte Reserved2, byte Action, uint Flags);
}

/// <summary>Packets whose mark has the value in the masked bits are routed by the table.</summary>
/// <param name="Family">InterNetwork or InterNetworkV6.</param>
/// <param name="Priority">Rules with lower numbers come first; the table of local addresses has 0, main 32766.</param>
internal readonly record struct MarkRule(AddressFamily Family, uint Mark, uint Mask, uint Table, uint Priority);
