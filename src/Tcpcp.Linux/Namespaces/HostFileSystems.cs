namespace Tcpcp.Linux.Namespaces;

/// <summary>What a host of its own sees differently of the machine's files.</summary>
internal static class HostFileSystems
{
    private const string Cgroups = "/sys/fs/cgroup";
    private const string CgroupsInTheMeantime = "/run/cgroup";
    private const string BpfPins = "/sys/fs/bpf";

    /// <summary>
    /// Gives the calling thread, which must be in new network and mount namespaces, a /sys of its network namespace (/sys/class/net), a /run and
    /// a /sys/fs/bpf of its own. The machine's cgroups stay where programs look for them.
    /// </summary>
    public static void MountForThisThread()
    {
        MountSystemCalls.MakeEverythingPrivate();
        bool hasCgroups = Directory.Exists(Cgroups);
        MountSystemCalls.MountFresh("tmpfs", "/run", "mode=0755");
        if (hasCgroups)
        {
            Directory.CreateDirectory(CgroupsInTheMeantime);
            MountSystemCalls.BindWithSubmounts(Cgroups, CgroupsInTheMeantime);
        }

        MountSystemCalls.MountFresh("sysfs", "/sys");
        if (hasCgroups)
        {
            MountSystemCalls.Move(CgroupsInTheMeantime, Cgroups);
            Directory.Delete(CgroupsInTheMeantime);
        }

        if (Directory.Exists(BpfPins)) // not on a kernel without BPF
            MountPins();
    }

    private static void MountPins()
    {
        try
        {
            MountSystemCalls.MountFresh("bpf", BpfPins);
        }
        catch (KernelException e) when (e.Errno == Errno.EPERM)
        {
            // In a user namespace of an ordinary user: there BPF is not to be had anyway.
        }
    }
}
