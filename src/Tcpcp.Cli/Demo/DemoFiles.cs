using System.Globalization;
using System.Security.Cryptography;

namespace Tcpcp.Cli.Demo;

/// <summary>The demo's files, in a directory of this process that goes with it; what a killed demo has left is removed at the next start.</summary>
internal sealed class DemoFiles : IDisposable
{
    /// <summary>Name of the file that is served.</summary>
    public const string FileName = "demo.bin";

    private const string Prefix = "tcpcp-demo-";

    private readonly string _directory;

    private DemoFiles(string directory) => _directory = directory;

    public string Root => Path.Combine(_directory, "files");

    public string Download => Path.Combine(_directory, "download.bin");

    public string Capture => Path.Combine(_directory, "peer.pcapng");

    public string Served => Path.Combine(Root, FileName);

    public static DemoFiles Create()
    {
        RemoveOrphans();
        string directory = Path.Combine(Path.GetTempPath(), Prefix + Environment.ProcessId.ToString(CultureInfo.InvariantCulture));
        DemoFiles files = new(directory);
        Directory.CreateDirectory(files.Root);
        return files;
    }

    /// <summary>Fills the served file with random bytes.</summary>
    public void WriteServed(long bytes)
    {
        byte[] block = new byte[1 << 20];
        using FileStream stream = new(Served, FileMode.Create, FileAccess.Write, FileShare.Read, bufferSize: 0);
        for (long left = bytes; left > 0; left -= block.Length)
        {
            RandomNumberGenerator.Fill(block);
            stream.Write(block, 0, (int)Math.Min(left, block.Length));
        }
    }

    /// <summary>SHA-256 of a file in hexadecimal digits.</summary>
    public static async Task<string> HashAsync(string path, CancellationToken cancellationToken)
    {
        await using FileStream stream = File.OpenRead(path);
        return Convert.ToHexStringLower(await SHA256.HashDataAsync(stream, cancellationToken));
    }

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private static void RemoveOrphans()
    {
        foreach (string directory in Directory.GetDirectories(Path.GetTempPath(), Prefix + "*"))
        {
            if (int.TryParse(Path.GetFileName(directory).AsSpan(Prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out int owner)
                && !Directory.Exists($"/proc/{owner}"))
                Directory.Delete(directory, recursive: true);
        }
    }
}
