using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Tcpcp.Agent.Link;

namespace Tcpcp.Agent.Tests.Link;

/// <summary>An authority that makes certificates good and bad, and writes them where agents look for them.</summary>
internal sealed class TestAuthority : IDisposable
{
    private static readonly DateTimeOffset s_notBefore = DateTimeOffset.UtcNow.AddDays(-10);

    private readonly X509Certificate2 _certificate;

    /// <param name="name">Its subject; authorities with the same one differ by their keys.</param>
    public TestAuthority(string name = "test authority")
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = new($"CN={name}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        _certificate = request.CreateSelfSigned(s_notBefore, DateTimeOffset.UtcNow.AddDays(10));
    }

    /// <param name="hasDnsName">Whether the name is among the alternative names too.</param>
    public CertificateFiles Issue(string directory, string name, DateTimeOffset? notAfter = null, bool hasDnsName = true)
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = new($"CN={name}", key, HashAlgorithmName.SHA256);
        if (hasDnsName)
        {
            SubjectAlternativeNameBuilder names = new();
            names.AddDnsName(name);
            names.AddIpAddress(IPAddress.Loopback);
            request.CertificateExtensions.Add(names.Build());
        }

        using X509Certificate2 certificate = request.Create(_certificate, s_notBefore, notAfter ?? DateTimeOffset.UtcNow.AddDays(5), RandomNumberGenerator.GetBytes(8));
        Directory.CreateDirectory(directory);
        CertificateFiles files = new(Path.Combine(directory, $"{name}.pem"), Path.Combine(directory, $"{name}.key"), Path.Combine(directory, "authority.pem"));
        File.WriteAllText(files.Certificate, certificate.ExportCertificatePem());
        File.WriteAllText(files.Key, key.ExportPkcs8PrivateKeyPem());
        File.WriteAllText(files.Authority, _certificate.ExportCertificatePem());
        return files;
    }

    public void Dispose() => _certificate.Dispose();
}
