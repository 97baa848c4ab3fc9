namespace Tcpcp.Agent.Link;

/// <summary>The operator's PEM files. They may be replaced while the agent runs.</summary>
/// <param name="Certificate">This host's certificate, followed by intermediate ones if there are any.</param>
/// <param name="Key">Its private key, not encrypted.</param>
/// <param name="Authority">The certificates of the authorities that agents' certificates must come from; nothing else is trusted.</param>
internal sealed record CertificateFiles(string Certificate, string Key, string Authority)
{
    /// <summary>Changes when a file is replaced or written.</summary>
    public CertificateStamp Stamp() => new(StampOf(Certificate), StampOf(Key), StampOf(Authority));

    private static (DateTime Written, long Length) StampOf(string path)
    {
        FileInfo file = new(path);
        FileSystemInfo target = file.LinkTarget is null ? file : file.ResolveLinkTarget(returnFinalTarget: true) ?? file;
        return target is FileInfo { Exists: true } there ? (there.LastWriteTimeUtc, there.Length) : default;
    }
}

/// <summary>When the files were written, and their lengths.</summary>
internal readonly record struct CertificateStamp(
    (DateTime Written, long Length) Certificate, (DateTime Written, long Length) Key, (DateTime Written, long Length) Authority);
