using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Tcpcp.Linux.Namespaces;

/// <summary>Kinds of namespaces (CLONE_NEW*, linux/sched.h).</summary>
[Flags]
internal enum NamespaceKinds
{
    None = 0,
    Mount = 0x00020000,
    Pid = 0x20000000,
    Network = 0x40000000,
}

/// <summary>The system calls about namespaces. Those that enter one concern the calling thread only.</summary>
[KernelHeader("linux/sockios.h")]
internal static partial class NamespaceSystemCalls
{
    private const int SIOCGSKNS = 0x894C; // linux/sockios.h, Linux 4.10

    /// <summary>Moves the calling thread into new namespaces (CAP_SYS_ADMIN).</summary>
    public static void Unshare(NamespaceKinds kinds)
    {
        if (unshare((int)kinds) != 0)
            throw KernelException.Last("unshare", kinds.ToString());
    }

    /// <summary>Moves the calling thread into a namespace (CAP_SYS_ADMIN).</summary>
    public static void Enter(SafeHandle @namespace, NamespaceKinds kind)
    {
        if (setns(@namespace, (int)kind) != 0)
            throw KernelException.Last("setns", kind.ToString());
    }

    /// <summary>The number of the calling thread as /proc shows it; gettid() gives another where /proc is that of an outer PID
    /// namespace.</summary>
    public static int ThreadId => int.Parse(
        File.ResolveLinkTarget("/proc/thread-self", returnFinalTarget: false)!.Name, CultureInfo.InvariantCulture);

    /// <summary>The kernel's name of an open namespace, such as <c>net:[4026531840]</c>.</summary>
    public static string NameOf(SafeHandle @namespace) => File.ResolveLinkTarget(
        string.Create(CultureInfo.InvariantCulture, $"/proc/self/fd/{@namespace.DangerousGetHandle()}"), returnFinalTarget: false)!.Name;

    /// <summary>A descriptor of the network namespace that a socket lives in.</summary>
    public static SafeFileHandle NamespaceOf(SafeHandle socket)
    {
        int descriptor = ioctl(socket, SIOCGSKNS, 0);
        return descriptor >= 0 ? new SafeFileHandle(descriptor, ownsHandle: true) : throw KernelException.Last("ioctl(SIOCGSKNS)");
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int ioctl(SafeHandle fd, nuint request, nint argument);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int unshare(int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int setns(SafeHandle fd, int kind);
}
