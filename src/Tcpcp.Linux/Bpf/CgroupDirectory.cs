using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Tcpcp.Linux.Bpf;

/// <summary>The directory of a cgroup in a cgroup2 file system.</summary>
[KernelHeader("fcntl.h", "sys/stat.h")]
internal sealed partial class CgroupDirectory
{
    private const int O_RDONLY = 0;
    private const int O_CLOEXEC = 0x80000;
    private const int AT_FDCWD = -100;
    private const uint STATX_INO = 0x100;

    private CgroupDirectory(string path) => Path = path;

    public string Path { get; }

    /// <summary>Number of the cgroup: that of its directory.</summary>
    public ulong Number => statx(AT_FDCWD, Path, 0, STATX_INO, out DirectoryStatus status) == 0 ? status.Number : throw KernelException.Last("statx", Path);

    /// <summary>The cgroup of the calling thread, which the sockets that it makes belong to for ever.</summary>
    /// <exception cref="IOException">There is none; the message says why.</exception>
    public static CgroupDirectory OfThisThread()
    {
        const string unified = "0::"; // cgroups(7)
        string cgroup = File.ReadLines("/proc/thread-self/cgroup").FirstOrDefault(line => line.StartsWith(unified, StringComparison.Ordinal))?[unified.Length..]
            ?? throw new IOException("this kernel has no cgroups of version 2");
        foreach (string[] mount in File.ReadLines("/proc/thread-self/mountinfo").Select(line => line.Split(' ')))
        {
            // proc_pid_mountinfo(5): of the mount, its root and its directory; behind a dash the kind of file system.
            if (mount[Array.IndexOf(mount, "-") + 1] != "cgroup2" || Below(cgroup, mount[3]) is not { } below)
                continue;
            string path = mount[4] + below;
            if (Directory.Exists(path))
                return new CgroupDirectory(path);
        }

        throw new IOException($"no cgroup2 file system that has the cgroup {cgroup} is mounted: mount -t cgroup2 none /sys/fs/cgroup");
    }

    public SafeFileHandle Open()
    {
        SafeFileHandle handle = new(open(Path, O_RDONLY | O_CLOEXEC), ownsHandle: true);
        return handle.IsInvalid ? throw KernelException.Last("open", Path) : handle;
    }

    // Null if the mount does not show it.
    private static string? Below(string cgroup, string root) =>
        root == "/" ? cgroup
        : cgroup == root || cgroup.StartsWith(root + "/", StringComparison.Ordinal) ? cgroup[root.Length..]
        : null;

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int open(string path, int flags);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int statx(int directory, string path, int flags, uint mask, out DirectoryStatus status);

    // The part of struct statx that is read.
    [KernelHeader("sys/stat.h", Structure = "struct statx", Fields = "stx_ino")]
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    private struct DirectoryStatus
    {
        [FieldOffset(32)] public ulong Number;
    }
}
