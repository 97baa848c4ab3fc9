using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace Tcpcp.Core.Tests.Architecture;

/// <summary>What no file outside Tcpcp.Linux, or no file at all, may contain.</summary>
public partial class SourceTests
{
    private const string Native = "src/Tcpcp.Linux/";

    private static readonly string[] s_code = ["src", "samples", "test", "bench"];

    [Fact]
    public void Native_calls_are_in_Tcpcp_Linux_alone() =>
        Assert.All(FilesWith(NativeCall(), s_code), file => Assert.StartsWith(Native, file, StringComparison.Ordinal));

    [Fact]
    public void Unsafe_code_is_in_Tcpcp_Linux_alone() =>
        Assert.All(FilesWith(UnsafeCode(), s_code), file => Assert.StartsWith(Native, file, StringComparison.Ordinal));

    [Fact]
    public void Native_calls_and_unsafe_code_are_found_where_they_are()
    {
        Assert.NotEmpty(FilesWith(NativeCall(), [Native]));
        Assert.NotEmpty(FilesWith(UnsafeCode(), [Native]));
    }

    [Fact]
    public void Unsafe_blocks_are_allowed_in_Tcpcp_Linux_alone()
    {
        string[] projects =
        [
            .. SourceTree.Files("*.csproj", s_code), .. SourceTree.Files("*.props", s_code), .. SourceTree.Files("*.targets", s_code),
            "Directory.Build.props", "Directory.Build.targets",
        ];
        Assert.Equal(["src/Tcpcp.Linux/Tcpcp.Linux.csproj"], projects.Where(project => AllowsUnsafe(SourceTree.Read(project))));
    }

    [Fact]
    public void Nothing_in_src_starts_a_program_by_the_framework() => Assert.Empty(FilesWith(ProgramStart(), ["src"]));

    [Fact]
    public void Nothing_is_left_to_do() => Assert.All(
        SourceTree.Files("*", [.. s_code, "proto", "eng", "docs"]), file => Assert.DoesNotMatch(Unfinished(), SourceTree.Read(file)));

    [Theory]
    [InlineData("""[DllImport("libc")] static extern int getpid();""")]
    [InlineData("""[LibraryImport("libc")] private static partial int getpid();""")]
    [InlineData("[System.Runtime.InteropServices.LibraryImportAttribute(\"libc\")]")]
    [InlineData("static extern int f();")]
    [InlineData("nint handle = NativeLibrary.Load(name);")]
    public void A_planted_native_call_is_found(string code) => Assert.Matches(NativeCall(), CodeText.Of(Planted(code)));

    [Theory]
    [InlineData("unsafe { int* p = null; }")]
    [InlineData("private static unsafe void F() {}")]
    public void Planted_unsafe_code_is_found(string code) => Assert.Matches(UnsafeCode(), CodeText.Of(Planted(code)));

    [Theory]
    [InlineData("Process.Start(\"ip\");")]
    [InlineData("using Process child = new();")]
    [InlineData("System.Diagnostics.Process child = new System.Diagnostics.Process();")]
    [InlineData("ProcessStartInfo info = new();")]
    public void A_planted_program_start_is_found(string code) => Assert.Matches(ProgramStart(), CodeText.Of(Planted(code)));

    [Theory]
    [InlineData("// unsafe, extern, [DllImport]")]
    [InlineData("/* unsafe\n   extern */")]
    [InlineData("string s = \"unsafe \\\" extern\";")]
    [InlineData("string s = @\"unsafe \"\" extern\\\";")]
    [InlineData("string s = $\"unsafe {x} extern\";")]
    [InlineData("string s = \"\"\"\n  unsafe \"extern\" \n  \"\"\";")]
    [InlineData("string s = $$\"\"\"\n  {{x}} unsafe\n  \"\"\";")]
    [InlineData("Unsafe.SkipInit(out int x); bool isUnsafe = externs > 0;")]
    [InlineData("char c = '\"'; string s = \"unsafe\"; char d = '\\''; char e = '\\u0022';")]
    [InlineData("int pid = Process.GetCurrentProcess().Id;")]
    public void What_only_looks_like_it_is_passed_over(string code)
    {
        string text = CodeText.Of(Planted(code));
        Assert.DoesNotMatch(NativeCall(), text);
        Assert.DoesNotMatch(UnsafeCode(), text);
        Assert.DoesNotMatch(ProgramStart(), text);
        Assert.Contains("class Before", text, StringComparison.Ordinal);
        Assert.Contains("class After", text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_planted_permission_for_unsafe_blocks_is_found()
    {
        Assert.True(AllowsUnsafe("<Project><PropertyGroup><AllowUnsafeBlocks> True </AllowUnsafeBlocks></PropertyGroup></Project>"));
        Assert.False(AllowsUnsafe("<Project><!-- <AllowUnsafeBlocks>true</AllowUnsafeBlocks> --></Project>"));
    }

    private static IEnumerable<string> FilesWith(Regex pattern, IEnumerable<string> folders) =>
        SourceTree.Files("*.cs", folders).Where(file => pattern.IsMatch(CodeText.Of(SourceTree.Read(file))));

    private static string Planted(string code) => $"class Before {{ string s = \"a\"; }}\n{code}\nclass After {{ string s = \"b\"; }} // end";

    private static bool AllowsUnsafe(string project) => XDocument.Parse(project).Descendants("AllowUnsafeBlocks")
        .Any(element => !element.Value.Trim().Equals("false", StringComparison.OrdinalIgnoreCase));

    [GeneratedRegex(@"\b(DllImport|LibraryImport|DllImportAttribute|LibraryImportAttribute|extern|NativeLibrary)\b", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex NativeCall();

    [GeneratedRegex(@"\bunsafe\b", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex UnsafeCode();

    [GeneratedRegex(@"\bProcessStartInfo\b|\bProcess\s*\.\s*Start\b|\bnew\s+([\w.]+\.)?Process\b|\bProcess\s+\w+\s*=\s*new\s*\(", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex ProgramStart();

    [GeneratedRegex(@"\bTO" + @"DO\b", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex Unfinished();
}
