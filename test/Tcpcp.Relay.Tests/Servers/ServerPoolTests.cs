using System.Net;
using Tcpcp.Relay.Servers;
using Tcpcp.Relay.Sessions;
using Tcpcp.Relay.Settings;

namespace Tcpcp.Relay.Tests.Servers;

public class ServerPoolTests
{
    private static readonly IPAddress s_client = IPAddress.Parse("192.0.2.9");
    private static readonly CheckSettings s_check = new(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(1), Rise: 2, Fall: 3);

    [Fact]
    public async Task Round_robin_follows_the_weights()
    {
        ServerPool pool = PoolOf(Balance.RoundRobin, One("a", 5), One("b", 1), One("c", 1));
        Assert.Equal("aabacaa", string.Concat(await TakeManyAsync(pool, 7)));
    }

    [Fact]
    public async Task Least_connections_fills_up_who_has_fewest_for_its_weight()
    {
        ServerPool pool = PoolOf(Balance.LeastConnections, One("a", 2), One("b", 1));
        List<string> names = await TakeManyAsync(pool, 9);
        Assert.Equal((6, 3), (names.Count(name => name == "a"), names.Count(name => name == "b")));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_hash_sends_a_client_to_the_same_server_on_every_relay(bool isConsistent)
    {
        Balance balance = isConsistent ? Balance.ConsistentHash : Balance.SourceHash;
        ServerPool one = PoolOf(balance, One("a"), One("b"), One("c")), other = PoolOf(balance, One("a"), One("b"), One("c"));
        HashSet<string> used = [];
        for (int i = 0; i < 200; i++)
        {
            IPAddress client = new([192, 0, 2, (byte)i]);
            string name = await NameAsync(one, client);
            Assert.Equal(name, await NameAsync(other, client));
            Assert.Equal(name, await NameAsync(one, client));
            used.Add(name);
        }

        Assert.Equal(3, used.Count);
    }

    [Fact]
    public async Task With_a_consistent_hash_only_the_clients_of_a_server_that_goes_change()
    {
        ServerPool pool = PoolOf(Balance.ConsistentHash, One("a"), One("b"), One("c"), One("d"));
        IPAddress[] clients = [.. Enumerable.Range(0, 1000).Select(i => new IPAddress([10, 0, (byte)(i >> 8), (byte)i]))];
        string[] before = await Task.WhenAll(clients.Select(client => NameAsync(pool, client)));
        pool.Set("a", ServerState.Drain, null);
        string[] after = await Task.WhenAll(clients.Select(client => NameAsync(pool, client)));
        Assert.DoesNotContain("a", after);
        Assert.InRange(before.Zip(after).Count(pair => pair.First != "a" && pair.First != pair.Second), 0, 50);
    }

    [Fact]
    public async Task A_backup_server_gets_sessions_only_while_no_other_takes_them()
    {
        ServerPool pool = PoolOf(Balance.RoundRobin, One("a"), One("spare") with { IsBackup = true });
        Assert.Equal("aaa", string.Concat(await TakeManyAsync(pool, 3)));
        pool.Set("a", ServerState.Maint, null);
        Assert.Equal(["spare"], await TakeManyAsync(pool, 1));
        pool.Set("a", ServerState.Ready, null);
        Assert.Equal(["a"], await TakeManyAsync(pool, 1));
        pool.Set("a", null, 0);
        Assert.Equal(["spare"], await TakeManyAsync(pool, 1));
    }

    [Fact]
    public async Task Sessions_wait_for_room_in_their_order_and_only_so_many()
    {
        ServerPool pool = new(SettingsOf(Balance.RoundRobin, One("a") with { MaxSessions = 1 }) with { MaxQueued = 2, QueueTime = TimeSpan.FromMinutes(1) });
        ServerPlace first = (await pool.TakeAsync(s_client, [], default)).Place!;
        Task<(ServerPlace? Place, SessionEnd)> second = pool.TakeAsync(s_client, [], default).AsTask(), third = pool.TakeAsync(s_client, [], default).AsTask();
        Assert.Equal((null, SessionEnd.QueueFull), await pool.TakeAsync(s_client, [], default));
        Assert.Equal(2, pool.Queued);
        first.GiveBack();
        ServerPlace next = (await second).Place!;
        Assert.False(third.IsCompleted);
        first.GiveBack(); // once only
        Assert.False(third.IsCompleted);
        next.GiveBack();
        Assert.NotNull((await third).Place);
        Assert.Equal(1, pool.Servers[0].Sessions);
    }

    [Fact]
    public async Task Who_waits_too_long_is_told_and_takes_no_room()
    {
        ServerPool pool = new(SettingsOf(Balance.RoundRobin, One("a") with { MaxSessions = 1 }) with { QueueTime = TimeSpan.FromMilliseconds(20) });
        ServerPlace first = (await pool.TakeAsync(s_client, [], default)).Place!;
        Assert.Equal((null, SessionEnd.QueueTimeout), await pool.TakeAsync(s_client, [], default));
        Assert.Equal(0, pool.Queued);
        first.GiveBack();
        Assert.Equal(0, pool.Servers[0].Sessions);
    }

    [Fact]
    public async Task A_server_that_cannot_be_connected_to_is_left_out_after_so_many_failures()
    {
        ServerPool pool = new(SettingsOf(Balance.RoundRobin, One("a"), One("b")) with { EjectAfter = 2 });
        Server a = pool.Servers[0];
        Assert.False(pool.NoteConnectFailure(a));
        pool.NoteConnected(a);
        Assert.False(pool.NoteConnectFailure(a));
        Assert.True(pool.NoteConnectFailure(a));
        Assert.Equal(ServerHealth.Ejected, a.HealthAt(Environment.TickCount64));
        Assert.Equal("bbb", string.Concat(await TakeManyAsync(pool, 3)));
    }

    [Fact]
    public async Task Checks_take_a_server_out_after_fall_bad_ones_and_back_after_rise_good_ones()
    {
        ServerPool pool = PoolOf(Balance.RoundRobin, One("a"));
        Server a = pool.Servers[0];
        CheckResult bad = new(IsGood: false, "refused", TimeSpan.Zero), good = new(IsGood: true, "connected", TimeSpan.Zero);
        bool[] changes = [.. new[] { bad, bad, good, bad, bad, bad, bad, good, bad, good, good }.Select(result => pool.NoteCheck(a, result, s_check))];
        Assert.Equal([false, false, false, false, false, true, false, false, false, false, true], changes);
        pool.NoteCheck(a, bad, s_check);
        pool.NoteCheck(a, bad, s_check);
        pool.NoteCheck(a, bad, s_check);
        Assert.Equal((null, SessionEnd.NoServer), await pool.TakeAsync(s_client, [], default));
    }

    [Fact]
    public async Task What_was_tried_for_a_session_is_not_tried_again()
    {
        ServerPool pool = PoolOf(Balance.RoundRobin, One("a"), One("b"));
        Assert.Equal("b", (await pool.TakeAsync(s_client, [pool.Servers[0]], default)).Place!.Server.Name);
        Assert.Equal((null, SessionEnd.ConnectFailed), await pool.TakeAsync(s_client, pool.Servers, default));
    }

    [Fact]
    public async Task A_new_configuration_keeps_what_is_known_of_servers_that_stay()
    {
        ServerPool pool = PoolOf(Balance.RoundRobin, One("a"), One("b"));
        await TakeManyAsync(pool, 2);
        pool.Set("a", null, 7);
        pool.Follow(SettingsOf(Balance.LeastConnections, One("a"), One("c")));
        Assert.Equal([("a", 1, 7), ("c", 0, 1)], pool.Servers.Select(server => (server.Name, server.Sessions, server.Weight)));
        pool.Follow(SettingsOf(Balance.LeastConnections, One("a", 3), One("c")));
        Assert.Equal(3, pool.Servers[0].Weight);
    }

    [Fact]
    public void A_server_that_has_come_back_works_up_to_its_weight()
    {
        ServerPool pool = PoolOf(Balance.RoundRobin, One("a", 100));
        Server a = pool.Servers[0];
        long now = Environment.TickCount64;
        a.NoteCheck(new CheckResult(IsGood: false, "refused", TimeSpan.Zero), now, s_check with { Fall = 1 });
        a.NoteCheck(new CheckResult(IsGood: true, "connected", TimeSpan.Zero), now, s_check with { Rise = 1 });
        TimeSpan slowStart = TimeSpan.FromSeconds(10);
        Assert.Equal([10, 50, 100, 100], new[] { 0, 5000, 10_000, 60_000 }.Select(after => a.WeightAt(now + after, slowStart)));
    }

    private static async Task<string> NameAsync(ServerPool pool, IPAddress client) => (await pool.TakeAsync(client, [], default)).Place!.Server.Name;

    private static async Task<List<string>> TakeManyAsync(ServerPool pool, int count)
    {
        List<string> names = [];
        for (int i = 0; i < count; i++)
            names.Add(await NameAsync(pool, s_client));
        return names;
    }

    private static ServerPool PoolOf(Balance balance, params IReadOnlyList<ServerSettings> servers) => new(SettingsOf(balance, servers));

    private static PoolSettings SettingsOf(Balance balance, params IReadOnlyList<ServerSettings> servers) => new() { Name = "pool", Balance = balance, Servers = servers };

    private static ServerSettings One(string name, int weight = 1) =>
        new() { Name = name, Address = new IPEndPoint(IPAddress.Parse("192.0.2.50"), 1000 + name[0]), Weight = weight };
}
