using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Tcpcp.Agent.Link;

/// <summary>This host's certificate with its key, and the authorities that others' certificates must come from.</summary>
internal sealed class HostCertificate
{
    private const X509ChainStatusFlags NotOfAuthority =
        X509ChainStatusFlags.PartialChain | X509ChainStatusFlags.UntrustedRoot | X509ChainStatusFlags.NotSignatureValid;

    private readonly X509Certificate2 _own;
    private readonly X509Certificate2Collection _intermediates;
    private readonly X509Certificate2Collection _authorities;

    private HostCertificate(X509Certificate2 own, X509Certificate2Collection chain, X509Certificate2Collection authorities)
    {
        (_own, _intermediates, _authorities) = (own, chain, authorities);
        Name = CertificateNames.Of(own)[0];
        NotAfter = own.NotAfter.ToUniversalTime();
        Context = Task.Run(() => SslStreamCertificateContext.Create(own, chain, offline: true));
    }

    /// <summary>The name by which other agents know this one.</summary>
    public string Name { get; }

    /// <summary>When it expires, in UTC.</summary>
    public DateTime NotAfter { get; }

    /// <summary>
    /// What a handshake shows. .NET looks for a chain in the system's trust store while it makes this, which takes longer than all the rest of an agent's start: so it is
    /// made meanwhile, and only the first handshake may have to wait for it. Nothing that was found there is trusted.
    /// </summary>
    public Task<SslStreamCertificateContext> Context { get; }

    /// <exception cref="CertificateException">A file cannot be used.</exception>
    public static HostCertificate Load(CertificateFiles files)
    {
        X509Certificate2Collection own = Read(files.Certificate);
        X509Certificate2Collection authorities = Read(files.Authority);
        if (CertificateNames.Of(own[0]).Count == 0)
            throw new CertificateException($"The certificate in {files.Certificate} has no name: it needs a DNS name or a common name.");
        string key = ReadText(files.Key);
        try
        {
            X509Certificate2 certificate = X509Certificate2.CreateFromPem(own[0].ExportCertificatePem(), key);
            own[0].Dispose();
            own.RemoveAt(0);
            return new HostCertificate(certificate, own, authorities);
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            throw new CertificateException(
                $"{files.Key} is not the private key of the certificate in {files.Certificate}, in PEM and not encrypted: {e.Message}", e);
        }
    }

    /// <summary>What others' certificates are checked by: these authorities alone, no revocation lists, nothing from the network.</summary>
    public X509ChainPolicy ChainPolicy()
    {
        X509ChainPolicy policy = new()
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            RevocationMode = X509RevocationMode.NoCheck,
            DisableCertificateDownloads = true,
        };
        policy.CustomTrustStore.AddRange(_authorities);
        return policy;
    }

    /// <summary>Whether other agents will take it for that of an agent of this name.</summary>
    /// <returns>Null if so, else what is wrong, in one sentence that begins with the configuration's key.</returns>
    public string? FindOwnFault(string agent)
    {
        using X509Chain chain = new() { ChainPolicy = ChainPolicy() };
        chain.ChainPolicy.ExtraStore.AddRange(_intermediates);
        chain.ChainPolicy.ApplicationPolicy.Add(new Oid("1.3.6.1.5.5.7.3.1")); // TLS servers (RFC 5280, 4.2.1.12)
        chain.ChainPolicy.ApplicationPolicy.Add(new Oid("1.3.6.1.5.5.7.3.2")); // TLS clients
        SslPolicyErrors errors = chain.Build(_own) ? SslPolicyErrors.None : SslPolicyErrors.RemoteCertificateChainErrors;
        return FindFault(_own, chain, errors) is { } fault ? $"certificate:file: {fault}"
            : CertificateNames.Of(_own).Any(name => CertificateNames.AreSame(name, agent)) ? null
            : $"name: The certificate is of {string.Join(", ", CertificateNames.Of(_own))}, not of '{agent}': other agents would not know this one.";
    }

    /// <summary>Judges what the handshake found out about the other side's certificate.</summary>
    /// <returns>Null if it is of the authority and valid now, else what is wrong, in one sentence.</returns>
    public static string? FindFault(X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors)
    {
        if (certificate is not X509Certificate2 shown || errors.HasFlag(SslPolicyErrors.RemoteCertificateNotAvailable))
            return "It has shown no certificate.";
        if (CertificateNames.Of(shown).Count == 0)
            return "Its certificate has no name.";
        if (!errors.HasFlag(SslPolicyErrors.RemoteCertificateChainErrors))
            return null;
        X509ChainStatusFlags found = (chain?.ChainStatus ?? []).Aggregate(X509ChainStatusFlags.NoError, (all, one) => all | one.Status);
        string who = $"Its certificate ({CertificateNames.Of(shown)[0]})";
        return (found & NotOfAuthority) != X509ChainStatusFlags.NoError ? $"{who} is not of the authority that is configured here."
            : found.HasFlag(X509ChainStatusFlags.NotTimeValid)
                ? $"{who} is valid from {shown.NotBefore.ToUniversalTime():u} to {shown.NotAfter.ToUniversalTime():u}, which is not now."
            : found.HasFlag(X509ChainStatusFlags.NotValidForUsage) ? $"{who} is not for both servers and clients, as an agent's must be."
            : $"{who} was refused: {found}.";
    }

    private static X509Certificate2Collection Read(string path)
    {
        string text = ReadText(path);
        try
        {
            X509Certificate2Collection found = [];
            found.ImportFromPem(text);
            return found.Count > 0 ? found : throw new CertificateException($"{path} has no certificate in PEM.");
        }
        catch (CryptographicException e)
        {
            throw new CertificateException($"{path} has something that is no certificate in PEM: {e.Message}", e);
        }
    }

    private static string ReadText(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CertificateException($"{path} cannot be read: {e.Message}", e);
        }
    }
}
