using Tcpcp.Lab;
using Tcpcp.Linux.Nftables;
using Tcpcp.Linux.Switching;

namespace Tcpcp.Traffic;

/// <summary>What passes leave in a host's kernel.</summary>
internal static class HostRules
{
    /// <summary>What is on the host of connections that are being passed, or are elsewhere.</summary>
    public static IReadOnlyList<string> List(Host host) => host.Run(() =>
    {
        using SetElements elements = new();
        return (IReadOnlyList<string>)
        [
            .. SwitchPlace.All.SelectMany(place => (PacketSwitch.Find(place)?.Entries ?? []).Select(one => $"{place.Name} {one.Entry}")),
            .. (elements.List(new FourTupleSet(FourTupleSet.NFPROTO_INET, "tcpcp", "closed")) ?? []).Select(one => $"closed gate {one}"),
        ];
    });
}
