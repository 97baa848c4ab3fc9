using System.Runtime.InteropServices;
using Tcpcp.Linux.Nftables;

namespace Tcpcp.Linux.Features;

/// <summary>
/// Probes of nftables: the kernel gets the commands as one transaction that is never committed. So it looks at all of it, modules included, and
/// nothing changes.
/// </summary>
internal static class NftablesProbes
{
    private const string Table = "tcpcp_probe";
    private const string Key = "ip saddr . tcp sport . ip daddr . tcp dport";

    public static FeatureFinding Library()
    {
        if (!NativeLibrary.TryLoad(LibNftables.Library, out nint library))
            return FeatureFinding.Missing($"{LibNftables.Library} is not there");
        NativeLibrary.Free(library);
        return FeatureFinding.Present;
    }

    public static FeatureFinding FourTupleSets() => Check($$"""
        add table inet {{Table}}
        add set inet {{Table}} s4 { type ipv4_addr . inet_service . ipv4_addr . inet_service; }
        add set inet {{Table}} s6 { type ipv6_addr . inet_service . ipv6_addr . inet_service; }
        add chain inet {{Table}} c { type filter hook output priority raw; }
        add rule inet {{Table}} c {{Key}} @s4 drop
        """);

    public static FeatureFinding SocketMark() => Check($$"""
        add table inet {{Table}}
        add chain inet {{Table}} c { type filter hook prerouting priority raw; }
        add rule inet {{Table}} c meta l4proto tcp socket mark & 0xffff0000 == 0x7c700000 drop
        """);

    public static FeatureFinding TimestampMap() => Check($$"""
        add table inet {{Table}}
        add map inet {{Table}} m4 { typeof {{Key}} : tcp option timestamp tsval; flags dynamic,timeout; timeout 1m; size 16; }
        add chain inet {{Table}} c { type filter hook output priority raw; }
        add rule inet {{Table}} c tcp option timestamp tsval > 0 drop
        """);

    public static FeatureFinding Forward() => Check($$"""
        add table netdev {{Table}}
        add chain netdev {{Table}} c { type filter hook ingress device "lo" priority -500; }
        add rule netdev {{Table}} c ip daddr 192.0.2.1 fwd to "lo"
        """);

    private static FeatureFinding Check(string commands)
    {
        LibNftables.Check(commands);
        return FeatureFinding.Present;
    }
}
