using Tcpcp.Linux.Features;
using Tcpcp.Linux.Netlink;

namespace Tcpcp.Linux.Switching;

/// <summary>Which mechanism is wanted.</summary>
internal enum SwitchChoice
{
    /// <summary>BPF, or nftables where it is not to be had.</summary>
    Automatic,

    Bpf,

    Nftables,
}

/// <summary>Installs packet switches, and finds installed ones.</summary>
internal static class PacketSwitch
{
    /// <summary>Connections that a switch has room for; BPF takes 8 MB of memory for them.</summary>
    public const int DefaultCapacity = 65_536;

    /// <summary>Installs the switch in the calling thread's network namespace, or takes over the installed one. One of the other mechanism goes, its entries stay.</summary>
    /// <param name="interfaces">Names of the interfaces on which packets arrive.</param>
    /// <param name="obstacle">Gets why BPF is not to be had, if nftables takes its place for that.</param>
    /// <exception cref="IOException">It cannot be installed, or BPF is not to be had any more while a switch of BPF is installed.</exception>
    public static IPacketSwitch Open(
        SwitchPlace place, IEnumerable<string> interfaces, out string? obstacle, SwitchChoice choice = SwitchChoice.Automatic, int capacity = DefaultCapacity)
    {
        obstacle = null;
        int[] indices;
        using (RouteNetlink route = RouteNetlink.Open())
            indices = [.. interfaces.Select(name => route.Links.Get(name).Index).Distinct()];
        if (choice != SwitchChoice.Nftables)
        {
            try
            {
                return Adopt(BpfPacketSwitch.Open(place, indices, capacity), NftPacketSwitch.Read(place), () => NftPacketSwitch.Uninstall(place));
            }
            catch (IOException e) when (choice == SwitchChoice.Automatic && !new PinnedSwitch(place).Exists)
            {
                obstacle = e.Message;
            }
            catch (KernelException e)
            {
                KernelFeature feature = KernelFeatures.All.Single(one => one.Name == KernelFeatures.TcxProgram);
                throw new IOException($"{e.Answer}: {(e.Errno is Errno.EPERM or Errno.EACCES ? feature.IfNotPermitted : feature.IfMissing)}", e);
            }
        }

        return Adopt(NftPacketSwitch.Open(place, indices, capacity), BpfPacketSwitch.Read(place), () => BpfPacketSwitch.Uninstall(place));
    }

    /// <summary>What is installed in the calling thread's network namespace.</summary>
    /// <returns>Null if nothing is.</returns>
    public static (SwitchMechanism Mechanism, IReadOnlyList<SwitchStatistics> Entries)? Find(SwitchPlace place) =>
        BpfPacketSwitch.Read(place) is { } bpf ? (SwitchMechanism.Bpf, bpf)
        : NftPacketSwitch.Read(place) is { } nft ? (SwitchMechanism.Nftables, nft)
        : null;

    /// <summary>Takes out what is installed, whoever has made it.</summary>
    public static void Uninstall(SwitchPlace place)
    {
        if (BpfPacketSwitch.Read(place) is not null)
            BpfPacketSwitch.Uninstall(place);
        NftPacketSwitch.Uninstall(place);
    }

    // Both stand for a moment, with the same entries.
    private static IPacketSwitch Adopt(IPacketSwitch installed, IReadOnlyList<SwitchStatistics>? others, Action uninstallOther)
    {
        if (others is null)
            return installed;
        try
        {
            installed.Set([.. others.Select(one => one.Entry)]);
            uninstallOther();
            return installed;
        }
        catch
        {
            installed.Dispose();
            throw;
        }
    }
}
