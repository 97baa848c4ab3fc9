using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Tcpcp.Linux.Files;

/// <summary>
/// A file that appears under its name whole, on disk, and readable by its owner alone, or not at all: it is written under another name in
/// the same directory. A scope: leaving it without <see cref="Publish"/> removes what was written.
/// </summary>
[KernelHeader("linux/fs.h", "fcntl.h")]
internal sealed partial class AtomicFile : IDisposable
{
    private const int AT_FDCWD = -100; // fcntl.h
    private const int O_RDONLY = 0;
    private const int O_WRONLY = 1;
    private const int O_CREAT = 0x40;
    private const int O_EXCL = 0x80;
    private const int O_CLOEXEC = 0x80000;
    private const uint OwnerOnly = 0x180; // 0600
    private const uint RENAME_NOREPLACE = 1; // linux/fs.h

    private readonly string _path;
    private readonly string _temporary;
    private readonly FileStream _stream;
    private bool _moved;

    private AtomicFile(string path, string temporary, FileStream stream)
    {
        _path = path;
        _temporary = temporary;
        _stream = stream;
    }

    /// <summary>Makes the file under its temporary name.</summary>
    /// <exception cref="KernelException">The directory is not there or may not be written to.</exception>
    public static AtomicFile Create(string path)
    {
        string full = Path.GetFullPath(path);
        string temporary = Path.Combine(Path.GetDirectoryName(full)!, $".{Path.GetFileName(full)}.{Guid.NewGuid():N}");
        SafeFileHandle handle = Open(temporary, O_WRONLY | O_CREAT | O_EXCL);
        return new AtomicFile(full, temporary, new FileStream(handle, FileAccess.Write, bufferSize: 0));
    }

    /// <summary>Writes the whole content and waits until it is on disk.</summary>
    public void Write(ReadOnlySpan<byte> content)
    {
        _stream.Write(content);
        _stream.Flush(flushToDisk: true);
    }

    /// <summary>Gives the file its name, and waits until that is on disk. If this throws, there is no new file, unless it could not be
    /// taken away again.</summary>
    /// <param name="replace">Replace a file of that name; else there must be none.</param>
    /// <exception cref="IOException">There is a file of that name already, or the disk failed.</exception>
    public void Publish(bool replace)
    {
        _stream.Dispose();
        Move(_temporary, _path, replace);
        _moved = true;
        try
        {
            SyncDirectory(_path);
        }
        catch
        {
            File.Delete(_path);
            throw;
        }
    }

    public void Dispose()
    {
        _stream.Dispose();
        if (!_moved)
            File.Delete(_temporary);
    }

    /// <summary>Renames a file within its directory, and waits until that is on disk.</summary>
    /// <exception cref="FileNotFoundException">It is not there: somebody else was faster.</exception>
    public static void Rename(string from, string to)
    {
        Move(from, to, replace: true);
        SyncDirectory(to);
    }

    private static void Move(string from, string to, bool replace)
    {
        if (renameat2(AT_FDCWD, from, AT_FDCWD, to, replace ? 0 : RENAME_NOREPLACE) == 0)
            return;
        switch (Marshal.GetLastPInvokeError())
        {
            case Errno.EEXIST:
                throw new IOException($"{to} exists already.");
            case Errno.ENOENT:
                throw new FileNotFoundException($"There is no file {from}.", from);
            case Errno.EINVAL when !replace: // this file system cannot; a hard link does the same
                File.Move(from, to, overwrite: false);
                return;
            default:
                throw KernelException.Last("rename", to);
        }
    }

    private static void SyncDirectory(string path)
    {
        string directory = Path.GetDirectoryName(Path.GetFullPath(path))!;
        using SafeFileHandle handle = Open(directory, O_RDONLY);
        if (fsync(handle) != 0 && Marshal.GetLastPInvokeError() != Errno.EINVAL) // a file system without that
            throw KernelException.Last("fsync", directory);
    }

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int renameat2(int fromDirectory, string from, int toDirectory, string to, uint flags);

    private static SafeFileHandle Open(string path, int flags)
    {
        int descriptor = open(path, flags | O_CLOEXEC, OwnerOnly);
        return descriptor >= 0 ? new SafeFileHandle(descriptor, ownsHandle: true) : throw KernelException.Last("open", path);
    }

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int open(string path, int flags, uint mode);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fsync(SafeHandle fd);
}
