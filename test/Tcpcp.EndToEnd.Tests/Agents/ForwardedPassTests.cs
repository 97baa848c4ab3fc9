using Tcpcp.Core;

namespace Tcpcp.EndToEnd.Tests.Agents;

/// <summary>A flow both ways goes there and back while its home forwards the packets, over every family and by both switches.</summary>
public sealed class ForwardedPassTests(LabCertificates certificates)
{
    private const int Progress = 300_000;

    [Theory]
    [InlineData(ServiceFamily.IPv6, "bpf")]
    [InlineData(ServiceFamily.IPv6, "nftables")]
    [InlineData(ServiceFamily.Mapped, "bpf")]
    [InlineData(ServiceFamily.Mapped, "nftables")]
    public async Task It_goes_there_and_back_and_there_again(ServiceFamily family, string packetSwitch)
    {
        await using AgentLab lab = await AgentLab.StartWithEchoAsync(certificates, family: family, configure: one =>
        {
            foreach (LabAgent agent in one.Agents)
                agent.Configuration["packet-switch"] = packetSwitch;
        });
        EchoConversation conversation = await lab.ConverseAsync();
        await conversation.ProgressAsync(Progress);
        await PassAsync(lab.A, lab.B, conversation);
        Assert.Equal([conversation.Connection], lab.A.Forwarded);
        await PassAsync(lab.B, lab.A, conversation);
        Assert.Empty(lab.A.Forwarded);
        await PassAsync(lab.A, lab.B, conversation);
        await lab.FinishAsync();
        await Eventually.True(() => lab.A.Forwarded.Count == 0);
    }

    private static async Task PassAsync(LabAgent from, LabAgent to, EchoConversation conversation)
    {
        await from.PassAsync(conversation.Connection, to);
        await conversation.ProgressAsync(Progress);
    }
}
