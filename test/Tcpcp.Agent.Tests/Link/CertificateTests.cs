using Tcpcp.Agent.Link;

namespace Tcpcp.Agent.Tests.Link;

/// <summary>The operator's certificate files: read again when they change, and clear about what is wrong with them.</summary>
public sealed class CertificateTests
{
    [Fact]
    public async Task A_new_certificate_is_shown_in_the_next_handshake()
    {
        await using LinkPair pair = await LinkPair.StartAsync();
        using DestinationChannel before = pair.Channel();
        await before.PingAsync(CancellationToken.None);
        Replace(pair.ServerFiles, pair.Authority.Issue(Path.Combine(pair.Directory, "new"), "host-new.example"));
        await before.PingAsync(CancellationToken.None); // a link that is open stays
        using DestinationChannel after = pair.Channel(name: "host-new.example");
        await after.PingAsync(CancellationToken.None);
        await pair.EventAsync(LinkEventKind.CertificateReloaded);
    }

    [Fact]
    public async Task An_authority_that_was_removed_is_not_trusted_in_the_next_handshake()
    {
        await using LinkPair pair = await LinkPair.StartAsync();
        CertificateFiles origin = pair.Authority.Issue(Path.Combine(pair.Directory, "origin"), LinkPair.Origin);
        using (DestinationChannel before = pair.Channel(origin))
            await before.PingAsync(CancellationToken.None);
        using TestAuthority other = new();
        File.Copy(other.Issue(Path.Combine(pair.Directory, "other"), LinkPair.Destination).Authority, pair.ServerFiles.Authority, overwrite: true);
        using DestinationChannel after = pair.Channel(origin);
        await Assert.ThrowsAsync<LinkException>(() => after.PingAsync(CancellationToken.None));
        Assert.Contains("not of the authority", (await pair.EventAsync(LinkEventKind.HandshakeRefused)).Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Files_that_cannot_be_used_leave_the_certificate_as_it_was_and_are_reported_once()
    {
        await using LinkPair pair = await LinkPair.StartAsync();
        await File.WriteAllTextAsync(pair.ServerFiles.Certificate, "half a certif");
        for (int i = 0; i < 2; i++)
        {
            using DestinationChannel channel = pair.Channel();
            await channel.PingAsync(CancellationToken.None);
        }

        Assert.Contains(pair.ServerFiles.Certificate, Assert.Single(pair.Events, one => one.Kind == LinkEventKind.CertificateUnusable).Detail, StringComparison.Ordinal);
        Replace(pair.ServerFiles, pair.Authority.Issue(Path.Combine(pair.Directory, "new"), "host-new.example"));
        using DestinationChannel after = pair.Channel(name: "host-new.example");
        await after.PingAsync(CancellationToken.None);
    }

    [Fact]
    public async Task A_file_that_is_not_there_is_named() => await AssertFaultAsync(files => File.Delete(files.Authority), files => files.Authority);

    [Fact]
    public async Task A_file_without_a_certificate_is_named() => await AssertFaultAsync(files => File.WriteAllText(files.Certificate, "nothing"), files => files.Certificate);

    [Fact]
    public async Task A_key_of_another_certificate_is_named() => await AssertFaultAsync(files =>
    {
        using TestAuthority other = new();
        File.Copy(other.Issue(Path.Combine(Path.GetDirectoryName(files.Key)!, "other"), "other").Key, files.Key, overwrite: true);
    }, files => files.Key);

    [Theory]
    [InlineData("host-a.example", true)]
    [InlineData("node_7", true)]
    [InlineData("", false)]
    [InlineData("two words", false)]
    [InlineData("-host", false)]
    [InlineData("host..example", false)]
    [InlineData("192.0.2.1", false)]
    public void A_name_is_a_host_name(string name, bool isGood) => Assert.Equal(isGood, CertificateNames.FindFault(name) is null);

    private static async Task AssertFaultAsync(Action<CertificateFiles> damage, Func<CertificateFiles, string> file)
    {
        using TestAuthority authority = new();
        string directory = Directory.CreateTempSubdirectory("tcpcp-link-").FullName;
        try
        {
            CertificateFiles files = authority.Issue(directory, "host");
            damage(files);
            CertificateException e = await Task.Run(() => Assert.Throws<CertificateException>(() => AgentCredentials.Open(files, _ => { })));
            Assert.Contains(file(files), e.Message, StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private static void Replace(CertificateFiles files, CertificateFiles by)
    {
        File.Copy(by.Certificate, files.Certificate, overwrite: true);
        File.Copy(by.Key, files.Key, overwrite: true);
    }
}
