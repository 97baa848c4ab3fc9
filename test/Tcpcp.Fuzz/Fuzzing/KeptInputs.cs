using System.Runtime.CompilerServices;
using System.Security.Cryptography;

namespace Tcpcp.Fuzz.Fuzzing;

/// <summary>
/// The inputs that the tree keeps of a target: what took new branches once, in one file (<c>kept</c>, a protobuf message with a field 1 for each), and what was a fault once, each in its own
/// (<c>found-...</c>).
/// </summary>
internal static class KeptInputs
{
    private const string KeptFile = "kept";

    public static string Root { get; } = FindRoot();

    public static IReadOnlyList<(string Name, byte[] Input)> Of(string target) => Directory.Exists(FolderOf(target))
        ? [.. Directory.EnumerateFiles(FolderOf(target)).Order(StringComparer.Ordinal).SelectMany(Read)] : [];

    /// <summary>Puts these in the place of what is kept, but for what was a fault once.</summary>
    public static void Replace(string target, IEnumerable<byte[]> inputs)
    {
        Directory.CreateDirectory(FolderOf(target));
        foreach (string file in Directory.EnumerateFiles(FolderOf(target)).Where(file => !Path.GetFileName(file).StartsWith("found-", StringComparison.Ordinal)))
            File.Delete(file);
        File.WriteAllBytes(Path.Combine(FolderOf(target), KeptFile), WireFields.Write(inputs.Select(input => WireField.Of(1, input))));
    }

    private static IEnumerable<(string Name, byte[] Input)> Read(string file) => Path.GetFileName(file) is var name && name != KeptFile
        ? [(name, File.ReadAllBytes(file))]
        : (WireFields.Read(File.ReadAllBytes(file)) ?? throw new InvalidDataException($"{file} is damaged.")).Select((field, number) => ($"{name}, number {number}", field.Content));

    public static string NameOf(byte[] input) => Convert.ToHexStringLower(SHA256.HashData(input))[..16];

    public static string FolderOf(string target) => Path.Combine(Root, "test", "Tcpcp.Fuzz", "Corpus", target);

    private static string FindRoot([CallerFilePath] string here = "")
    {
        string? folder = Path.GetDirectoryName(here);
        while (folder is not null && !File.Exists(Path.Combine(folder, "tcpcp.slnx")))
            folder = Path.GetDirectoryName(folder);
        return folder ?? throw new InvalidOperationException($"There is no tcpcp.slnx above {here}: the tests run on another machine than they were built on.");
    }
}
