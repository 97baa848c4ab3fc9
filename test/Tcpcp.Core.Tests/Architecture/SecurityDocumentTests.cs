using System.Text.RegularExpressions;

namespace Tcpcp.Core.Tests.Architecture;

/// <summary>What docs/security.md says is proved is proved by a test that there is.</summary>
public partial class SecurityDocumentTests
{
    private const string Document = "docs/security.md";

    // A threat without a test says that it is not defended against.
    private const string NotDefended = "Not defended against";

    private static readonly Lazy<IReadOnlyList<string>> s_tests = new(() => [.. SourceTree.Files("*Tests.cs", "test")]);

    [Fact]
    public void Every_test_that_is_named_exists()
    {
        string[] named = [.. NamedTest().Matches(SourceTree.Read(Document)).Select(match => match.Value.Trim('`'))];
        Assert.True(named.Length > 50, $"{Document} names only {named.Length} tests.");
        Assert.All(named, name => Assert.True(Exists(name), $"There is no test {name}."));
    }

    [Fact]
    public void Every_threat_has_a_test_or_says_that_it_has_none()
    {
        string[] threats = [.. SourceTree.Read(Document).Split('\n').SkipWhile(line => !line.StartsWith("| threat", StringComparison.Ordinal))
            .TakeWhile(line => !line.StartsWith("## The agent as a service", StringComparison.Ordinal))
            .Where(line => line.StartsWith('|') && !line.StartsWith("| threat", StringComparison.Ordinal) && !line.StartsWith("|--", StringComparison.Ordinal))];
        Assert.True(threats.Length > 20, $"{Document} has only {threats.Length} threats.");
        Assert.All(threats, threat => Assert.True(NamedTest().IsMatch(threat) || threat.Contains(NotDefended, StringComparison.Ordinal), threat));
    }

    [Theory]
    [InlineData("SecurityDocumentTests.Every_test_that_is_named_exists", true)]
    [InlineData("SecurityDocumentTests.Nothing_of_that_name", false)]
    [InlineData("NoSuchTests.Every_test_that_is_named_exists", false)]
    public void A_name_that_is_wrong_is_found(string name, bool exists) => Assert.Equal(exists, Exists(name));

    private static bool Exists(string name)
    {
        string[] parts = name.Split('.');
        return s_tests.Value.Any(file => Path.GetFileName(file) == parts[0] + ".cs"
            && Regex.IsMatch(CodeText.Of(SourceTree.Read(file)), $@"\bpublic (async )?(Task|void) {parts[1]}\(", RegexOptions.None, TimeSpan.FromSeconds(10)));
    }

    [GeneratedRegex("`[A-Za-z0-9]+Tests\\.[A-Z][A-Za-z0-9_]+`", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex NamedTest();
}
