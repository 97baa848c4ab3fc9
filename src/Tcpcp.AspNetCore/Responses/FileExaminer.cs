using Microsoft.Extensions.Hosting;
using Microsoft.Win32.SafeHandles;
using Tcpcp.Core.Wire;

namespace Tcpcp.AspNetCore.Responses;

/// <summary>Whether a file is the same here as where its sending began.</summary>
internal sealed class FileExaminer(IHostEnvironment environment)
{
    /// <summary>An open file; the positions are left to the caller.</summary>
    public ServerFile Describe(string path, SafeFileHandle handle) => new()
    {
        Path = Path.GetRelativePath(environment.ContentRootPath, path),
        Length = (ulong)RandomAccess.GetLength(handle),
        ModifiedS = Seconds(File.GetLastWriteTimeUtc(handle)),
    };

    /// <summary>Why the file of a response that comes cannot be sent on from here; null: it can. Of files outside the content root nothing is told to who asks.</summary>
    public string? FindObjection(ServerFile file)
    {
        string path = Path.GetFullPath(file.Path, environment.ContentRootPath);
        string? objection = FindDifference(new FileInfo(path), file);
        return objection is null || path.StartsWith(Path.TrimEndingDirectorySeparator(environment.ContentRootPath) + "/", StringComparison.Ordinal) ? objection
            : $"The file {file.Path} is another one here.";
    }

    private static string? FindDifference(FileInfo here, ServerFile file)
    {
        if (!here.Exists)
            return $"There is no file {file.Path} here.";
        if ((ulong)here.Length != file.Length)
            return $"The file {file.Path} has {here.Length} bytes here, and {file.Length} there.";
        return Seconds(here.LastWriteTimeUtc) != file.ModifiedS ? $"The file {file.Path} was changed at another time here than there: its validators differ." : null;
    }

    // As Last-Modified has it.
    private static long Seconds(DateTime time) => new DateTimeOffset(time).ToUnixTimeSeconds();
}
