using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Tcpcp.Linux.Devices;
using Tcpcp.Linux.Netlink;

namespace Tcpcp.Linux.Features;

/// <summary>Probes of capabilities, system calls and devices.</summary>
[KernelHeader("sys/socket.h", "sys/ioctl.h", "linux/if_tun.h", "sys/syscall.h", "linux/capability.h", "errno.h")]
internal static partial class SystemProbes
{
    private const int CAP_NET_ADMIN = 12; // linux/capability.h
    private const int AF_PACKET = 17; // sys/socket.h
    private const int SOCK_RAW = 3;
    private const int SOCK_CLOEXEC = 0x80000;
    private const nuint TUNGETFEATURES = 0x800454CF; // linux/if_tun.h
    private const uint IFF_TAP = 0x0002;
    private const uint IFF_NO_PI = 0x1000;
    private const uint IFF_VNET_HDR = 0x4000;
    private const nint SYS_pidfd_open = 434; // asm-generic/unistd.h
    private const nint SYS_pidfd_getfd = 438;

    /// <summary>The effective capabilities of the calling thread. Another user namespace's do not count here: TCP_REPAIR shows that.</summary>
    public static FeatureFinding NetAdmin()
    {
        const string name = "CapEff:";
        string line = File.ReadLines("/proc/thread-self/status").First(line => line.StartsWith(name, StringComparison.Ordinal));
        ulong effective = ulong.Parse(line.AsSpan(name.Length).Trim(), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
        return (effective >> CAP_NET_ADMIN & 1) != 0
            ? FeatureFinding.Present
            : FeatureFinding.NotPermitted("it is not among the effective capabilities");
    }

    public static FeatureFinding Tap()
    {
        using SafeFileHandle device = File.OpenHandle("/dev/net/tun", FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        if (ioctl(device, TUNGETFEATURES, out uint features) != 0)
            throw KernelException.Last("ioctl(TUNGETFEATURES)");
        const uint needed = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
        return (features & needed) == needed ? FeatureFinding.Present : FeatureFinding.Missing("no virtio headers");
    }

    public static FeatureFinding Veth()
    {
        using VethDevice device = VethDevice.Create("tcpcpprobe");
        return FeatureFinding.Present;
    }

    public static FeatureFinding Vxlan()
    {
        const string name = "tcpcpprobe";
        const uint unusual = 0xFFFFFE; // a number of which there is no other link
        using Netlink.RouteNetlink route = Netlink.RouteNetlink.Open();
        route.Links.CreateVxlan(new Netlink.VxlanLink(name, unusual, System.Net.IPAddress.Loopback, 4789, new System.Net.NetworkInformation.PhysicalAddress([2, 0, 0, 0, 0, 1]), 1450));
        route.Links.Delete(name);
        return FeatureFinding.Present;
    }

    public static FeatureFinding PacketSocket()
    {
        using SafeFileHandle handle = new(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), ownsHandle: true); // protocol 0: receives nothing
        return handle.IsInvalid ? throw KernelException.Last("socket(AF_PACKET)") : FeatureFinding.Present;
    }

    public static FeatureFinding PidfdOpen()
    {
        using SafeFileHandle process = OpenOwnProcess();
        return FeatureFinding.Present;
    }

    public static FeatureFinding PidfdGetfd()
    {
        using SafeFileHandle process = OpenOwnProcess();
        using SafeFileHandle copy = new(syscall(SYS_pidfd_getfd, process.DangerousGetHandle(), process.DangerousGetHandle(), 0), ownsHandle: true);
        return copy.IsInvalid ? throw KernelException.Last("pidfd_getfd") : FeatureFinding.Present;
    }

    /// <summary>What the settings say: a process of several threads, as this one is, cannot enter one to see.</summary>
    public static FeatureFinding UserNamespaces()
    {
        if (!File.Exists("/proc/self/ns/user"))
            return FeatureFinding.Missing("/proc/self/ns/user is not there");
        foreach ((string setting, string forbidding) in ((string, string)[])[("user/max_user_namespaces", "0"),
            ("kernel/unprivileged_userns_clone", "0"), ("kernel/apparmor_restrict_unprivileged_userns", "1")])
        {
            string path = $"/proc/sys/{setting}";
            if (File.Exists(path) && File.ReadAllText(path).Trim() == forbidding)
                return FeatureFinding.NotPermitted($"{setting.Replace('/', '.')} is {forbidding}");
        }

        return FeatureFinding.Present;
    }

    /// <summary>Where the loopback interface has an address of the outside, as a gateway's backend has its service addresses, no other interface may answer ARP for it.</summary>
    public static FeatureFinding QuietServiceAddresses()
    {
        using RouteNetlink route = RouteNetlink.Open();
        IPAddress? outside = route.Addresses.List(route.Links.Get("lo").Index).Select(one => one.Address.Address)
            .FirstOrDefault(address => address.AddressFamily == AddressFamily.InterNetwork && !IPAddress.IsLoopback(address));
        if (outside is null)
            return FeatureFinding.Present;
        foreach ((string setting, int least) in ((string, int)[])[("arp_ignore", 1), ("arp_announce", 2)])
        {
            int value = int.Parse(File.ReadAllText($"/proc/sys/net/ipv4/conf/all/{setting}"), CultureInfo.InvariantCulture);
            if (value < least)
                return FeatureFinding.Missing($"{outside} is on lo, and net.ipv4.conf.all.{setting} is {value.ToString(CultureInfo.InvariantCulture)}");
        }

        return FeatureFinding.Present;
    }

    private static SafeFileHandle OpenOwnProcess()
    {
        SafeFileHandle process = new(syscall(SYS_pidfd_open, Environment.ProcessId, 0, 0), ownsHandle: true);
        return process.IsInvalid ? throw KernelException.Last("pidfd_open") : process;
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int socket(int domain, int type, int protocol);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int ioctl(SafeHandle fd, nuint request, out uint value);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint syscall(nint number, nint first, nint second, nint third);
}
