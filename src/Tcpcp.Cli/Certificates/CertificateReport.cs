using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Serialization;

namespace Tcpcp.Cli.Certificates;

/// <summary>A certificate that was made.</summary>
/// <param name="Certificate">Path of the file.</param>
/// <param name="Key">Path of the file.</param>
/// <param name="Authority">Path of the authority's certificate.</param>
/// <param name="Fingerprint">SHA-256 of the certificate, in hexadecimal.</param>
internal sealed record CertificateReport(string Name, string Certificate, string Key, string Authority, DateTime NotBefore, DateTime NotAfter, string Fingerprint)
{
    public static CertificateReport Of(string name, X509Certificate2 certificate, CertificateFilePair files, string authority) => new(
        name, files.Certificate, files.Key, authority, certificate.NotBefore.ToUniversalTime(), certificate.NotAfter.ToUniversalTime(),
        certificate.GetCertHashString(System.Security.Cryptography.HashAlgorithmName.SHA256));
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(CertificateReport))]
internal sealed partial class CertificateJson : JsonSerializerContext;
