using System.Net.Sockets;
using System.Text.Json;
using Tcpcp.Lab;
using Tcpcp.Linux.Congestion;
using Tcpcp.Linux.Tcp;

namespace Tcpcp.EndToEnd.Tests.Agents;

/// <summary>The keys <c>congestion</c> and <c>ecn</c>, with connections that have agreed on ECN.</summary>
public sealed class CongestionPolicyTests(LabCertificates certificates)
{
    [Theory]
    [InlineData("A", "NotPassable")]
    [InlineData("B", "RefusedByPolicy")]
    public async Task Ecn_is_refused_by_name_at_both_hosts(string refusing, string failure)
    {
        await using AgentLab lab = await StartAsync(one => (refusing == "A" ? one.A : one.B).Configuration["ecn"] = "refuse");
        EchoConversation conversation = await lab.ConverseAsync();
        JsonElement report = (await lab.A.JsonAsync(1, "drain", "--to", LabAgent.NameB))[0];
        Assert.Equal((failure, "Origin"), (report.GetProperty("failure").GetString(), report.GetProperty("owner").GetString()));
        Assert.Contains("ecn: refuse", report.GetProperty("detail").GetString(), StringComparison.Ordinal);
        Assert.True(lab.A.Owns(conversation.Connection));
        await lab.FinishAsync();
    }

    [Fact]
    public async Task With_congestion_state_and_ECN_kept_a_connection_goes_there_and_back()
    {
        await using AgentLab lab = await StartAsync(one =>
        {
            foreach (LabAgent agent in (LabAgent[])[one.A, one.B])
                (agent.Configuration["congestion"], agent.Configuration["ecn"]) = ("keep", "keep");
        });
        EchoConversation conversation = await lab.ConverseAsync();
        await lab.A.JsonAsync(0, "drain", "--to", LabAgent.NameB);
        Assert.True(lab.B.Owns(conversation.Connection));
        await lab.B.JsonAsync(0, "drain", "--to", LabAgent.NameA);
        Assert.True(lab.A.Owns(conversation.Connection));
        await lab.FinishAsync();
    }

    [Fact]
    public async Task The_limit_of_the_first_round_trips_ends_although_the_agent_has_died_and_what_it_has_pinned_goes_when_nothing_is_kept_any_more()
    {
        await using AgentLab lab = await StartAsync(one =>
        {
            foreach (LabAgent agent in (LabAgent[])[one.A, one.B])
                agent.Configuration["congestion"] = "keep";
            one.Peer.MoveFarAway(new LongPath(TimeSpan.FromMilliseconds(100), 25_000_000, 5_000_000));
        });
        EchoConversation conversation = await lab.ConverseAsync();
        await conversation.ProgressAsync(1_000_000);
        await using (lab.A.StartCommand("drain", "--to", LabAgent.NameB))
        {
            await Eventually.True(() => lab.EchoB!.Count == 1);
            await lab.B.KillAsync();
        }

        Socket socket = Assert.Single(lab.EchoB!.Sockets);
        ulong limit = MaxPacingRate(socket);
        Assert.InRange(limit, 1UL, 25_000_000UL);
        PinnedKeep pinned = Assert.Single(lab.B.Host.Run(CongestionKeep.FindPinned));
        Assert.Equal(1, pinned.Connections);
        await Eventually.True(() => MaxPacingRate(socket) == ulong.MaxValue);
        await conversation.ProgressAsync(100_000);

        lab.B.Configuration["congestion"] = "default";
        await lab.B.StartAsync();
        await Eventually.True(() => lab.B.Host.Run(CongestionKeep.FindPinned).Count == 0);
        await lab.FinishAsync();

        // The other one stops for good.
        await lab.A.StopAsync();
        Assert.Equal(1, (await DoctorAsync(lab.A)).GetProperty("rules").GetProperty("congestion_keeps").GetArrayLength());
        Assert.Equal(0, (await DoctorAsync(lab.A, "--clean")).GetProperty("rules").GetProperty("congestion_keeps").GetArrayLength());
        Assert.Empty(lab.A.Host.Run(CongestionKeep.FindPinned));
    }

    private static async Task<JsonElement> DoctorAsync(LabAgent agent, params string[] arguments)
    {
        (int exitCode, string output, string error) = await InspectedHost.RunAsync(agent.Host, Command.Path, ["doctor", "--json", .. arguments]);
        Assert.True(exitCode == 0, error);
        return JsonDocument.Parse(output).RootElement;
    }

    private static ulong MaxPacingRate(Socket socket)
    {
        SocketOption.Get(socket.SafeHandle, SocketLevel.SOL_SOCKET, SocketLevel.SO_MAX_PACING_RATE, out ulong rate);
        return rate;
    }

    private Task<AgentLab> StartAsync(Action<AgentLab> configure) => AgentLab.StartWithEchoAsync(certificates, configure: one =>
    {
        one.Peer.Run(() => Sysctl.Write("net/ipv4/tcp_ecn", "1"));
        configure(one);
    });
}
