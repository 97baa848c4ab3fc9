using System.Runtime.InteropServices;

namespace Tcpcp.Linux.Namespaces;

/// <summary>mount(2) and umount2(2), in the mount namespace of the calling thread.</summary>
[KernelHeader("sys/mount.h")]
internal static partial class MountSystemCalls
{
    private const nuint MS_BIND = 0x1000; // sys/mount.h
    private const nuint MS_MOVE = 0x2000;
    private const nuint MS_REC = 0x4000;
    private const nuint MS_PRIVATE = 1 << 18;
    private const int MNT_DETACH = 2;

    /// <summary>No mount is seen by, or comes from, another mount namespace from now on.</summary>
    public static void MakeEverythingPrivate() => Mount(null, "/", null, MS_REC | MS_PRIVATE, null);

    /// <summary>Mounts a file system that has no device, such as sysfs, tmpfs or bpf.</summary>
    public static void MountFresh(string type, string target, string? options = null) => Mount(type, target, type, 0, options);

    public static void BindWithSubmounts(string source, string target) => Mount(source, target, null, MS_BIND | MS_REC, null);

    public static void Move(string source, string target) => Mount(source, target, null, MS_MOVE, null);

    /// <summary>Takes a mount out of sight at once; it goes when nobody uses it.</summary>
    public static void Detach(string target)
    {
        if (umount2(target, MNT_DETACH) != 0)
            throw KernelException.Last("umount2", target);
    }

    private static void Mount(string? source, string target, string? type, nuint flags, string? options)
    {
        if (mount(source, target, type, flags, options) != 0)
            throw KernelException.Last("mount", type is null ? target : $"{type} on {target}");
    }

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int mount(string? source, string target, string? type, nuint flags, string? data);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int umount2(string target, int flags);
}
