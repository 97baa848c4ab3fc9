using System.Xml.Linq;

namespace Tcpcp.Core.Tests.Architecture;

/// <summary>References between projects run one way only.</summary>
public class ReferenceTests
{
    // What each project may reference; what it gets through a reference it may also name.
    private static readonly Dictionary<string, string[]> s_allowed = new(StringComparer.Ordinal)
    {
        ["Tcpcp.Core"] = [],
        ["Tcpcp.Linux"] = ["Tcpcp.Core"],
        ["Tcpcp"] = ["Tcpcp.Core", "Tcpcp.Linux"],
        ["Tcpcp.Configuration"] = [],
        ["Tcpcp.Agent"] = ["Tcpcp.Core", "Tcpcp.Linux", "Tcpcp", "Tcpcp.Configuration"],
        ["Tcpcp.Relay"] = ["Tcpcp.Core", "Tcpcp.Linux", "Tcpcp", "Tcpcp.Configuration"], // not Agent
        ["Tcpcp.AspNetCore"] = ["Tcpcp.Core", "Tcpcp.Linux", "Tcpcp"], // not Agent
        ["Tcpcp.Check"] = ["Tcpcp.Core"],
        ["Tcpcp.Lab"] = ["Tcpcp.Core", "Tcpcp.Linux"],
        ["Tcpcp.Cli"] =
        [
            "Tcpcp.Core", "Tcpcp.Linux", "Tcpcp", "Tcpcp.Configuration", "Tcpcp.Agent", "Tcpcp.Relay", "Tcpcp.AspNetCore", "Tcpcp.Check", "Tcpcp.Lab", "FileServer",
        ],
    };

    private static readonly string[] s_allowedToSamples = ["Tcpcp", "Tcpcp.Agent", "Tcpcp.AspNetCore"];

    public static TheoryData<string> Libraries => [.. SourceTree.Files("*.csproj", "src")];

    public static TheoryData<string> Samples => [.. SourceTree.Files("*.csproj", "samples")];

    [Theory]
    [MemberData(nameof(Libraries))]
    public void A_project_in_src_references_only_what_lies_below_it(string project)
    {
        string name = Path.GetFileNameWithoutExtension(project);
        Assert.True(s_allowed.TryGetValue(name, out string[]? allowed), $"{name} is new: say in this test what it may reference.");
        Assert.Empty(ReferencesOf(SourceTree.Read(project)).Except(allowed!, StringComparer.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Samples))]
    public void A_sample_references_only_what_its_readers_can(string project) =>
        Assert.Empty(ReferencesOf(SourceTree.Read(project)).Except(s_allowedToSamples, StringComparer.Ordinal));

    [Theory]
    [MemberData(nameof(Libraries))]
    public void Nothing_in_src_takes_anything_from_test_or_bench(string project) =>
        Assert.DoesNotContain(IncludesOf(SourceTree.Read(project)), include => include.Split('/', '\\').Any(part => part is "test" or "bench"));

    [Fact]
    public void The_rule_itself_has_no_cycle() => Assert.All(s_allowed, rule =>
        Assert.All(rule.Value.Where(s_allowed.ContainsKey), below => Assert.DoesNotContain(rule.Key, s_allowed[below])));

    [Fact]
    public void A_planted_reference_is_found() => Assert.Equal(["Tcpcp.Agent"], ReferencesOf(
        """<Project><ItemGroup Condition="'$(X)' == ''"><ProjectReference Include="..\Tcpcp.Agent\Tcpcp.Agent.csproj" /></ItemGroup></Project>"""));

    private static IEnumerable<string> ReferencesOf(string project) => XDocument.Parse(project).Descendants("ProjectReference")
        .Select(reference => Path.GetFileNameWithoutExtension(reference.Attribute("Include")!.Value.Replace('\\', '/')));

    private static IEnumerable<string> IncludesOf(string project) =>
        XDocument.Parse(project).Descendants().Attributes().Where(attribute => attribute.Name == "Include" || attribute.Name == "Project").Select(attribute => attribute.Value);
}
