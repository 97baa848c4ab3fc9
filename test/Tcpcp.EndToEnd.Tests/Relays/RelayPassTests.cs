using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Nodes;
using Google.Protobuf;
using Tcpcp.Client;
using Tcpcp.Core;
using Tcpcp.Core.Wire;
using Tcpcp.EndToEnd.Tests.Agents;
using Tcpcp.Lab;

namespace Tcpcp.EndToEnd.Tests.Relays;

/// <summary>Sessions of a relay go to the relay of another host while their bytes flow, both connections or none.</summary>
public sealed class RelayPassTests(LabCertificates certificates)
{
    private const int Progress = 500_000;
    private const int Many = 12;

    [Theory]
    [InlineData(ServiceFamily.IPv4)]
    [InlineData(ServiceFamily.IPv6)]
    public async Task A_session_goes_there_and_back_while_bytes_flow_both_ways(ServiceFamily family)
    {
        await using RelayLab lab = await RelayLab.StartWithEchoAsync(certificates, family);
        EchoConversation conversation = await lab.Agents.ConverseAsync(20_000_000);
        for (int turn = 0; turn < 2; turn++)
        {
            await conversation.ProgressAsync(Progress);
            await lab.ThereAndBackAsync(1);
        }

        await conversation.ProgressAsync(Progress);
        JsonElement server = await lab.A.RowAsync("server", "s1");
        Assert.Equal((1, 3), (server.GetProperty("sessions").GetInt32(), server.GetProperty("total").GetInt32()));
        await lab.FinishAsync();
        await lab.A.UntilLoggedAsync("passes: 4");
        Assert.Contains("client-closed", lab.A.Log, StringComparison.Ordinal);
        await Eventually.True(() => lab.Agents.A.Forwarded.Count == 0);
    }

    [Fact]
    public async Task Many_sessions_go_while_others_come_and_go()
    {
        await using RelayLab lab = await RelayLab.StartWithEchoAsync(certificates);
        await lab.Agents.ConverseManyAsync(Many, 200_000);
        using CancellationTokenSource stop = new();
        Task<int> coming = lab.Agents.ComeAndGoAsync(stop.Token);
        IReadOnlyList<JsonElement> reports = await lab.DrainAsync(lab.A);
        Assert.InRange(reports.Count, Many, int.MaxValue);
        await stop.CancelAsync();
        Assert.InRange(await coming, 1, int.MaxValue);
        await lab.Agents.FinishAsync(others: await coming);
        AgentLab.AssertClean(await lab.JudgeServerAsync());
    }

    [Theory]
    [InlineData(ServiceFamily.IPv4)]
    [InlineData(ServiceFamily.IPv6)]
    public async Task The_port_of_a_connection_that_was_passed_is_given_to_no_other_while_it_lives(ServiceFamily family)
    {
        await using RelayLab lab = await RelayLab.StartWithEchoAsync(certificates, family);
        // To the server the relay's host has hardly more ports than there are sessions in all.
        lab.Agents.A.Host.Run(() => Sysctl.Write("net/ipv4/ip_local_port_range", "40001 40028"));
        await lab.Agents.ConverseManyAsync(Many, 200_000);
        Assert.Equal(Many, (await lab.DrainAsync(lab.A)).Count);
        IReadOnlyList<EchoConversation> later = await lab.Agents.ConverseManyAsync(Many, 200_000);
        await Task.WhenAll(later.Select(conversation => conversation.ProgressAsync(50_000)));
        Assert.DoesNotContain("connect-failed", lab.A.Log, StringComparison.Ordinal);
        // They come back to the ports that were kept, which are theirs then.
        Assert.Equal(Many, (await lab.DrainAsync(lab.B)).Count);
        await Eventually.True(() => lab.Agents.A.Forwarded.Count == 0);
        await lab.FinishAsync();
    }

    [Fact]
    public async Task The_drain_of_an_agent_moves_both_connections_of_a_session_together()
    {
        await using RelayLab lab = await RelayLab.StartWithEchoAsync(certificates);
        await lab.Agents.ConverseManyAsync(3, 200_000);
        IReadOnlyList<JsonElement> reports = await lab.Agents.A.JsonAsync(0, "drain", "--to", LabAgent.NameB);
        Assert.Equal(6, reports.Count);
        Assert.Equal((6, 6), (reports[^1].GetProperty("done").GetInt32(), reports[^1].GetProperty("total").GetInt32()));
        Assert.Equal(3, await lab.B.SessionsAsync(RelayLab.Listener));
        await lab.FinishAsync();
    }

    [Theory]
    [InlineData(ServiceFamily.IPv4)]
    [InlineData(ServiceFamily.IPv6)]
    public async Task The_service_address_goes_first_and_new_sessions_open_there_before_the_others_are_passed(ServiceFamily family)
    {
        await using RelayLab lab = await RelayLab.StartWithEchoAsync(certificates, family);
        await lab.Agents.ConverseManyAsync(3, 200_000);
        IReadOnlyList<JsonElement> reports = await lab.DrainAsync(lab.A, takesAddresses: true);
        Assert.Equal($"{lab.Agents.Service}", reports[0].GetProperty("address").GetString());
        Assert.Equal(3, reports.Skip(1).Count(report => report.TryGetProperty("session", out _)));
        Assert.Equal(4, reports.Count);
        await lab.Agents.ConverseManyAsync(2, 200_000);
        Assert.Equal((0, 5), (await lab.A.SessionsAsync(RelayLab.Listener), await lab.B.SessionsAsync(RelayLab.Listener)));

        // The clients' address is at the one host, the servers' packets come by the other: back they go, and there again.
        Assert.Equal(5, (await lab.DrainAsync(lab.B)).Count);
        Assert.Equal(5, (await lab.DrainAsync(lab.A)).Count);
        Assert.Equal(5, await lab.B.SessionsAsync(RelayLab.Listener));
        await lab.FinishAsync();
    }

    [Fact]
    public async Task Sessions_that_the_other_relay_refuses_go_on_here_when_the_address_has_gone()
    {
        await using RelayLab lab = await RelayLab.StartWithEchoAsync(certificates);
        IReadOnlyList<EchoConversation> conversations = await lab.Agents.ConverseManyAsync(3, 200_000);
        lab.B.Configuration["listeners"]![RelayLab.Listener]!["max-sessions"] = 1;
        await lab.B.ReloadAsync();
        IReadOnlyList<JsonElement> reports = await lab.DrainAsync(lab.A, takesAddresses: true, exitCode: 1);
        Assert.Equal($"{lab.Agents.Service}", reports[0].GetProperty("address").GetString());
        Assert.Equal(2, reports.Count(report => report.GetProperty("failure").GetString() == nameof(PassFailure.RefusedByApplication)));
        await Task.WhenAll(conversations.Select(conversation => conversation.ProgressAsync(50_000)));
        Assert.Equal(2, await lab.A.SessionsAsync(RelayLab.Listener));
        lab.B.Configuration["listeners"]![RelayLab.Listener]!["max-sessions"] = 0;
        await lab.B.ReloadAsync();
        Assert.Equal(2, (await lab.DrainAsync(lab.A)).Count);
        await Task.WhenAll(conversations.Select(conversation => conversation.ProgressAsync(50_000)));
        Assert.Equal(3, await lab.B.SessionsAsync(RelayLab.Listener));
        await lab.FinishAsync();
    }

    [Fact]
    public async Task The_address_that_servers_are_connected_from_follows_too_and_the_first_host_may_be_switched_off()
    {
        IPAddress source = IPAddress.Parse("10.0.0.101");
        await using RelayLab lab = await RelayLab.StartWithEchoAsync(certificates, configure: one =>
        {
            one.Agents.A.Host.AddOwnAddress(source);
            foreach (LabRelay relay in (LabRelay[])[one.A, one.B])
                relay.Configuration["pools"]![RelayLab.Pool]!["source"] = new JsonArray($"{source}");
        });
        await lab.Agents.ConverseManyAsync(3, 200_000);
        using CancellationTokenSource stop = new();
        Task<int> coming = ComeAsync(stop.Token);
        IReadOnlyList<JsonElement> reports = await lab.DrainAsync(lab.A, takesAddresses: true);
        Assert.Equal([$"{lab.Agents.Service}", $"{source}"], reports.Where(report => report.TryGetProperty("address", out JsonElement address) && address.ValueKind == JsonValueKind.String)
            .Select(report => report.GetProperty("address").GetString()));
        await stop.CancelAsync();
        int came = await coming;
        await lab.Agents.ConverseManyAsync(2, 200_000);
        Assert.Equal((0, 5 + came), (await lab.A.SessionsAsync(RelayLab.Listener), await lab.B.SessionsAsync(RelayLab.Listener)));
        Assert.Empty(lab.Agents.A.Forwarded);
        lab.Agents.A.Host.Network.Links.SetDown(Host.InterfaceName);
        await lab.FinishAsync();

        // Sessions that open all the while, and live on.
        async Task<int> ComeAsync(CancellationToken stopping)
        {
            int count = 0;
            for (; !stopping.IsCancellationRequested; count++)
            {
                await lab.Agents.ConverseAsync(200_000);
                await Task.Delay(TimeSpan.FromMilliseconds(20), CancellationToken.None);
            }

            return count;
        }
    }

    [Fact]
    public async Task Some_sessions_go_where_that_many_are_wanted()
    {
        await using RelayLab lab = await RelayLab.StartWithEchoAsync(certificates);
        await lab.Agents.ConverseManyAsync(6, 200_000);
        Assert.Equal(2, (await lab.A.JsonAsync(0, "rebalance", "--to", LabAgent.NameB, "--sessions", "2")).Count);
        Assert.Equal(2, (await lab.A.JsonAsync(0, "rebalance", "--to", LabAgent.NameB, "--percent", "50")).Count);
        Assert.Equal((2, 4), (await lab.A.SessionsAsync(RelayLab.Listener), await lab.B.SessionsAsync(RelayLab.Listener)));
        Assert.Equal(2, (await lab.A.RunAsync("rebalance", "--to", LabAgent.NameB)).ExitCode);
        await lab.FinishAsync();
    }

    [Fact]
    public async Task A_session_whose_client_has_closed_its_side_goes_on_at_the_other_host()
    {
        await using RelayLab lab = await RelayLab.StartAsync(certificates, configure: one => one.Serve(new IPEndPoint(one.ServerAddress, 9001)));
        using Socket listener = lab.ServerHost.Run(() =>
        {
            Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            socket.Bind(new IPEndPoint(lab.ServerAddress, 9001));
            socket.Listen();
            return socket;
        });
        using Socket client = lab.Agents.Connect();
        using Socket server = await listener.AcceptAsync();
        await client.SendAsync("all that I have"u8.ToArray());
        client.Shutdown(SocketShutdown.Send);
        byte[] heard = new byte[64];
        int length = 0;
        while (await server.ReceiveAsync(heard.AsMemory(length)) is > 0 and int count)
            length += count;
        Assert.Equal("all that I have"u8.Length, length);

        await lab.ThereAndBackAsync(1);
        await server.SendAsync("an answer"u8.ToArray());
        Assert.Equal("an answer"u8.Length, await client.ReceiveAsync(heard));
        server.Shutdown(SocketShutdown.Send);
        Assert.Equal(0, await client.ReceiveAsync(heard));
        await lab.A.UntilLoggedAsync("client-closed; 15 bytes to the server, 9 to the client");
    }

    [Theory]
    [InlineData("listener", "no listener echo")]
    [InlineData("pool", "no pool echoes")]
    [InlineData("server", "no server s1")]
    [InlineData("full", "as many sessions here as it may (1)")]
    [InlineData("full server", "as many sessions here as it may (1)")]
    public async Task A_relay_that_cannot_take_a_session_refuses_it_and_it_goes_on(string lack, string reason)
    {
        await using RelayLab lab = await RelayLab.StartWithEchoAsync(certificates, configure: one =>
        {
            JsonNode listeners = one.B.Configuration["listeners"]!, pools = one.B.Configuration["pools"]!;
            switch (lack)
            {
                case "listener":
                    (listeners["other"], listeners["echo"]) = (listeners["echo"]!.DeepClone(), null);
                    listeners.AsObject().Remove("echo");
                    break;
                case "pool":
                    pools["others"] = pools["echoes"]!.DeepClone();
                    pools.AsObject().Remove("echoes");
                    listeners["echo"]!["pool"] = "others";
                    break;
                case "server":
                    pools["echoes"]!["servers"] = new JsonObject { ["other"] = pools["echoes"]!["servers"]!["s1"]!.DeepClone() };
                    break;
                case "full":
                    listeners["echo"]!["max-sessions"] = 1;
                    break;
                default:
                    pools["echoes"]!["servers"]!["s1"]!["max-sessions"] = 1;
                    break;
            }
        });
        bool hasRoomForOne = lack.StartsWith("full", StringComparison.Ordinal);
        IReadOnlyList<EchoConversation> conversations = await lab.Agents.ConverseManyAsync(hasRoomForOne ? 2 : 1, 200_000);
        IReadOnlyList<JsonElement> reports = await lab.DrainAsync(lab.A, exitCode: 1);
        JsonElement stays = Assert.Single(reports, report => report.GetProperty("failure").GetString() == "RefusedByApplication");
        Assert.Equal("Origin", stays.GetProperty("owner").GetString());
        Assert.Contains(reason, stays.GetProperty("detail").GetString(), StringComparison.Ordinal);
        Assert.Equal(1, await lab.A.SessionsAsync(RelayLab.Listener));
        await lab.A.UntilLoggedAsync("goes on here: RefusedByApplication");
        foreach (EchoConversation conversation in conversations)
            await conversation.ProgressAsync(Progress);
        await lab.FinishAsync();
    }

    [Fact]
    public async Task A_session_of_another_version_is_refused_with_both_versions()
    {
        await using RelayLab lab = await RelayLab.StartWithEchoAsync(certificates);
        await lab.Agents.ConverseAsync();
        using Socket one = lab.Agents.Peer.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
        using Socket listener = lab.Agents.A.Host.Run(() =>
        {
            Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            socket.Bind(new IPEndPoint(lab.Agents.Service, 8099));
            socket.Listen();
            return socket;
        });
        await one.ConnectAsync(new IPEndPoint(lab.Agents.Service, 8099));
        Socket accepted = await listener.AcceptAsync();
        await using AgentClient newer = await AgentClient.ConnectAsync(new AgentClientOptions { Path = lab.Agents.A.SocketPath });
        PassResult result = await newer.PassAsync(new PassOrder
        {
            Sockets = [accepted], Application = "relay", Destination = LabAgent.NameB, IsInseparable = true, Resume = () => { },
            QuiesceAsync = _ => new(new RelaySession { Version = 2 }.ToByteArray()),
        });
        Assert.Equal((PassFailure.RefusedByApplication, ConnectionOwner.Origin), (result.Failure, result.Owner));
        Assert.Contains("version 2", result.Detail, StringComparison.Ordinal);
        Assert.Contains("version 1", result.Detail, StringComparison.Ordinal);
        accepted.Dispose();
        one.Dispose();
        await lab.Agents.FinishAsync(others: 1);
    }

    [Fact]
    public async Task A_drain_to_nowhere_says_where_it_could_go()
    {
        await using RelayLab lab = await RelayLab.StartWithEchoAsync(certificates);
        (int exitCode, _, string error) = await lab.A.RunAsync("drain", "--to", "nowhere");
        Assert.Equal(1, exitCode);
        Assert.Contains("There are: host-b", error, StringComparison.Ordinal);
        (exitCode, string output, _) = await lab.A.RunAsync("drain", "--to", LabAgent.NameB);
        Assert.Equal(1, exitCode);
        Assert.Contains("0 sessions passed", output, StringComparison.Ordinal);
    }
}
