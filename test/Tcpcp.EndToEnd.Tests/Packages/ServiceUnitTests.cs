using System.Globalization;
using System.Text.RegularExpressions;
using Tcpcp.Core.Tests.Architecture;

namespace Tcpcp.EndToEnd.Tests.Packages;

/// <summary>The units of packaging/.</summary>
public sealed partial class ServiceUnitTests
{
    private const string Unit = "tcpcp-agent.service";

    [Fact]
    public async Task The_exposure_of_the_agents_unit_is_as_low_as_it_is_said_to_be()
    {
        if (!File.Exists("/usr/bin/systemd-analyze"))
            Assert.Skip("systemd is not installed.");
        (int exitCode, string output, string error) = await Command.RunProgramAsync(
            "/usr/bin/systemd-analyze", "security", "--offline=true", "--no-pager", Path.Combine(SourceTree.Root, "packaging", Unit));
        Assert.True(exitCode == 0, output + error);
        double exposure = Number(Exposure().Match(output));
        double said = Number(Said().Match(SourceTree.Read("docs/security.md")));
        Assert.True(exposure <= said, $"docs/security.md says {said}. {output}");
    }

    private static double Number(Match match)
    {
        Assert.True(match.Success);
        return double.Parse(match.Groups["number"].Value, CultureInfo.InvariantCulture);
    }

    [GeneratedRegex(@"exposure level for tcpcp-agent\.service: (?<number>[0-9.]+)", RegexOptions.ExplicitCapture, 10_000)]
    private static partial Regex Exposure();

    [GeneratedRegex(@"`systemd-analyze security` says (?<number>[0-9]+\.[0-9]+)", RegexOptions.ExplicitCapture, 10_000)]
    private static partial Regex Said();
}
