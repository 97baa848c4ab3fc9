namespace Tcpcp.Samples.FileServer;

/// <summary>Paths of requests below the directory that is served.</summary>
internal static class FileRoot
{
    /// <returns>The file's full path; null if it would lie outside.</returns>
    public static string? Find(string root, string requestPath)
    {
        string path = Path.GetFullPath(Path.Combine(root, requestPath.TrimStart('/')));
        return path.StartsWith(root + Path.DirectorySeparatorChar, StringComparison.Ordinal) ? path : null;
    }
}
