using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Tcpcp.Agent.Redirection;

namespace Tcpcp.EndToEnd.Tests.Agents;

/// <summary>Packets are forwarded between hosts in different subnets, through the tunnel of their agents.</summary>
public sealed class TunnelTests(LabCertificates certificates)
{
    private const int Progress = 500_000;
    private const int Mtu = 1600;
    private const int PeerMtu = 1500; // with 50 bytes of the tunnel it fits

    [Theory]
    [InlineData(ServiceFamily.IPv4)]
    [InlineData(ServiceFamily.IPv6)]
    public async Task A_flow_goes_there_and_back_by_the_tunnel_also_when_the_agents_are_started_again(ServiceFamily family)
    {
        await using AgentLab lab = await AgentLab.StartRoutedWithEchoAsync(certificates, family, Mtu, PeerMtu);
        EchoConversation conversation = await lab.ConverseAsync();
        await PassAsync(lab.A, lab.B, conversation);
        Assert.Equal([conversation.Connection], lab.A.Forwarded);
        Assert.True(Received(lab.B) > 10);
        await lab.A.KillAsync();
        await lab.B.KillAsync();
        await conversation.ProgressAsync(Progress);
        await Task.WhenAll(lab.A.StartAsync(), lab.B.StartAsync());
        await conversation.ProgressAsync(Progress);
        await Eventually.True(async () => (await lab.B.RunAsync("pass", $"{conversation.Connection}", "--to", LabAgent.NameA)).ExitCode == 0);
        await conversation.ProgressAsync(Progress);
        Assert.Empty(lab.A.Forwarded);
        await PassAsync(lab.A, lab.B, conversation);
        await lab.FinishAsync();
    }

    [Fact]
    public async Task What_does_not_fit_is_refused_with_the_figures_before_anything_changes()
    {
        await using AgentLab lab = await AgentLab.StartRoutedWithEchoAsync(certificates, ServiceFamily.IPv4, Mtu, peerMtu: Mtu);
        EchoConversation conversation = await lab.ConverseAsync();
        JsonElement report = Assert.Single(await lab.A.JsonAsync(1, "pass", $"{conversation.Connection}", "--to", LabAgent.NameB));
        Assert.Equal("RedirectionFailed", report.GetProperty("failure").GetString());
        string detail = report.GetProperty("detail").GetString()!;
        int[] figures = [.. detail.Split(' ').Select(word => word.TrimEnd('.')).Where(word => word.Length > 0 && word.All(char.IsAsciiDigit))
            .Select(word => int.Parse(word, CultureInfo.InvariantCulture))];
        Assert.True(figures is [int packet, int needed, Mtu] && needed == packet + 50 && needed > Mtu, detail);
        await conversation.ProgressAsync(Progress);
        Assert.True(lab.A.Owns(conversation.Connection));
        await lab.FinishAsync();
    }

    [Fact]
    public async Task It_is_listed_and_goes_with_its_configuration_or_by_clean()
    {
        await using AgentLab lab = await AgentLab.StartRoutedWithEchoAsync(certificates, ServiceFamily.IPv4, Mtu, PeerMtu);
        Assert.All(lab.Agents, agent => Assert.True(HasTunnel(agent)));
        Assert.Contains($"Tunnel {VxlanTunnel.DeviceName}", (await DoctorAsync(lab.A)).Output, StringComparison.Ordinal);
        foreach (JsonNode? destination in lab.A.Configuration["destinations"]!.AsObject().Select(one => one.Value))
            destination!.AsObject().Remove("tunnel");
        await lab.A.StopAsync();
        await lab.A.StartAsync();
        Assert.False(HasTunnel(lab.A));

        await lab.B.StopAsync();
        Assert.True(HasTunnel(lab.B));
        Assert.Contains($"Removed: the tunnel {VxlanTunnel.DeviceName}.", (await DoctorAsync(lab.B, "--clean")).Output, StringComparison.Ordinal);
        Assert.False(HasTunnel(lab.B));
    }

    [Fact]
    public async Task One_that_is_taken_out_of_the_configuration_stays_until_the_last_connection_that_uses_it_has_ended()
    {
        await using AgentLab lab = await AgentLab.StartRoutedWithEchoAsync(certificates, ServiceFamily.IPv4, Mtu, PeerMtu);
        EchoConversation conversation = await lab.ConverseAsync();
        await PassAsync(lab.A, lab.B, conversation);
        foreach (LabAgent agent in lab.Agents)
        {
            foreach (JsonNode? destination in agent.Configuration["destinations"]!.AsObject().Select(one => one.Value))
                destination!.AsObject().Remove("tunnel");
            await agent.StopAsync();
            await agent.StartAsync();
            Assert.True(HasTunnel(agent));
            await Eventually.True(() => agent.Log.Contains("It goes when the last of 1 connections that may use it has ended.", StringComparison.Ordinal));
            string output = string.Join(' ', (await DoctorAsync(agent)).Output.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
            Assert.Contains("1 connections may use it; an agent runs here, and removes it if its configuration has no tunnel when the last of them has ended.", output, StringComparison.Ordinal);
        }

        await conversation.ProgressAsync(Progress);
        await lab.FinishAsync();
        await Eventually.True(() => !lab.Agents.Any(HasTunnel));
    }

    private static async Task PassAsync(LabAgent from, LabAgent to, EchoConversation conversation)
    {
        await from.PassAsync(conversation.Connection, to);
        await conversation.ProgressAsync(Progress);
    }

    private static Task<(int ExitCode, string Output, string Error)> DoctorAsync(LabAgent agent, params string[] arguments) =>
        InspectedHost.RunAsync(agent.Host, Command.Path, ["doctor", .. arguments]);

    private static bool HasTunnel(LabAgent agent) => agent.Host.Network.Links.TryGet(VxlanTunnel.DeviceName, out _);

    private static long Received(LabAgent agent) => agent.Host.Run(() =>
        long.Parse(File.ReadAllText($"/sys/class/net/{VxlanTunnel.DeviceName}/statistics/rx_packets").Trim(), CultureInfo.InvariantCulture));
}
