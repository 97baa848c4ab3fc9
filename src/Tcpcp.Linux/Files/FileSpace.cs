using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Tcpcp.Linux.Files;

/// <summary>Room in a file system that belongs to a file before it is written.</summary>
[KernelHeader("linux/falloc.h")]
internal static partial class FileSpace
{
    private const int FALLOC_FL_KEEP_SIZE = 1; // linux/falloc.h

    /// <summary>Makes sure that a part of the file can be written without running out of room. The file's size stays.</summary>
    /// <exception cref="KernelException">ENOSPC: there is not so much room.</exception>
    public static void Reserve(SafeFileHandle file, long offset, long length)
    {
        if (length > 0 && fallocate(file, FALLOC_FL_KEEP_SIZE, offset, length) != 0)
            throw KernelException.Last("fallocate");
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fallocate(SafeFileHandle file, int mode, long offset, long length);
}
