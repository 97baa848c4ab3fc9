using System.Collections.Concurrent;
using Google.Protobuf;
using Tcpcp.Agent.Tests.Conversations;
using Tcpcp.Core.Wire;
using static Tcpcp.Agent.Tests.Conversations.ConversationLab;
using Body = Tcpcp.Core.Wire.PassMessage.BodyOneofCase;

namespace Tcpcp.Agent.Tests.Compatibility;

/// <summary>Agents of a newer minor version say more in every message: connections are passed to them and from them all the same.</summary>
public sealed class NewerAgentTests
{
    [Theory]
    [InlineData(A, B, false)]
    [InlineData(A, B, true)]
    [InlineData(B, A, false)]
    public async Task A_connection_is_passed_between_agents_that_hear_fields_they_do_not_know_in_every_message(string from, string to, bool ipv6)
    {
        ConcurrentDictionary<Body, bool> changed = new();
        await using ConversationLab lab = await CreateAsync(ipv6);
        await lab.StartAsync(A);
        await lab.StartAsync(B);
        await lab.Converse().ProgressAsync(300_000);
        if (from == B)
        {
            await lab.OrderPassAsync(A, B);
            Assert.Equal("None Destination", await lab.OutcomeAsync(A));
        }

        bool hasSeveralChunks = false; // a busy host's queues are longer; the snapshot in them stays as it is
        lab.Rewrite(to, message =>
        {
            hasSeveralChunks |= message.Transfer is { Last: false };
            if (message.Transfer is { Last: true } chunk && !hasSeveralChunks)
                chunk.Data = NewerFields.AddTo(Transfer.Parser.ParseFrom(chunk.Data)).ToByteString();
            changed[message.BodyCase] = NewerFields.AreIn(NewerFields.AddTo(message));
            return message;
        });
        await lab.OrderPassAsync(from, Between);
        Assert.True(await lab.OutcomeAsync(from) == "None Destination", lab.Log(from) + lab.Log(to));
        await lab.FinishAsync(owner: to);
        await lab.AssertCleanAsync();
        Assert.All((Body[])[Body.Offer, Body.Ready, Body.Transfer, Body.Verdict, Body.Forget], body => Assert.True(changed.GetValueOrDefault(body), $"{body} has no new field."));
    }
}
