using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using Tcpcp.Linux.Processes;

namespace Tcpcp.EndToEnd.Tests.Relays;

/// <summary>What a relay does with clients and servers, good and bad ones.</summary>
public sealed class RelayTests
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(30);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Every_byte_arrives_in_both_directions_and_closed_sides_are_heard(bool ipv6)
    {
        const int Bytes = 30_000_000;
        await using RelayHosts lab = await RelayHosts.CreateAsync();
        using LabServer server = lab.Serve(9000);
        lab.Add("echo", 8000, 9000);
        await lab.Relay.StartAsync();
        Socket client = await lab.ConnectAsync(8000, ipv6: ipv6);
        byte[] sent = new byte[Bytes], heard = new byte[Bytes];
        Random.Shared.NextBytes(sent);
        Task sending = Task.Run(async () =>
        {
            for (int at = 0; at < Bytes;)
                at += await client.SendAsync(sent.AsMemory(at));
            client.Shutdown(SocketShutdown.Send);
        });
        int length = 0;
        while (length < Bytes && await client.ReceiveAsync(heard.AsMemory(length)).AsTask().WaitAsync(s_limit) is > 0 and int count)
            length += count;
        await sending;
        Assert.False(await client.UntilEndedAsync());
        Assert.True(sent.AsSpan().SequenceEqual(heard));
        await lab.Relay.UntilLoggedAsync($"client-closed; {Bytes} bytes to the server, {Bytes} to the client");
        await Eventually.True(async () => await lab.Relay.SessionsAsync("echo") == 0 && server.Count == 0);
    }

    [Fact]
    public async Task Who_does_not_read_slows_the_sender_down_and_loses_nothing()
    {
        const int Bytes = 96_000_000; // more than the kernels keep
        await using RelayHosts lab = await RelayHosts.CreateAsync();
        lab.Serve(9000);
        lab.Add("echo", 8000, 9000);
        await lab.Relay.StartAsync();
        Socket client = await lab.ConnectAsync(8000);
        byte[] sent = new byte[Bytes];
        Random.Shared.NextBytes(sent);
        int written = 0;
        Task sending = Task.Run(async () =>
        {
            while (written < Bytes)
                Volatile.Write(ref written, written + await client.SendAsync(sent.AsMemory(written, Math.Min(100_000, Bytes - written))));
        });
        int before = -1;
        await Eventually.True(async () =>
        {
            (int last, before) = (before, Volatile.Read(ref written));
            await Task.Delay(200);
            return last == before && before > 0; // all buffers are full
        });
        Assert.InRange(before, 1, Bytes - 1);
        byte[] heard = new byte[Bytes];
        for (int length = 0; length < Bytes;)
            length += await client.ReceiveAsync(heard.AsMemory(length)).AsTask().WaitAsync(s_limit);
        await sending;
        Assert.True(sent.AsSpan().SequenceEqual(heard));
    }

    [Fact]
    public async Task A_reset_of_one_side_resets_the_other_one()
    {
        await using RelayHosts lab = await RelayHosts.CreateAsync();
        using LabServer server = lab.Serve(9000);
        lab.Add("echo", 8000, 9000);
        await lab.Relay.StartAsync();
        Socket client = await lab.ConnectAsync(8000);
        await client.ExchangeAsync("hello");
        client.LingerState = new LingerOption(enable: true, 0);
        client.Close();
        await Eventually.True(() => server.Count == 0);
        await lab.Relay.UntilLoggedAsync("client-reset");

        Socket other = await lab.ConnectAsync(8000);
        await other.ExchangeAsync("hello");
        server.ResetAll();
        Assert.True(await other.UntilEndedAsync());
        await lab.Relay.UntilLoggedAsync("server-reset");
    }

    [Fact]
    public async Task A_server_that_is_down_is_passed_over_and_left_out_and_taken_again_when_checks_find_it_up()
    {
        await using RelayHosts lab = await RelayHosts.CreateAsync();
        lab.Serve(9002, "2");
        (_, JsonObject pool) = lab.Add("pair", 8000, 9001, 9002);
        pool["eject"] = new JsonObject { ["after"] = 2, ["time"] = "10m" };
        lab.Add("down", 8001, 9003);
        (_, JsonObject checkedPool) = lab.Add("checked", 8002, 9004);
        checkedPool["check"] = new JsonObject { ["interval"] = "100ms", ["rise"] = 1, ["fall"] = 1 };
        await lab.Relay.StartAsync();
        for (int i = 0; i < 6; i++)
            Assert.Equal("2", await (await lab.ConnectAsync(8000)).HearAsync(1));
        await lab.Relay.UntilLoggedAsync("The server s1 of pair is left out");
        Assert.Equal("ejected", await HealthOfAsync(lab.Relay, "pair"));

        await (await lab.ConnectAsync(8001)).UntilEndedAsync();
        await lab.Relay.UntilLoggedAsync("connect-failed");

        await Eventually.True(async () => await HealthOfAsync(lab.Relay, "checked") == "down");
        await (await lab.ConnectAsync(8002)).UntilEndedAsync();
        await lab.Relay.UntilLoggedAsync("no-server");
        lab.Serve(9004, "4");
        await Eventually.True(async () => await HealthOfAsync(lab.Relay, "checked") == "up");
        Assert.Equal("4", await (await lab.ConnectAsync(8002)).HearAsync(1));
    }

    [Fact]
    public async Task Sessions_in_which_nothing_happens_end_by_their_timeouts()
    {
        await using RelayHosts lab = await RelayHosts.CreateAsync();
        lab.Serve(9001, isSilent: true);
        lab.Add("idle", 8001, 9001).Listener["idle-timeout"] = "500ms";
        lab.Add("half", 8002, 9001).Listener["half-closed-timeout"] = "500ms";
        lab.Add("total", 8003, 9001).Listener["total-timeout"] = "500ms";
        lab.Add("patient", 8004, 9001);
        await lab.Relay.StartAsync();
        Socket idle = await lab.ConnectAsync(8001), half = await lab.ConnectAsync(8002), total = await lab.ConnectAsync(8003), patient = await lab.ConnectAsync(8004);
        half.Shutdown(SocketShutdown.Send);
        await Task.WhenAll(idle.UntilEndedAsync(), half.UntilEndedAsync(), total.UntilEndedAsync());
        foreach (string end in (string[])[": idle;", ": half-closed;", ": lifetime;"])
            await lab.Relay.UntilLoggedAsync(end);
        Assert.True(patient.Connected);
        Assert.Equal(1, await lab.Relay.SessionsAsync("patient"));
    }

    [Fact]
    public async Task A_listener_is_full_of_clients_that_say_nothing_until_they_have_had_their_time()
    {
        const int Room = 4;
        await using RelayHosts lab = await RelayHosts.CreateAsync();
        lab.Serve(9000);
        (JsonObject listener, _) = lab.Add("proxied", 8000, 9000);
        (listener["proxy-protocol"], listener["prologue-timeout"], listener["max-sessions"]) = (true, "1s", Room);
        await lab.Relay.StartAsync();
        Socket[] silent = await Task.WhenAll(Enumerable.Range(0, 3 * Room).Select(_ => lab.ConnectAsync(8000)));
        await Eventually.True(async () => await lab.Relay.SessionsAsync("proxied") == Room);
        Socket client = await lab.ConnectAsync(8000);
        await client.SendAsync("PROXY TCP4 198.51.100.7 10.0.0.2 4711 8000\r\n"u8.ToArray());
        await client.ExchangeAsync("hello");
        await Task.WhenAll(silent.Select(one => one.UntilEndedAsync()));
        await lab.Relay.UntilLoggedAsync("prologue-timeout");
        client.Shutdown(SocketShutdown.Send);
        await lab.Relay.UntilLoggedAsync("198.51.100.7:4711 to proxied/s1: client-closed");
    }

    [Fact]
    public async Task The_clients_address_is_read_from_a_PROXY_header_and_written_to_the_server()
    {
        await using RelayHosts lab = await RelayHosts.CreateAsync();
        using LabServer server = lab.Serve(9000);
        (JsonObject listener, JsonObject pool) = lab.Add("proxied", 8000, 9000);
        (listener["proxy-protocol"], pool["servers"]!["s1"]!["send-proxy"]) = (true, true);
        await lab.Relay.StartAsync();
        Socket client = await lab.ConnectAsync(8000);
        await client.SendAsync("PROXY TCP4 198.51.100.7 10.0.0.2 4711 8000\r\nhello"u8.ToArray());
        byte[] expected = [.. "\r\n\r\n\0\r\nQUIT\n"u8, 0x21, 0x11, 0, 12, 198, 51, 100, 7, 10, 0, 0, 2, 4711 >> 8, 4711 & 0xFF, 8000 >> 8, 8000 & 0xFF, .. "hello"u8];
        await client.HearAsync(expected.Length); // the server says it back
        Assert.Equal(expected, server.FirstBytes);

        Socket wrong = await lab.ConnectAsync(8000);
        await wrong.SendAsync("GET / HTTP/1.1\r\n"u8.ToArray());
        await wrong.UntilEndedAsync();
        await lab.Relay.UntilLoggedAsync("bad-prologue");
    }

    [Fact]
    public async Task The_name_in_TLS_decides_where_a_session_goes_and_TLS_goes_through_untouched()
    {
        await using RelayHosts lab = await RelayHosts.CreateAsync();
        LabServer[] servers = [lab.Serve(9001), lab.Serve(9002), lab.Serve(9003)];
        lab.Add("one", 8001, 9001);
        lab.Add("two", 8002, 9002);
        (JsonObject listener, _) = lab.Add("tls", 8000, 9003);
        listener["names"] = new JsonObject { ["one.example.net"] = "one", ["*.example.org"] = "two" };
        (JsonObject strict, _) = lab.Add("strict", 8003, 9003);
        strict.Remove("pool");
        strict["names"] = new JsonObject { ["one.example.net"] = "one" };
        await lab.Relay.StartAsync();
        foreach ((string name, int server) in (IEnumerable<(string, int)>)[("one.example.net", 0), ("a.b.example.org", 1), ("other.example.net", 2)])
        {
            Socket client = await lab.ConnectAsync(8000);
            await using SslStream tls = new(new NetworkStream(client));
            Task shaking = tls.AuthenticateAsClientAsync(name);
            await Eventually.True(() => Encoding.ASCII.GetString(servers[server].FirstBytes).Contains(name, StringComparison.Ordinal));
            Assert.Equal((0x16, 0x03), (servers[server].FirstBytes[0], servers[server].FirstBytes[1]));
            await Assert.ThrowsAnyAsync<Exception>(() => shaking); // an echo is no TLS server
        }

        Socket unknown = await lab.ConnectAsync(8003);
        await using SslStream refused = new(new NetworkStream(unknown));
        await Assert.ThrowsAnyAsync<IOException>(() => refused.AuthenticateAsClientAsync("two.example.net"));
        await lab.Relay.UntilLoggedAsync("no-route");
    }

    [Fact]
    public async Task Who_may_not_come_or_has_come_too_often_is_sent_away()
    {
        await using RelayHosts lab = await RelayHosts.CreateAsync();
        lab.Serve(9000);
        lab.Add("denied", 8001, 9000).Listener["deny"] = new JsonArray("10.0.0.11");
        lab.Add("few", 8002, 9000).Listener["max-per-source"] = 1;
        await lab.Relay.StartAsync();
        IPAddress first = IPAddress.Parse("10.0.0.1"), second = IPAddress.Parse("10.0.0.11");
        await (await lab.ConnectAsync(8001, first)).ExchangeAsync("hello");
        await (await lab.ConnectAsync(8001, second)).UntilEndedAsync();
        await lab.Relay.UntilLoggedAsync("denied");

        Socket one = await lab.ConnectAsync(8002, first);
        await one.ExchangeAsync("hello");
        await (await lab.ConnectAsync(8002, first)).UntilEndedAsync();
        await lab.Relay.UntilLoggedAsync("source-limit");
        await (await lab.ConnectAsync(8002, second)).ExchangeAsync("hello");
        one.Shutdown(SocketShutdown.Send);
        await one.UntilEndedAsync();
        await Eventually.True(async () => await lab.Relay.SessionsAsync("few") == 1);
        await (await lab.ConnectAsync(8002, first)).ExchangeAsync("hello");
    }

    [Fact]
    public async Task When_all_servers_are_full_clients_wait_and_not_too_many_and_not_too_long()
    {
        await using RelayHosts lab = await RelayHosts.CreateAsync();
        lab.Serve(9000);
        (_, JsonObject pool) = lab.Add("full", 8000, 9000);
        pool["servers"]!["s1"]!["max-sessions"] = 1;
        (pool["max-queued"], pool["queue-timeout"]) = (1, "3s");
        await lab.Relay.StartAsync();
        Socket one = await lab.ConnectAsync(8000);
        await one.ExchangeAsync("hello");
        Socket waiting = await lab.ConnectAsync(8000);
        await Eventually.True(async () => (await lab.Relay.RowAsync("server", "s1")).GetProperty("queued").GetInt32() == 1);
        await (await lab.ConnectAsync(8000)).UntilEndedAsync();
        await lab.Relay.UntilLoggedAsync("queue-full");
        one.Shutdown(SocketShutdown.Send);
        await waiting.ExchangeAsync("hello");
        await (await lab.ConnectAsync(8000)).UntilEndedAsync();
        await lab.Relay.UntilLoggedAsync("queue-timeout");
    }

    [Fact]
    public async Task Servers_are_taken_out_and_in_while_the_relay_runs()
    {
        await using RelayHosts lab = await RelayHosts.CreateAsync();
        lab.Serve(9001, "1");
        lab.Serve(9002, "2");
        lab.Add("pair", 8000, 9001, 9002);
        await lab.Relay.StartAsync();
        Assert.Equal(0, (await lab.Relay.RunAsync("set", "pair/s1", "--state", "drain")).ExitCode);
        Assert.Equal("222", await GreetingsAsync(lab, 3));
        Assert.Equal(0, (await lab.Relay.RunAsync("set", "pair/s1", "--state", "ready", "--weight", "3")).ExitCode);
        Assert.Equal("11111122", string.Concat((await GreetingsAsync(lab, 8)).Order()));
        (int exitCode, _, string error) = await lab.Relay.RunAsync("set", "pair/s9", "--state", "maint");
        Assert.Equal(1, exitCode);
        Assert.Contains("There are: s1, s2", error, StringComparison.Ordinal);
        Assert.Equal(2, (await lab.Relay.RunAsync("set", "pair/s1")).ExitCode);
        Assert.Equal(2, (await lab.Relay.RunAsync("set", "pair", "--weight", "1")).ExitCode);
    }

    [Fact]
    public async Task A_configuration_that_is_read_again_touches_no_session()
    {
        await using RelayHosts lab = await RelayHosts.CreateAsync();
        lab.Serve(9001, "1");
        lab.Serve(9002, "2");
        lab.Add("first", 8001, 9001);
        await lab.Relay.StartAsync();
        Socket client = await lab.ConnectAsync(8001);
        Assert.Equal("1", await client.HearAsync(1));

        lab.Relay.Configuration["listeners"]!.AsObject().Remove("first");
        lab.Add("second", 8002, 9002);
        lab.Relay.Configuration["buffer-bytes"] = 32768;
        await lab.Relay.ReloadAsync();
        await lab.Relay.UntilLoggedAsync("These count from the next start: buffer-bytes");
        Assert.Equal("2", await (await lab.ConnectAsync(8002)).HearAsync(1));
        await Assert.ThrowsAsync<SocketException>(() => lab.ConnectAsync(8001));
        await client.ExchangeAsync("still here");

        lab.Relay.Configuration["listeners"]!["second"]!["backlog"] = "many";
        await lab.Relay.ReloadAsync();
        await lab.Relay.UntilLoggedAsync("listeners:second:backlog");
        Assert.Equal("2", await (await lab.ConnectAsync(8002)).HearAsync(1));
        await client.ExchangeAsync("still here");
    }

    [Fact]
    public async Task It_says_how_it_is_to_people_and_to_programs()
    {
        await using RelayHosts lab = await RelayHosts.CreateAsync();
        lab.Serve(9000);
        lab.Add("echo", 8000, 9000);
        lab.Relay.Configuration["metrics"] = new JsonObject { ["listen"] = $"{lab.RelayHost.IPv4}:9100" };
        await lab.Relay.StartAsync();
        Socket client = await lab.ConnectAsync(8000);
        await client.ExchangeAsync("hello");
        await Eventually.True(async () => (await lab.Relay.RowAsync("server", "s1")).GetProperty("bytes_to_client").GetInt64() == 5);
        string[] csv = (await lab.Relay.RunAsync("status", "--csv")).Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal("kind,pool,name,address,state,health,weight", csv[0][..csv[0].IndexOf(",backup", StringComparison.Ordinal)]);
        Assert.Contains(csv, line => line.StartsWith("server,echo,s1,10.0.0.9:9000,ready,up,1,false,1,0,1,0,5,5,", StringComparison.Ordinal));
        Assert.Contains("echo/s1", (await lab.Relay.RunAsync("status")).Output, StringComparison.Ordinal);

        (int exitCode, string metrics, string error) = await CurlAsync(lab, "http://10.0.0.2:9100/metrics");
        Assert.True(exitCode == 0, error);
        Assert.Contains("tcpcp_relay_listener_sessions{listener=\"echo\"} 1\n", metrics, StringComparison.Ordinal);
        Assert.Contains("tcpcp_relay_server_bytes_to_server_total{pool=\"echo\",server=\"s1\"} 5\n", metrics, StringComparison.Ordinal);
        Assert.Contains("tcpcp_relay_server_up{pool=\"echo\",server=\"s1\"} 1\n", metrics, StringComparison.Ordinal);
        Assert.Equal("ok\n", (await CurlAsync(lab, "http://10.0.0.2:9100/healthz")).Output);

        Assert.Equal(0, await lab.Relay.StopAsync());
        await client.UntilEndedAsync();
        Assert.Contains("shutdown", lab.Relay.Log, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Only_root_its_own_user_and_one_group_may_command_it()
    {
        const string Group = "54323";
        await using RelayHosts lab = await RelayHosts.CreateAsync();
        lab.Serve(9000);
        lab.Add("echo", 8000, 9000);
        lab.Relay.Configuration["control"]!["group"] = Group;
        await lab.Relay.StartAsync();
        foreach ((string group, int expected) in (IEnumerable<(string, int)>)[("54399", 1), (Group, 0)])
        {
            // Another user who can read all files, wherever the command and the relay's directory are.
            (int exitCode, string output, string error) = await Command.RunProgramAsync("setpriv", "--reuid", "54321", "--regid", group, "--clear-groups", "--inh-caps", "+dac_read_search",
                "--ambient-caps", "+dac_read_search", Command.Path, "relay", "set", "echo/s1", "--state", "drain", "--control", lab.Relay.ControlPath);
            Assert.True(exitCode == expected, output + error);
            Assert.Equal(expected == 0 ? "drain" : "ready", (await lab.Relay.RowAsync("server", "s1")).GetProperty("state").GetString());
        }
    }

    [Fact]
    public async Task A_configuration_is_checked_without_a_start()
    {
        string file = Path.Combine(Path.GetTempPath(), $"{Guid.NewGuid():N}.json");
        await File.WriteAllTextAsync(file, """{ "listeners": { "a": { "listen": "192.0.2.1:80", "pool": "p" } }, "pools": { "p": { "servers": { "s": { "address": "192.0.2.2:80" } } } } }""");
        (int exitCode, string output, _) = await Command.RunAsync("relay", "--check", "--config", file);
        Assert.Equal(0, exitCode);
        Assert.Contains("no fault. 1 listeners, 1 servers in 1 pools.", output, StringComparison.Ordinal);
        await File.WriteAllTextAsync(file, """{ "listeners": { "a": { "listen": "192.0.2.1:80", "pool": "q" } } }""");
        (exitCode, _, string error) = await Command.RunAsync("relay", "--check", "--config", file);
        Assert.Equal(2, exitCode);
        Assert.Contains("listeners:a:pool: there is no pool 'q'", error, StringComparison.Ordinal);
        File.Delete(file);
    }

    private static async Task<string> HealthOfAsync(LabRelay relay, string pool) => (await relay.JsonAsync(0, "status"))
        .Single(row => row.GetProperty("kind").GetString() == "server" && row.GetProperty("pool").GetString() == pool && row.GetProperty("name").GetString() == "s1")
        .GetProperty("health").GetString()!;

    private static async Task<string> GreetingsAsync(RelayHosts lab, int count)
    {
        StringBuilder heard = new();
        for (int i = 0; i < count; i++)
            heard.Append(await (await lab.ConnectAsync(8000)).HearAsync(1));
        return heard.ToString();
    }

    private static async Task<(int ExitCode, string Output, string Error)> CurlAsync(RelayHosts lab, string url)
    {
        await using ChildProcess curl = lab.Clients.Start("curl", ["-sS", url]);
        int exitCode = await curl.Exit.WaitAsync(s_limit);
        return (exitCode, await curl.Output!.Completed, await curl.ErrorOutput!.Completed);
    }
}
