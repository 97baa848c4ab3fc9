using System.Globalization;
using System.Runtime.InteropServices;

namespace Tcpcp.Linux.UnixSockets;

/// <summary>The file that a Unix socket is reached by.</summary>
[KernelHeader("sys/stat.h", "fcntl.h")]
internal static partial class SocketFile
{
    private const int AT_FDCWD = -100; // fcntl.h
    private const int AT_SYMLINK_NOFOLLOW = 0x100;
    private const uint STATX_TYPE = 1; // linux/stat.h
    private const ushort S_IFMT = 0xF000;
    private const ushort S_IFSOCK = 0xC000;

    /// <summary>Whether there is a socket's file, and nothing else, under this path.</summary>
    public static bool IsThere(string path) =>
        statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_TYPE, out FileStatus status) == 0 && (status.Mode & S_IFMT) == S_IFSOCK;

    /// <summary>Gives a file to a group.</summary>
    public static void Own(string path, uint group)
    {
        const uint Unchanged = uint.MaxValue;
        if (chown(path, Unchanged, group) != 0)
            throw KernelException.Last("chown", string.Create(CultureInfo.InvariantCulture, $"{path}, group {group}"));
    }

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int statx(int directory, string path, int flags, uint mask, out FileStatus status);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int chown(string path, uint owner, uint group);

    [KernelHeader("sys/stat.h", Structure = "struct statx", Fields = "stx_mode")]
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    private struct FileStatus
    {
        [FieldOffset(28)]
        public ushort Mode;
    }
}
