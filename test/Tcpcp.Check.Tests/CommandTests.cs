using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Tcpcp.Check.Tests.Wire;
using Tcpcp.Cli.Check;

namespace Tcpcp.Check.Tests;

/// <summary>The command: what stands on standard output, and the exit codes. Not in parallel: it writes to the console.</summary>
[Collection("console")]
public sealed class CommandTests : IDisposable
{
    private readonly string _path = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());

    public void Dispose() => File.Delete(_path);

    [Fact]
    public void Clean_capture_exits_0_and_prints_one_json_object()
    {
        (int code, string output, _) = Run(RuleTests.Established(), "--json", "--pass-at", "1764000000.005", "--pass-at", "1764000001");
        using JsonDocument json = JsonDocument.Parse(output);
        JsonElement connection = json.RootElement.GetProperty("connections")[0];
        Assert.Equal(0, code);
        Assert.Equal("clean", json.RootElement.GetProperty("verdict").GetString());
        Assert.Equal(0, json.RootElement.GetProperty("contradictions").GetInt64());
        Assert.Equal("192.0.2.1:80-192.0.2.9:51514", connection.GetProperty("four_tuple").GetString());
        Assert.Equal(0, connection.GetProperty("rst").GetInt64());
        Assert.Equal(0, connection.GetProperty("unexpected_fin").GetInt64());
        Assert.Equal(0, connection.GetProperty("findings").GetArrayLength());
        Assert.Equal(1000, connection.GetProperty("service").GetProperty("stream_bytes").GetInt64());
        Assert.Equal([1764000000.005, 1764000001.0], connection.GetProperty("hand_overs").EnumerateArray().Select(item =>
            item.GetProperty("instant").GetDouble()));
    }

    [Fact]
    public void Contradictions_exit_1_and_are_listed()
    {
        Conversation conversation = RuleTests.Established().FromService(1001, 1001, 0, "RA");
        (int code, string output, _) = Run(conversation, "--json");
        using JsonDocument json = JsonDocument.Parse(output);
        JsonElement finding = json.RootElement.GetProperty("connections")[0].GetProperty("findings")[0];
        Assert.Equal(1, code);
        Assert.Equal("reset", finding.GetProperty("kind").GetString());
        Assert.Equal(7, finding.GetProperty("packet").GetInt64());
        Assert.Equal(1, json.RootElement.GetProperty("rst").GetInt64());
    }

    [Fact]
    public void Capture_with_holes_exits_1_and_says_so()
    {
        Conversation conversation = RuleTests.Established().FromPeer(1001, 5001);
        (int code, string output, _) = Run(conversation, "--json");
        using JsonDocument json = JsonDocument.Parse(output);
        Assert.Equal(1, code);
        Assert.Equal("incomplete", json.RootElement.GetProperty("verdict").GetString());
        Assert.Equal(4000, json.RootElement.GetProperty("connections")[0].GetProperty("missing_service_bytes").GetInt64());
    }

    [Fact]
    public void Table_has_the_connection_and_the_findings()
    {
        Conversation conversation = RuleTests.Established();
        conversation.Add(conversation.Segment(true, 1001, 1001) with { Mac = 2 });
        Assert.Equal(0, Run(conversation).Code);
        Assert.Equal(1, Run(conversation.FromService(1001, 900)).Code);
    }

    [Theory]
    [InlineData("--peer", "198.51.100.7")]
    [InlineData("--peer", "192.0.2.9:1")]
    [InlineData("--peer", "somewhere")]
    [InlineData("--window-scale", "15")]
    [InlineData("--expect-bytes", "-1")]
    [InlineData("--pass-at", "yesterday")]
    public void Wrong_use_exits_2_with_nothing_on_standard_output(string option, string value)
    {
        (int code, string output, string error) = Run(RuleTests.Established(), "--json", option, value);
        Assert.NotEqual(0, code);
        Assert.True(option != "--peer" || value == "somewhere" || code == 2);
        Assert.DoesNotContain("{", output, StringComparison.Ordinal);
        Assert.NotEmpty(error);
    }

    [Fact]
    public void Missing_and_foreign_files_exit_2()
    {
        Assert.Equal(2, Invoke(["check", _path, "--peer", "192.0.2.9"]).Code);
        File.WriteAllText(_path, "this is no capture");
        (int code, string output, string error) = Invoke(["check", _path, "--peer", "192.0.2.9"]);
        Assert.Equal((2, ""), (code, output));
        Assert.Contains("tcpdump", error, StringComparison.Ordinal);
    }

    [Fact]
    public void Peer_may_have_a_port() => Assert.Equal(0, Run(RuleTests.Established(), "--peer", "192.0.2.9:51514").Code);

    private (int Code, string Output, string Error) Run(Conversation conversation, params string[] arguments)
    {
        File.WriteAllBytes(_path, PcapFile.Write(conversation.Frames));
        string[] peer = arguments.Contains("--peer") ? [] : ["--peer", conversation.Peer.ToString()];
        return Invoke(["check", _path, .. peer, .. arguments]);
    }

    private static (int Code, string Output, string Error) Invoke(string[] arguments)
    {
        TextWriter output = Console.Out;
        TextWriter error = Console.Error;
        using StringWriter capturedOutput = new(CultureInfo.InvariantCulture);
        using StringWriter capturedError = new(CultureInfo.InvariantCulture);
        Console.SetOut(capturedOutput);
        Console.SetError(capturedError);
        try
        {
            RootCommand root = new() { CheckCommand.Create() };
            return (root.Parse(arguments).Invoke(), capturedOutput.ToString(), capturedError.ToString());
        }
        finally
        {
            Console.SetOut(output);
            Console.SetError(error);
        }
    }
}
