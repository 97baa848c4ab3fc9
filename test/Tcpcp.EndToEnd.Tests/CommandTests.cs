using System.Text.Json;

namespace Tcpcp.EndToEnd.Tests;

public sealed class CommandTests
{
    [Fact]
    public async Task Demo_prints_one_object_and_nothing_else_and_leaves_nothing_behind()
    {
        (int exitCode, string output, string error) = await Command.RunAsync("demo", "--json", "--size", "60", "--rate", "15");
        Assert.True(exitCode == 0, output + error);
        JsonElement report = JsonDocument.Parse(output).RootElement;
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
