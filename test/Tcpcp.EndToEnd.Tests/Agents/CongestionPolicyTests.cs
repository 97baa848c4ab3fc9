using System.Text.Json;
using Tcpcp.Lab;

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

    private Task<AgentLab> StartAsync(Action<AgentLab> configure) => AgentLab.StartWithEchoAsync(certificates, configure: one =>
    {
        one.Peer.Run(() => Sysctl.Write("net/ipv4/tcp_ecn", "1"));
        configure(one);
    });
}
