using Tcpcp.EndToEnd.Tests.Agents;

[assembly: AssemblyFixture(typeof(LabCertificates))]

namespace Tcpcp.EndToEnd.Tests.Agents;

/// <summary>Certificates of the agents of all labs, made by <c>tcpcp cert</c> once.</summary>
public sealed class LabCertificates : IAsyncLifetime
{
    private readonly string _directory = Directory.CreateTempSubdirectory("tcpcp-agents-").FullName;

    internal string Authority => Path.Combine(_directory, "authority.pem");

    /// <summary>With its key, for the commands that sign.</summary>
    internal string AuthorityDirectory => _directory;

    public async ValueTask InitializeAsync()
    {
        await MakeAsync("authority", "--out", _directory);
        foreach (string agent in (string[])[LabAgent.NameA, LabAgent.NameB, LabAgent.NameC, LabAgent.NameGateway])
            await MakeAsync("host", agent, "--authority", _directory, "--out", Path.Combine(_directory, agent));
    }

    public ValueTask DisposeAsync()
    {
        Directory.Delete(_directory, recursive: true);
        return ValueTask.CompletedTask;
    }

    internal string FileOf(string agent) => Path.Combine(_directory, agent, agent + ".pem");

    internal string KeyOf(string agent) => Path.Combine(_directory, agent, agent + ".key");

    internal static async Task MakeAsync(params string[] arguments)
    {
        (int exitCode, string output, string error) = await Command.RunAsync(["cert", .. arguments]);
        Assert.True(exitCode == 0, output + error);
    }
}
