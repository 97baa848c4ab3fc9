using Microsoft.Win32.SafeHandles;

namespace Tcpcp.Samples.FileServer;

/// <summary>
/// The file of an upload under way, beside its later name. It is open only while this host receives: closing it before a pass is what lets
/// a network file system (NFS: close-to-open) show the other host every byte.
/// </summary>
internal sealed class UnfinishedFile : IDisposable
{
    private const string Suffix = ".part";

    private readonly string _path;
    private readonly string _finished;
    private readonly SafeFileHandle _handle;

    private UnfinishedFile(string finished, FileMode mode)
    {
        _finished = finished;
        _path = finished + Suffix;
        _handle = File.OpenHandle(_path, mode, FileAccess.Write, FileShare.None); // one writer: a second upload of the same name fails
    }

    /// <summary>Makes the file, or goes on with the one that another host or this one has begun.</summary>
    public static UnfinishedFile Open(string root, HttpUpload upload) =>
        new(Path.Combine(root, upload.File), upload.Position == 0 ? FileMode.Create : FileMode.Open);

    /// <summary>Why an upload cannot go on here, in one sentence; null if it can.</summary>
    public static string? FindObstacle(string root, HttpUpload upload)
    {
        if (FileRoot.Find(root, upload.File) is not { } path)
            return $"'{upload.File}' lies outside of this host's directory.";
        FileInfo file = new(path + Suffix);
        return upload.Position == 0 || file.Exists && file.Length >= upload.Position
            ? null
            : $"This host has not the first {upload.Position} bytes of '{upload.File}': the servers' --root must be one directory that they share.";
    }

    public void Write(ReadOnlySpan<byte> bytes, long position) => RandomAccess.Write(_handle, bytes, position);

    /// <summary>The file is whole: it gets its name.</summary>
    public void Finish()
    {
        _handle.Dispose();
        File.Move(_path, _finished, overwrite: true);
    }

    /// <summary>The client has given up.</summary>
    public void Discard()
    {
        _handle.Dispose();
        File.Delete(_path);
    }

    public void Dispose() => _handle.Dispose();
}
