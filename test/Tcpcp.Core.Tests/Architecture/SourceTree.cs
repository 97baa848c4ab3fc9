using System.Runtime.CompilerServices;

namespace Tcpcp.Core.Tests.Architecture;

/// <summary>The files of this repository.</summary>
internal static class SourceTree
{
    public static string Root { get; } = FindRoot();

    /// <summary>Files of a kind in some of the root's folders, as paths from the root; nothing that a build has made.</summary>
    public static IEnumerable<string> Files(string pattern, params IEnumerable<string> folders) => folders
        .Select(folder => Path.Combine(Root, folder)).Where(Directory.Exists)
        .SelectMany(folder => Directory.EnumerateFiles(folder, pattern, SearchOption.AllDirectories))
        .Select(file => Path.GetRelativePath(Root, file))
        .Where(file => !file.Split('/').Any(part => part is "bin" or "obj" or "artifacts"))
        .Order(StringComparer.Ordinal);

    public static string Read(string file) => File.ReadAllText(Path.Combine(Root, file));

    // Not from the executable upwards: builds may write elsewhere (--artifacts-path).
    private static string FindRoot([CallerFilePath] string here = "")
    {
        string? folder = Path.GetDirectoryName(here);
        while (folder is not null && !File.Exists(Path.Combine(folder, "tcpcp.slnx")))
            folder = Path.GetDirectoryName(folder);
        return folder ?? throw new InvalidOperationException($"There is no tcpcp.slnx above {here}: the tests run on another machine than they were built on.");
    }
}
