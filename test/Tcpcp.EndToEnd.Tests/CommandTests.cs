using System.Text.Json;
using System.Runtime.Versioning;

namespace Tcpcp.EndToEnd.Tests;

[SupportedOSPlatform("linux")]
public sealed class CommandTests
{
    [Theory]
    [InlineData]
    [InlineData("--ipv6")]
    [InlineData("--upload")]
    [InlineData("--ipv6", "--upload")]
    public async Task Demo_prints_one_object_and_nothing_else_and_the_peer_notices_nothing(params string[] variant)
    {
        JsonElement report = await RunDemoAsync(["--size", "60", "--rate", "6", .. variant]);
        Assert.Equal(variant.Contains("--ipv6"), report.GetProperty("ipv6").GetBoolean());
        Assert.Equal(variant.Contains("--upload"), report.GetProperty("upload").GetBoolean());
    }

    [Theory]
    [InlineData("--loss", "1")]
    [InlineData("--loss", "4", "--ipv6", "--upload")]
    public async Task Demo_over_a_network_that_loses_packets_sees_segments_again_and_no_contradiction(params string[] variant)
    {
        JsonElement report = await RunDemoAsync(["--size", "40", "--rate", "6", .. variant]);
        Assert.NotEqual(0, report.GetProperty("retransmitted_segments").GetInt32());
    }

    [Fact]
    public async Task Demo_of_an_ordinary_user_works_or_says_what_the_system_does_not_allow()
    {
        string directory = Directory.CreateTempSubdirectory("tcpcp-test-").FullName;
        try
        {
            // Where the tests are built, another user may not be allowed to look.
            await Command.RunProgramAsync("cp", "-r", AppContext.BaseDirectory + ".", directory);
            await Command.RunProgramAsync("chmod", "-R", "a+rX", directory);
            (int exitCode, string output, string error) = await Command.RunProgramAsync("setpriv",
                "--reuid", "65534", "--regid", "65534", "--clear-groups", Path.Combine(directory, "Tcpcp.Cli"), "demo", "--json", "--size", "40", "--rate", "10");
            if (exitCode == 0)
                AssertNothingNoticed(JsonDocument.Parse(output).RootElement);
            else
                Assert.True(exitCode == 1 && output.Length == 0 && error.Contains("Run it as root", StringComparison.Ordinal), output + error);
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private static async Task<JsonElement> RunDemoAsync(string[] arguments)
    {
        (int exitCode, string output, string error) = await Command.RunAsync(["demo", "--json", .. arguments]);
        Assert.True(exitCode == 0, output + error);
        JsonElement report = JsonDocument.Parse(output).RootElement;
        AssertNothingNoticed(report);
        return report;
    }

    private static void AssertNothingNoticed(JsonElement report)
    {
        Assert.True(report.GetProperty("sha256_equal").GetBoolean());
        Assert.Equal(2, report.GetProperty("passes").GetInt32());
        Assert.Equal(2, report.GetProperty("blackout_us").GetArrayLength());
        foreach (string count in (string[])["rst", "unexpected_fin", "contradictions"])
            Assert.Equal(0, report.GetProperty(count).GetInt32());
        Assert.True(report.TryGetProperty("retransmitted_segments", out _));
    }

    [Theory]
    [InlineData("demo", "--passes", "-1")]
    [InlineData("demo", "--size", "x")]
    [InlineData("demo", "--loss", "21")]
    [InlineData("nonsense")]
    [InlineData("check")]
    [InlineData("check", "/nowhere.pcapng", "--peer", "10.0.0.1")]
    public async Task Wrong_use_exits_with_2_and_says_what_is_wrong(params string[] arguments)
    {
        (int exitCode, _, string error) = await Command.RunAsync(arguments);
        Assert.Equal(2, exitCode);
        Assert.NotEqual("", error);
    }
}
