using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace Tcpcp.Linux.Diagnostics;

/// <summary>A process that holds a socket.</summary>
/// <param name="ProcessId">Its number in the calling thread's /proc.</param>
/// <param name="Descriptor">The descriptor by which it holds it.</param>
/// <param name="Command">Its name (/proc/PID/comm).</param>
internal readonly record struct SocketOwner(int ProcessId, int Descriptor, string Command)
{
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Command} pid:{ProcessId}/{Descriptor}");
}

/// <summary>
/// Which processes hold which sockets, read from the calling thread's /proc. Processes that end meanwhile are passed over; those that this user
/// may not read are counted in <see cref="Unreadable"/>: a socket without an owner here may be theirs.
/// </summary>
internal sealed partial class SocketOwners
{
    private const int LinkBytes = 64; // "socket:[4294967295]" is 19

    private static readonly EnumerationOptions s_everything = new() { AttributesToSkip = FileAttributes.None, IgnoreInaccessible = false };

    private readonly Dictionary<uint, List<SocketOwner>> _owners = [];

    private SocketOwners()
    {
    }

    /// <summary>Processes whose descriptors this user may not see.</summary>
    public int Unreadable { get; private set; }

    /// <summary>Reads all processes: some microseconds for each descriptor of the host.</summary>
    public static SocketOwners Read()
    {
        SocketOwners owners = new();
        foreach (string directory in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(directory.AsSpan()), NumberStyles.None, CultureInfo.InvariantCulture, out int processId))
                owners.Read(processId);
        }

        return owners;
    }

    /// <summary>The owners of a socket by its inode, by process and descriptor; empty for 0.</summary>
    public IReadOnlyList<SocketOwner> Of(uint inode) => inode != 0 && _owners.TryGetValue(inode, out List<SocketOwner>? owners) ? owners : [];

    /// <summary>The inode of the socket that a descriptor of a process is.</summary>
    /// <returns>Null if it is something other than a socket.</returns>
    /// <exception cref="KernelException">There is no such process or descriptor (ENOENT), or this user may not see it (EACCES).</exception>
    public static uint? InodeOf(int processId, int descriptor)
    {
        string path = string.Create(CultureInfo.InvariantCulture, $"/proc/{processId}/fd/{descriptor}");
        return TryReadLink(path, out uint? inode) ? inode : throw KernelException.Last("readlink", path);
    }

    /// <summary>The name of a process; null if it has ended.</summary>
    public static string? CommandOf(int processId)
    {
        try
        {
            return File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{processId}/comm")).TrimEnd('\n');
        }
        catch (IOException) // ENOENT before it is opened, ESRCH afterwards
        {
            return null;
        }
        catch (UnauthorizedAccessException)
        {
            return null;
        }
    }

    private void Read(int processId)
    {
        string directory = string.Create(CultureInfo.InvariantCulture, $"/proc/{processId}/fd");
        string? command = null;
        bool isHidden = false;
        try
        {
            foreach (string path in Directory.EnumerateFileSystemEntries(directory, "*", s_everything))
            {
                if (!TryReadLink(path, out uint? inode))
                {
                    isHidden |= Marshal.GetLastPInvokeError() == Errno.EACCES; // without CAP_SYS_PTRACE, of a process that may more than this one
                    continue;
                }

                if (inode is not { } number
                    || !int.TryParse(Path.GetFileName(path.AsSpan()), NumberStyles.None, CultureInfo.InvariantCulture, out int descriptor))
                    continue;
                command ??= CommandOf(processId) ?? "?";
                if (!_owners.TryGetValue(number, out List<SocketOwner>? owners))
                    _owners.Add(number, owners = []);
                owners.Add(new SocketOwner(processId, descriptor, command));
            }
        }
        catch (UnauthorizedAccessException)
        {
            Unreadable++;
        }
        catch (IOException)
        {
            // It has ended meanwhile.
        }

        if (isHidden)
            Unreadable++;
    }

    // False: the call failed. A null inode: the descriptor is something else.
    private static bool TryReadLink(string path, out uint? inode)
    {
        Span<byte> target = stackalloc byte[LinkBytes];
        nint length = readlink(path, target, LinkBytes);
        inode = null;
        if (length < 0)
            return false;
        ReadOnlySpan<byte> text = target[..(int)length];
        if (text.StartsWith("socket:["u8) && text[^1] == (byte)']'
            && uint.TryParse(Encoding.ASCII.GetString(text["socket:[".Length..^1]), NumberStyles.None, CultureInfo.InvariantCulture, out uint number))
            inode = number;
        return true;
    }

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint readlink(string path, Span<byte> target, nuint bytes);
}
