using System.Globalization;
using System.Security.Cryptography;

namespace Tcpcp.Cli.Demo;

/// <summary>The demo's files, in a directory of this process that goes with it; what a killed demo has left is removed at the next start.</summary>
internal sealed class DemoFiles : IDisposable
{
    /// <summary>Name of the file at the servers.</summary>
    public const string FileName = "demo.bin";

    private const string UnfinishedSuffix = ".part";

    private const string Prefix = "tcpcp-demo-";

    private readonly string _directory;
    private readonly bool _upload;

    private DemoFiles(string directory, bool upload) => (_directory, _upload) = (directory, upload);

    /// <summary>What both servers serve.</summary>
    public string Root => Path.Combine(_directory, "files");

    /// <summary>Directory of the agents' configurations and certificates.</summary>
    public string Agents => Path.Combine(_directory, "agents");

    public string Capture => Path.Combine(_directory, "peer.pcapng");

    /// <summary>The file that is sent: by the servers, or by the peer.</summary>
    public string Sent => _upload ? AtPeer : AtServers;

    /// <summary>The file that is received.</summary>
    public string Received => _upload ? AtServers : AtPeer;

    /// <summary>Bytes that have been received so far.</summary>
    public long ReceivedBytes
    {
        get
        {
            FileInfo file = new(_upload ? AtServers + UnfinishedSuffix : AtPeer);
            return file.Exists ? file.Length : 0;
        }
    }

    private string AtServers => Path.Combine(Root, FileName);

    private string AtPeer => Path.Combine(_directory, "peer.bin");

    /// <param name="upload">The peer sends the file.</param>
    public static DemoFiles Create(bool upload)
    {
        RemoveOrphans();
        string directory = Path.Combine(Path.GetTempPath(), Prefix + OwnNumber);
        DemoFiles files = new(directory, upload);
        Directory.CreateDirectory(files.Root);
        return files;
    }

    /// <summary>Fills the file that is sent with random bytes.</summary>
    public void WriteSent(long bytes)
    {
        byte[] block = new byte[1 << 20];
        using FileStream stream = new(Sent, FileMode.Create, FileAccess.Write, FileShare.Read, bufferSize: 0);
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

    // As /proc shows it: in a user namespace this process calls itself 1.
    private static string OwnNumber => File.ResolveLinkTarget("/proc/self", returnFinalTarget: false)!.Name;

    private static void RemoveOrphans()
    {
        foreach (string directory in Directory.GetDirectories(Path.GetTempPath(), Prefix + "*"))
        {
            if (int.TryParse(Path.GetFileName(directory).AsSpan(Prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out int owner)
                && !Directory.Exists($"/proc/{owner}"))
                TryDelete(directory);
        }
    }

    private static void TryDelete(string directory)
    {
        try
        {
            Directory.Delete(directory, recursive: true);
        }
        catch (Exception e) when (e is UnauthorizedAccessException or IOException)
        {
            // Another user's; his next demo removes it. Or another demo is just removing it.
        }
    }
}
