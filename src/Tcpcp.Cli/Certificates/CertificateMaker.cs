using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Tcpcp.Cli.Certificates;

/// <summary>Makes the certificates of a small authority: ECDSA with the curve P-256, for servers and clients alike, as agents are both.</summary>
internal static class CertificateMaker
{
    private const string ServerAuthentication = "1.3.6.1.5.5.7.3.1"; // RFC 5280, 4.2.1.12
    private const string ClientAuthentication = "1.3.6.1.5.5.7.3.2";
    private const int SerialBytes = 16; // RFC 5280, 4.1.2.2: at most 20, positive

    // Clocks of hosts differ.
    private static readonly TimeSpan s_beforehand = TimeSpan.FromHours(1);

    /// <summary>An authority that signs certificates of hosts and no further authorities.</summary>
    public static (X509Certificate2 Certificate, ECDsa Key) MakeAuthority(string name, TimeSpan lifetime)
    {
        ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = new(NameOf(name), key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: true, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, critical: true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, critical: false));
        DateTimeOffset now = DateTimeOffset.UtcNow;
        return (request.CreateSelfSigned(now - s_beforehand, now + lifetime), key);
    }

    /// <param name="authority">With its key.</param>
    /// <param name="lifetime">From now; it ends with the authority's at the latest.</param>
    public static (X509Certificate2 Certificate, ECDsa Key) MakeHost(X509Certificate2 authority, string name, IReadOnlyList<IPAddress> addresses, TimeSpan lifetime)
    {
        ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = new(NameOf(name), key, HashAlgorithmName.SHA256);
        SubjectAlternativeNameBuilder names = new();
        names.AddDnsName(name);
        foreach (IPAddress address in addresses)
            names.AddIpAddress(address);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: false, hasPathLengthConstraint: false, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, critical: true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(ServerAuthentication), new Oid(ClientAuthentication)], critical: false));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, critical: false));
        request.CertificateExtensions.Add(X509AuthorityKeyIdentifierExtension.CreateFromCertificate(authority, includeKeyIdentifier: true, includeIssuerAndSerial: false));
        DateTimeOffset now = DateTimeOffset.UtcNow;
        (DateTimeOffset first, DateTimeOffset last) = (new(authority.NotBefore), new(authority.NotAfter));
        DateTimeOffset notBefore = now - s_beforehand > first ? now - s_beforehand : first;
        DateTimeOffset notAfter = now + lifetime < last ? now + lifetime : last;
        return (request.Create(authority, notBefore, notAfter, Serial()), key);
    }

    private static byte[] Serial()
    {
        byte[] serial = RandomNumberGenerator.GetBytes(SerialBytes);
        serial[0] = (byte)((serial[0] & 0x7f) | 1);
        return serial;
    }

    private static X500DistinguishedName NameOf(string commonName)
    {
        X500DistinguishedNameBuilder builder = new();
        builder.AddCommonName(commonName);
        return builder.Build();
    }
}
