using Tcpcp.Core.Tests.Architecture;
using Tcpcp.EndToEnd.Tests.Packages;

[assembly: AssemblyFixture(typeof(BuiltPackages))]

namespace Tcpcp.EndToEnd.Tests.Packages;

/// <summary>What pack.sh writes; it is run when the first test asks.</summary>
public sealed class BuiltPackages
{
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(8); // it compiles

    private readonly Lazy<Task> _built = new(async () =>
    {
        (int exitCode, string output, string error) = await Command.RunProgramAsync(s_limit, "bash", Path.Combine(SourceTree.Root, "pack.sh"));
        Assert.True(exitCode == 0, output + error);
        Assert.Equal("", output + error); // it is quiet
    });

    internal static string Directory => Path.Combine(SourceTree.Root, "artifacts", "packages");

    internal async Task<string> DebianAsync()
    {
        await _built.Value;
        return Assert.Single(System.IO.Directory.GetFiles(Directory, "tcpcp_*.deb"));
    }

    internal async Task<IReadOnlyList<string>> NuGetAsync()
    {
        await _built.Value;
        return System.IO.Directory.GetFiles(Directory, "*.nupkg");
    }
}
