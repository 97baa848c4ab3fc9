using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Tcpcp.Core;

namespace Tcpcp.EndToEnd.Tests;

public sealed class InspectionTests(InspectedHost host) : IClassFixture<InspectedHost>
{
    [Theory]
    [InlineData("127.0.0.1", "ipv4")]
    [InlineData("::1", "ipv6")]
    [InlineData("::ffff:127.0.0.1", "v4-mapped")]
    public async Task A_connection_is_listed_with_its_queue_and_its_owner_and_shown_by_both_names(string address, string family)
    {
        (Socket client, Socket server) = host.Connect(address);
        using (client)
        using (server)
        {
            FourTuple connection = InspectedHost.EndsOf(server);
            client.Send(new byte[100]);
            server.Poll(TimeSpan.FromSeconds(20), SelectMode.SelectRead);

            JsonElement listed = await Single(connection, "list");
            Assert.Equal(("ESTABLISHED", family, 100, true), (listed.GetProperty("state").GetString(), listed.GetProperty("family").GetString(),
                listed.GetProperty("unread_bytes").GetInt32(), listed.GetProperty("passable").GetBoolean()));
            JsonElement owner = Assert.Single(listed.GetProperty("owners").EnumerateArray());
            Assert.Equal((Environment.ProcessId, (int)server.Handle), (owner.GetProperty("pid").GetInt32(), owner.GetProperty("descriptor").GetInt32()));

            JsonElement byEnds = await host.JsonAsync("show", connection.ToString());
            JsonElement byDescriptor = await host.JsonAsync("show", InspectedHost.DescriptorOf(server));
            Assert.Equal(byEnds.GetProperty("cookie").GetUInt64(), byDescriptor.GetProperty("cookie").GetUInt64());
            Assert.Equal(100, byEnds.GetProperty("tcp_info").GetProperty("bytes_received").GetInt32());
            Assert.Equal(connection.ToString(), byEnds.GetProperty("socket").GetProperty("connection").GetString());
            (int exitCode, string output, _) = await host.RunAsync("show", connection.ToString());
            Assert.Equal(0, exitCode);
            Assert.Contains(InspectedHost.DescriptorOf(server), output, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task To_show_a_connection_does_not_disturb_it()
    {
        (Socket client, Socket server) = host.Connect();
        using (client)
        using (server)
        {
            await host.JsonAsync("show", InspectedHost.DescriptorOf(server));
            client.Send([42]);
            byte[] received = new byte[1];
            Assert.Equal(1, server.Receive(received));
            Assert.Equal(42, received[0]);
            JsonElement info = (await host.JsonAsync("show", InspectedHost.DescriptorOf(server))).GetProperty("tcp_info");
            Assert.Equal(1, info.GetProperty("data_segs_in").GetInt32());
            Assert.Equal(0, info.GetProperty("total_retrans").GetInt32());
        }
    }

    [Fact]
    public async Task Filters_leave_out_the_others()
    {
        (Socket client, Socket server) = host.Connect();
        (Socket otherClient, Socket otherServer) = host.Connect();
        using (client)
        using (server)
        using (otherClient)
        using (otherServer)
        {
            FourTuple connection = InspectedHost.EndsOf(server);
            string port = string.Create(CultureInfo.InvariantCulture, $":{connection.Local.Port}");
            foreach (string local in (string[])[port, connection.Local.ToString()])
                Assert.Equal([connection.ToString()], Names(await host.JsonAsync("list", "--local", local)));
            string pid = Environment.ProcessId.ToString(CultureInfo.InvariantCulture);
            Assert.Contains(connection.ToString(), Names(await host.JsonAsync("list", "--pid", pid)));
            Assert.Empty(Names(await host.JsonAsync("list", "--pid", "1")));
            Assert.Empty(Names(await host.JsonAsync("list", "--local", port, "--state", "close-wait")));
            client.Shutdown(SocketShutdown.Send);
            server.Receive(new byte[1]);
            Assert.Equal([connection.ToString()], Names(await host.JsonAsync("list", "--local", port, "--state", "close-wait")));
            Assert.True((await Single(connection, "list")).GetProperty("passable").GetBoolean());
        }
    }

    [Fact]
    public async Task What_cannot_be_passed_is_listed_with_the_reason()
    {
        (Socket client, Socket server) = host.Connect();
        FourTuple connection = InspectedHost.EndsOf(client);
        client.Shutdown(SocketShutdown.Send);
        Assert.Equal(0, server.Receive(new byte[1]));
        server.Dispose();
        Assert.Equal(0, client.Receive(new byte[1]));
        client.Dispose();
        JsonElement listed = await Single(connection, "list", "--state", "TIME_WAIT");
        Assert.False(listed.GetProperty("passable").GetBoolean());
        Assert.Contains("TIME_WAIT", listed.GetProperty("not_passable_because").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_connection_that_is_not_there_fails_and_says_what_to_do()
    {
        (Socket client, Socket server) = host.Connect();
        using (client)
        using (server)
        {
            (int exitCode, string output, string error) = await InspectedHost.RunAsync(host.Other, Command.Path, "show", InspectedHost.DescriptorOf(server));
            Assert.Equal((1, ""), (exitCode, output));
            Assert.Contains("another network namespace", error, StringComparison.Ordinal);
        }

        foreach (string name in (string[])["127.0.0.1:1-127.0.0.1:2", "pid:2147483647/3",
            string.Create(CultureInfo.InvariantCulture, $"pid:{Environment.ProcessId}/999999")])
        {
            (int exitCode, _, string error) = await host.RunAsync("show", name, "--json");
            Assert.Equal(1, exitCode);
            Assert.StartsWith("tcpcp show: ", error, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_connection_named_from_the_peer_s_side_is_recognised()
    {
        using Socket listener = host.Other.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
        listener.Bind(new IPEndPoint(host.Other.IPv4, 0));
        listener.Listen();
        using Socket client = host.Host.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
        client.Connect(listener.LocalEndPoint!);
        (int exitCode, _, string error) = await host.RunAsync("show", InspectedHost.EndsOf(client).Reversed.ToString());
        Assert.Equal(1, exitCode);
        Assert.Contains("write this host's end first", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("show")]
    [InlineData("show", "pid:5")]
    [InlineData("show", "127.0.0.1:80")]
    [InlineData("show", "pid:0/5")]
    [InlineData("list", "--state", "nonsense")]
    [InlineData("list", "--local", "10")]
    [InlineData("doctor", "--nonsense")]
    [InlineData("completions", "powershell")]
    public async Task Wrong_use_exits_with_2_and_says_what_is_wrong(params string[] arguments)
    {
        (int exitCode, _, string error) = await Command.RunAsync(arguments);
        Assert.Equal(2, exitCode);
        Assert.NotEqual("", error);
    }

    [Theory]
    [InlineData("doctor")]
    [InlineData("list")]
    [InlineData("show")]
    [InlineData("completions")]
    public async Task The_help_has_examples_and_exit_codes(string command)
    {
        (int exitCode, string output, _) = await Command.RunAsync(command, "--help");
        Assert.Equal(0, exitCode);
        Assert.Contains($"  tcpcp {command}", output, StringComparison.Ordinal);
        Assert.Contains("Exit codes: 0 ", output, StringComparison.Ordinal);
    }

    private static IEnumerable<string> Names(JsonElement list) => list.EnumerateArray().Select(item => item.GetProperty("connection").GetString()!);

    private async Task<JsonElement> Single(FourTuple connection, params string[] arguments) => Assert.Single(
        (await host.JsonAsync(arguments)).EnumerateArray(), item => item.GetProperty("connection").GetString() == connection.ToString());
}
