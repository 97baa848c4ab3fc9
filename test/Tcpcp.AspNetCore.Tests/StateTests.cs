using Google.Protobuf;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Hosting.Internal;
using Tcpcp.AspNetCore.Passing;
using Tcpcp.AspNetCore.Responses;
using Tcpcp.Core.Wire;

namespace Tcpcp.AspNetCore.Tests;

/// <summary>What comes with connections is not trusted.</summary>
public sealed class StateTests
{
    public static TheoryData<string, string> Faults => new()
    {
        { """{"version": 2, "connections": [{"passes": 1}]}""", "version 2" },
        { """{"version": 1}""", "1 connections came" },
        { """{"version": 1, "connections": [{}]}""", "lacks" },
        { """{"version": 1, "connections": [{"passes": 1, "exchange": {}}]}""", "lacks" },
        { """{"version": 1, "connections": [{"passes": 1, "exchange": {"head": "R0VU", "webSocket": {}}}]}""", "lacks" }, // no end
        { """{"version": 1, "connections": [{"passes": 1, "exchange": {"head": "DQoNCg==", "status": 99, "response": {}}}]}""", "lacks" },
        { """{"version": 1, "connections": [{"passes": 1, "exchange": {"head": "DQoNCg==", "status": 200, "response": {"file": {"path": "f", "length": 1, "next": 2, "end": 1}}}}]}""", "lacks" },
        { """{"version": 1, "connections": [{"passes": 1, "exchange": {"head": "DQoNCg==", "webSocket": {"serverWindowBits": 99}}}]}""", "lacks" },
    };

    [Theory]
    [MemberData(nameof(Faults))]
    public void State_that_is_not_whole_is_refused(string json, string reason)
    {
        byte[] bytes = JsonParser.Default.Parse<ServedConnections>(json).ToByteArray();
        Assert.Null(ExchangeWire.Read(bytes, count: 1, out string fault));
        Assert.Contains(reason, fault, StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_no_state_is_refused()
    {
        Assert.Null(ExchangeWire.Read((byte[])[0xff, 0xff, 0xff], count: 1, out string fault));
        Assert.Contains("not that of a server's connections", fault, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("../../etc/passwd")]
    [InlineData("/etc/passwd")]
    [InlineData("../../nowhere")]
    public void Of_a_file_outside_the_content_root_nothing_is_told(string path)
    {
        using ServiceProvider services = new ServiceCollection().AddSingleton<IHostEnvironment>(new HostingEnvironment { ContentRootPath = "/usr/share" }).BuildServiceProvider();
        FileExaminer files = ActivatorUtilities.CreateInstance<FileExaminer>(services);
        Assert.Equal($"The file {path} is another one here.", files.FindObjection(new ServerFile { Path = path, Length = 1 }));
    }

    [Fact]
    public void What_was_written_is_read()
    {
        ServerConnection connection = new() { Passes = 3, Unread = ByteString.CopyFromUtf8("GET") };
        Assert.Equal([connection], ExchangeWire.Read(ExchangeWire.Write([connection]), count: 1, out _));
    }
}
