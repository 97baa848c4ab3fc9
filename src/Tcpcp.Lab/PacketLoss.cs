using System.Globalization;
using Tcpcp.Linux.Nftables;

namespace Tcpcp.Lab;

/// <summary>
/// Loses packets in the switch, as a network does: the sender's kernel does not notice (a drop in its own output path would be reported to its TCP), and a
/// capture on a host shows what the host sent and what reached it. A super-segment of up to 64 KiB is lost as a whole.
/// </summary>
internal static class PacketLoss
{
    private const string Table = "bridge tcpcp-lab";

    /// <summary>To be run on the switch.</summary>
    /// <param name="percent">0 to 100, in steps of 0.01.</param>
    public static void Set(string port, double percent, LossDirection direction)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(percent);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(percent, 100);
        int tenThousandths = (int)Math.Round(percent * 100);
        (string chain, string match) = direction == LossDirection.Egress ? ($"{port}-egress", "iifname") : ($"{port}-ingress", "oifname");
        string rule = tenThousandths == 0
            ? ""
            : string.Create(CultureInfo.InvariantCulture,
                $"add rule {Table} {chain} {match} {port} ether type {{ ip, ip6 }} meta l4proto != ipv6-icmp numgen random mod 10000 < {tenThousandths} drop");
        LibNftables.Run(
            $$"""
            add table {{Table}}
            add chain {{Table}} {{chain}} { type filter hook forward priority 0; policy accept; }
            flush chain {{Table}} {{chain}}
            {{rule}}
            """);
    }
}
