using System.Globalization;
using System.Runtime.InteropServices;

namespace Tcpcp.Linux.UnixSockets;

/// <summary>Groups of users, as the system's name service knows them.</summary>
internal static unsafe partial class UserGroup
{
    private const int MaxEntryBytes = 1 << 20; // a group may have many members

    /// <summary>The number of a group.</summary>
    /// <param name="name">Its name, or the number itself.</param>
    /// <returns>Null if there is no such group.</returns>
    public static uint? Find(string name)
    {
        if (uint.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out uint number))
            return number;
        byte* buffer = (byte*)NativeMemory.Alloc(MaxEntryBytes);
        try
        {
            GroupEntry entry = default;
            GroupEntry* found = null;
            int error = getgrnam_r(name, &entry, buffer, MaxEntryBytes, &found);
            if (error is not (0 or Errno.ENOENT))
                throw KernelException.Of("getgrnam_r", error, name);
            return found == null ? null : entry.Number;
        }
        finally
        {
            NativeMemory.Free(buffer);
        }
    }

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int getgrnam_r(string name, GroupEntry* entry, byte* buffer, nuint length, GroupEntry** found);

    [KernelHeader("grp.h", Structure = "struct group", Fields = "gr_name gr_passwd gr_gid gr_mem")]
    [StructLayout(LayoutKind.Sequential)]
    private struct GroupEntry
    {
        public byte* Name;
        public byte* Password;
        public uint Number;
        public byte** Members;
    }
}
