using System.Net;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;

namespace Tcpcp.EndToEnd.Tests;

/// <summary><c>tcpcp cert</c> as a user runs it.</summary>
public sealed class CertificateCommandTests : IDisposable
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly string _directory = Directory.CreateTempSubdirectory("tcpcp-cert-").FullName;

    private string Authority => Path.Combine(_directory, "authority");

    private string Host => Path.Combine(_directory, "host");

    [Fact]
    public async Task A_host_certificate_is_of_the_authority_has_its_names_and_serves_both_sides()
    {
        await MakeAuthorityAsync();
        JsonElement report = await MakeAsync("host", "host-a.example", "--authority", Authority, "--out", Host, "--address", "192.0.2.1", "--address", "2001:db8::1", "--days", "30");
        using X509Certificate2 certificate = X509Certificate2.CreateFromPemFile(report.GetProperty("certificate").GetString()!, report.GetProperty("key").GetString()!);
        X509SubjectAlternativeNameExtension names = Assert.Single(certificate.Extensions.OfType<X509SubjectAlternativeNameExtension>());
        Assert.Equal(["host-a.example"], names.EnumerateDnsNames());
        Assert.Equal([IPAddress.Parse("192.0.2.1"), IPAddress.Parse("2001:db8::1")], names.EnumerateIPAddresses());
        Assert.InRange(certificate.NotAfter - DateTime.Now, TimeSpan.FromDays(29), TimeSpan.FromDays(31));
        foreach (string purpose in (string[])["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"])
            Assert.True(IsGood(certificate, report.GetProperty("authority").GetString()!, purpose));
        Assert.Equal(OwnerOnly, File.GetUnixFileMode(report.GetProperty("key").GetString()!));
        Assert.Equal(OwnerOnly, File.GetUnixFileMode(Path.Combine(Authority, "authority.key")));
        Assert.Equal(["authority.pem", "host-a.example.key", "host-a.example.pem"], Directory.GetFiles(Host).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Nothing_is_overwritten_without_force()
    {
        await MakeAuthorityAsync();
        byte[] before = await File.ReadAllBytesAsync(Path.Combine(Authority, "authority.key"));
        (int exitCode, _, string error) = await Command.RunAsync("cert", "authority", "--out", Authority);
        Assert.Equal(2, exitCode);
        Assert.Contains("--force", error, StringComparison.Ordinal);
        Assert.Equal(before, await File.ReadAllBytesAsync(Path.Combine(Authority, "authority.key")));
        string[] host = ["host", "host-a.example", "--authority", Authority, "--out", Host];
        string first = (await MakeAsync(host)).GetProperty("fingerprint").GetString()!;
        Assert.Equal(2, (await Command.RunAsync(["cert", .. host])).ExitCode);
        Assert.NotEqual(first, (await MakeAsync([.. host, "--force"])).GetProperty("fingerprint").GetString());
    }

    [Fact]
    public async Task A_certificate_does_not_outlive_its_authority()
    {
        await MakeAsync("authority", "--out", Authority, "--days", "5");
        JsonElement report = await MakeAsync("host", "host-a.example", "--authority", Authority, "--out", Host, "--days", "300");
        Assert.InRange(report.GetProperty("not_after").GetDateTime(), DateTime.UtcNow.AddDays(4), DateTime.UtcNow.AddDays(5));
    }

    [Theory]
    [InlineData("host", "two words")]
    [InlineData("host", "192.0.2.1")]
    [InlineData("host", "host-a", "--days", "0")]
    [InlineData("host", "host-a", "--days", "7301")]
    [InlineData("host", "host-a", "--address", "host")]
    public async Task Wrong_use_is_said(params string[] arguments)
    {
        await MakeAuthorityAsync();
        (int exitCode, _, string error) = await Command.RunAsync(["cert", .. arguments, "--authority", Authority, "--out", Host]);
        Assert.Equal(2, exitCode);
        Assert.NotEqual("", error);
        Assert.False(Directory.Exists(Host));
    }

    [Fact]
    public async Task An_authority_that_is_not_there_or_damaged_is_named()
    {
        (int exitCode, _, string error) = await Command.RunAsync("cert", "host", "host-a", "--authority", Authority, "--out", Host);
        Assert.Equal(1, exitCode);
        Assert.Contains(Authority, error, StringComparison.Ordinal);
        await MakeAuthorityAsync();
        await File.WriteAllTextAsync(Path.Combine(Authority, "authority.key"), "no key");
        (exitCode, _, error) = await Command.RunAsync("cert", "host", "host-a", "--authority", Authority, "--out", Host);
        Assert.Equal(1, exitCode);
        Assert.Contains("no certificate and its key", error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Host));
    }

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private Task<JsonElement> MakeAuthorityAsync() => MakeAsync("authority", "--out", Authority);

    private static async Task<JsonElement> MakeAsync(params string[] arguments)
    {
        (int exitCode, string output, string error) = await Command.RunAsync(["cert", .. arguments, "--json"]);
        Assert.True(exitCode == 0, output + error);
        return JsonDocument.Parse(output).RootElement;
    }

    private static bool IsGood(X509Certificate2 certificate, string authority, string purpose)
    {
        using X509Chain chain = new();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.ImportFromPemFile(authority);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.ApplicationPolicy.Add(new System.Security.Cryptography.Oid(purpose));
        return chain.Build(certificate);
    }
}
