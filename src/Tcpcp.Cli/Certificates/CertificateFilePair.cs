using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Tcpcp.Cli.Certificates;

/// <summary>A certificate and its key as PEM files of a directory.</summary>
/// <param name="Certificate">Path; anybody may read it.</param>
/// <param name="Key">Path; its owner alone may read it.</param>
internal sealed record CertificateFilePair(string Certificate, string Key)
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const UnixFileMode Everybody = OwnerOnly | UnixFileMode.GroupRead | UnixFileMode.OtherRead;

    public static CertificateFilePair In(string directory, string name) => new(Path.Combine(directory, $"{name}.pem"), Path.Combine(directory, $"{name}.key"));

    /// <summary>Files that are there already.</summary>
    public IEnumerable<string> Existing => new[] { Certificate, Key }.Where(File.Exists);

    /// <summary>Each file is there whole or not at all, the key first: an agent that looks in between finds the old certificate with a key that does not fit, and waits.</summary>
    /// <exception cref="IOException">A file cannot be written.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not.</exception>
    public void Write(X509Certificate2 certificate, ECDsa key)
    {
        Write(Key, key.ExportPkcs8PrivateKeyPem(), OwnerOnly);
        Write(Certificate, certificate.ExportCertificatePem(), Everybody);
    }

    /// <summary>The certificate with its key.</summary>
    /// <exception cref="IOException">A file cannot be read.</exception>
    /// <exception cref="CryptographicException">They are no certificate and its key.</exception>
    public X509Certificate2 Read() => X509Certificate2.CreateFromPem(File.ReadAllText(Certificate), File.ReadAllText(Key));

    /// <summary>Writes a file that is there whole or not at all.</summary>
    public static void WritePublic(string path, string text) => Write(path, text, Everybody);

    private static void Write(string path, string text, UnixFileMode mode)
    {
        string draft = $"{path}.{Guid.NewGuid():N}";
        try
        {
            FileStreamOptions options = new() { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = mode };
            using (StreamWriter writer = new(draft, options))
                writer.WriteLine(text);
            File.Move(draft, path, overwrite: true);
        }
        finally
        {
            File.Delete(draft);
        }
    }
}
