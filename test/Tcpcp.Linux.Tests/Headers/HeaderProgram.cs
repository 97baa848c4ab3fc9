using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Tcpcp.Linux.Processes;

namespace Tcpcp.Linux.Tests.Headers;

/// <summary>
/// A C program of static assertions, one a line, so that a line of the compiler's output tells which one it is about. Headers that do not
/// go together (linux/if.h and net/if.h) go into different programs.
/// </summary>
internal static partial class HeaderProgram
{
    private static readonly ChildOptions s_english = new()
    {
        Environment = new Dictionary<string, string>(StringComparer.Ordinal) { ["LC_ALL"] = "C" },
    };

    /// <summary>Skips the test if there is no C compiler.</summary>
    public static async Task RequireCompilerAsync()
    {
        try
        {
            await using ChildProcess gcc = ChildProcess.Start("gcc", ["--version"]);
            Assert.Equal(0, await gcc.Exit);
        }
        catch (KernelException e) when (e.Errno == Errno.ENOENT)
        {
            Assert.Skip("gcc is not installed: apt-get install gcc libc6-dev linux-libc-dev");
        }
    }

    /// <summary>Compiles the assertions.</summary>
    public static async Task<HeaderVerdict> CompileAsync(IReadOnlyCollection<string> headers, IReadOnlyList<HeaderAssertion> assertions)
    {
        StringBuilder source = new();
        foreach (string header in headers)
            source.Append(CultureInfo.InvariantCulture, $"#include <{header}>\n");
        source.Append("#include <stddef.h>\n");
        int first = headers.Count + 2;
        foreach (HeaderAssertion assertion in assertions)
            source.Append(CultureInfo.InvariantCulture, $"_Static_assert({assertion.Condition}, \"\");\n");

        await using ChildProcess gcc = ChildProcess.Start("gcc", ["-std=gnu11", "-D_GNU_SOURCE", "-fsyntax-only", "-w", "-x", "c", "-"],
            s_english with { Input = ChildInput.Of(Encoding.UTF8.GetBytes(source.ToString())) });
        string errors = await gcc.ErrorOutput!.Completed;
        return await gcc.Exit == 0 ? new HeaderVerdict(assertions, [], [], null) : Read(errors, assertions, first);
    }

    private static HeaderVerdict Read(string errors, IReadOnlyList<HeaderAssertion> assertions, int first)
    {
        Dictionary<int, string> failures = [];
        foreach (Match match in ErrorLine().Matches(errors))
        {
            string text = match.Groups["text"].Value;
            if (MissingHeader().Match(text) is { Success: true } missing)
                return new HeaderVerdict([], [], [], missing.Groups["header"].Value);
            int index = int.Parse(match.Groups["line"].ValueSpan, CultureInfo.InvariantCulture) - first;
            Assert.True(match.Groups["file"].Value == "<stdin>" && index >= 0 && index < assertions.Count, errors);
            failures.TryAdd(index, text);
        }

        Assert.True(failures.Count > 0, errors);
        return new HeaderVerdict(
            [.. assertions.Where((_, index) => !failures.ContainsKey(index))],
            [.. assertions.Where((_, index) => failures.TryGetValue(index, out string? text) && IsFalse(text))],
            [.. failures.Where(failure => !IsFalse(failure.Value)).Select(failure => $"{assertions[failure.Key].Subject}: {failure.Value}")],
            null);
    }

    private static bool IsFalse(string text) => text.StartsWith("static assertion failed", StringComparison.Ordinal);

    [GeneratedRegex("^(?<file>[^:\n]+):(?<line>[0-9]+):[0-9]+: (fatal )?error: (?<text>.*)$", RegexOptions.Multiline | RegexOptions.ExplicitCapture, 10_000)]
    private static partial Regex ErrorLine();

    [GeneratedRegex("^(?<header>[^:]+): No such file or directory", RegexOptions.ExplicitCapture, 10_000)]
    private static partial Regex MissingHeader();
}
