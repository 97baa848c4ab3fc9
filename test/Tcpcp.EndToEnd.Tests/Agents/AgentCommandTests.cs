using System.Globalization;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using Tcpcp.Linux.Processes;

namespace Tcpcp.EndToEnd.Tests.Agents;

/// <summary><c>tcpcp agent</c>: its check, its journal, its end, and who may use it.</summary>
public sealed class AgentCommandTests(LabCertificates certificates)
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task The_check_says_what_is_wrong_with_the_file_and_the_certificates()
    {
        await using AgentLab lab = await AgentLab.CreateAsync(certificates);
        JsonObject configuration = lab.A.Configuration;
        await AssertCheckAsync(0, "no fault");
        configuration["nonsense"] = 1;
        await AssertCheckAsync(2, "nonsense: there is no such key");
        configuration.Remove("nonsense");
        string? group = (string?)configuration["local"]!["applications-group"];
        configuration["local"]!["applications-group"] = "no-such-group";
        await AssertCheckAsync(2, "local:applications-group: There is no group 'no-such-group'");
        configuration["local"]!["applications-group"] = group;
        File.WriteAllText(lab.A.ConfigurationFile, "{ \"name\": ");
        await AssertAsync(2, "not a JSON object", "agent", "--check", "--config", lab.A.ConfigurationFile);
        await AssertAsync(2, "cannot be read", "agent", "--config", "/nowhere/agent.json");

        JsonNode files = configuration["certificate"]!;
        files["key"] = "/nowhere/a.key";
        await AssertCheckAsync(2, "/nowhere/a.key cannot be read");
        files["key"] = certificates.KeyOf(LabAgent.NameB);
        await AssertCheckAsync(2, "is not the private key of the certificate");
        files["file"] = certificates.FileOf(LabAgent.NameB);
        await AssertCheckAsync(2, "name: The certificate is of host-b, not of 'host-a'");

        (string expired, string key, string authority) = MakeExpired(lab.DirectoryPath);
        (files["file"], files["key"], files["authority"]) = (expired, key, authority);
        await AssertCheckAsync(2, "certificate:file: Its certificate (host-a) is valid from");
        files["authority"] = certificates.Authority;
        await AssertCheckAsync(2, "is not of the authority that is configured here");

        async Task AssertCheckAsync(int exitCode, string said)
        {
            await File.WriteAllTextAsync(lab.A.ConfigurationFile, configuration.ToJsonString());
            await AssertAsync(exitCode, said, "agent", "--check", "--config", lab.A.ConfigurationFile);
        }
    }

    [Fact]
    public async Task A_second_agent_does_not_start_and_a_restarted_one_goes_on()
    {
        await using AgentLab lab = await AgentLab.StartWithEchoAsync(certificates);
        EchoConversation conversation = await lab.ConverseAsync();
        JsonObject second = lab.A.Configuration.DeepClone().AsObject();
        second["listen"] = $"{lab.A.Host.IPv4}:7301";
        second["local"]!["socket"] = lab.A.SocketPath + ".second";
        string file = lab.A.ConfigurationFile + ".second";
        await File.WriteAllTextAsync(file, second.ToJsonString());
        await using (ChildProcess agent = lab.A.Start(Command.Path, ["agent", "--config", file]))
        {
            Assert.Equal(1, await agent.Exit.WaitAsync(s_limit));
            Assert.Contains("journal", await agent.ErrorOutput!.Completed, StringComparison.Ordinal);
        }

        Assert.True(await lab.A.StopAsync() == 0, lab.A.Log);
        Assert.Contains("The agent stops.", lab.A.Log, StringComparison.Ordinal);
        await conversation.ProgressAsync(100_000); // nobody needs an agent for that
        await lab.A.StartAsync();
        await Eventually.True(async () => (await lab.A.StatusAsync()).Applications.Count == 1); // it has come back by itself
        await lab.A.JsonAsync(0, "pass", $"{conversation.Connection}", "--to", LabAgent.NameB);
        Assert.True(lab.B.Owns(conversation.Connection));
        await lab.FinishAsync();
    }

    [Fact]
    public async Task A_program_that_is_not_in_the_group_is_refused_and_reads_why()
    {
        await using AgentLab lab = await AgentLab.CreateAsync(certificates);
        await lab.A.StartAsync();
        foreach (string file in (string[])["tcpcp_client.py", "echo.py"])
            File.Copy(Path.Combine(AppContext.BaseDirectory, "samples", file), Path.Combine(lab.DirectoryPath, file));
        ChildProcess stranger = lab.A.Start("setpriv",
        [
            "--reuid", "54321", "--regid", "54321", "--clear-groups", "--inh-caps=-all", "/usr/bin/python3", "-B", Path.Combine(lab.DirectoryPath, "echo.py"),
            lab.A.SocketPath, "0.0.0.0", AgentLab.Port.ToString(CultureInfo.InvariantCulture),
        ]);
        Assert.NotEqual(0, await stranger.Exit.WaitAsync(s_limit));
        string error = await stranger.ErrorOutput!.Completed;
        Assert.Contains("User 54321 may not use this agent", error, StringComparison.Ordinal);
        Assert.Contains($"'{LabAgent.ApplicationsGroup}'", error, StringComparison.Ordinal);
    }

    private static async Task AssertAsync(int exitCode, string said, params string[] arguments)
    {
        (int actual, string output, string error) = await Command.RunAsync(arguments);
        Assert.Contains(said, output + error, StringComparison.Ordinal);
        Assert.Equal(exitCode, actual);
    }

    // With an authority of its own: tcpcp cert makes none that has expired.
    private static (string File, string Key, string Authority) MakeExpired(string directory)
    {
        DateTimeOffset now = DateTimeOffset.UtcNow;
        using ECDsa authorityKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest authority = new("CN=old authority", authorityKey, HashAlgorithmName.SHA256);
        authority.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, false, 0, critical: true));
        using X509Certificate2 issuer = authority.CreateSelfSigned(now.AddDays(-10), now.AddDays(10));
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = new($"CN={LabAgent.NameA}", key, HashAlgorithmName.SHA256);
        SubjectAlternativeNameBuilder names = new();
        names.AddDnsName(LabAgent.NameA);
        request.CertificateExtensions.Add(names.Build());
        using X509Certificate2 expired = request.Create(issuer, now.AddDays(-9), now.AddDays(-1), [1, 2, 3, 4]);
        (string file, string keyFile, string authorityFile) = (Path.Combine(directory, "old.pem"), Path.Combine(directory, "old.key"), Path.Combine(directory, "old-authority.pem"));
        File.WriteAllText(file, expired.ExportCertificatePem());
        File.WriteAllText(keyFile, key.ExportPkcs8PrivateKeyPem());
        File.WriteAllText(authorityFile, issuer.ExportCertificatePem());
        return (file, keyFile, authorityFile);
    }
}
