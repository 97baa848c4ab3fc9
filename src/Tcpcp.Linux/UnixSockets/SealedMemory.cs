using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Tcpcp.Linux.UnixSockets;

/// <summary>Bytes that travel as a descriptor: an anonymous file (memfd_create(2)) that nobody can change any more.</summary>
[KernelHeader("sys/mman.h", "fcntl.h")]
internal static partial class SealedMemory
{
    private const uint MFD_CLOEXEC = 1; // linux/memfd.h
    private const uint MFD_ALLOW_SEALING = 2;
    private const int F_ADD_SEALS = 1033; // linux/fcntl.h
    private const int F_GET_SEALS = 1034;
    private const nint F_SEAL_SEAL = 1;
    private const nint F_SEAL_SHRINK = 2;
    private const nint F_SEAL_GROW = 4;
    private const nint F_SEAL_WRITE = 8;

    /// <param name="name">For /proc; at most 249 bytes.</param>
    public static SafeFileHandle Create(string name, ReadOnlySpan<byte> content)
    {
        int descriptor = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
        if (descriptor < 0)
            throw KernelException.Last("memfd_create", name);
        SafeFileHandle file = new(descriptor, ownsHandle: true);
        try
        {
            RandomAccess.Write(file, content, 0);
            if (fcntl(file, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0)
                throw KernelException.Last("fcntl(F_ADD_SEALS)", name);
            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Reads what another program has sent. It need not be sealed, since it is copied and never mapped; but it must be in memory, or reading might wait
    /// for that program for ever (a pipe, a file in user space).
    /// </summary>
    /// <exception cref="PacketException">It is something else, larger than the limit, or was made shorter meanwhile.</exception>
    public static byte[] Read(SafeFileHandle file, int maxBytes)
    {
        if (fcntl(file, F_GET_SEALS, 0) < 0)
            throw new PacketException("The descriptor of a state is not one of memfd_create(2).");
        long length = RandomAccess.GetLength(file);
        if (length > maxBytes)
            throw new PacketException($"The state has {length} bytes; the limit is {maxBytes}.");
        byte[] content = new byte[length];
        int read = 0;
        while (read < content.Length)
        {
            int count = RandomAccess.Read(file, content.AsSpan(read), read);
            if (count == 0)
                throw new PacketException("The state became shorter while it was read.");
            read += count;
        }

        return content;
    }

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int memfd_create(string name, uint flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fcntl(SafeHandle fd, int command, nint argument);
}
