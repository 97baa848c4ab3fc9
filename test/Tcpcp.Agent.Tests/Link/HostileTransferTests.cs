using System.Net;
using Google.Protobuf;
using Grpc.Core;
using Tcpcp.Agent.Passing;
using Tcpcp.Agent.Tests.Conversations;
using Tcpcp.Core;
using Tcpcp.Core.Tests;
using Tcpcp.Core.Wire;
using Tcpcp.Linux.Diagnostics;
using Tcpcp.Tests.HostileSnapshots;
using static Tcpcp.Agent.Tests.Conversations.ConversationLab;
using Call = Grpc.Core.AsyncDuplexStreamingCall<Tcpcp.Core.Wire.PassMessage, Tcpcp.Core.Wire.PassMessage>;
using FourTuple = Tcpcp.Core.FourTuple;

namespace Tcpcp.Agent.Tests.Link;

/// <summary>An origin with a good certificate whose offer is allowed, and whose snapshot then says something else.</summary>
public sealed class HostileTransferTests
{
    private static readonly FourTuple s_offered = FourTuple.Parse("10.0.0.100:8080-10.0.0.1:5555");

    [Fact]
    public async Task Whatever_a_snapshot_says_nothing_is_bound_but_what_was_offered_and_is_allowed()
    {
        await using SecuredConversations secured = await SecuredConversations.StartAsync();
        Call call = await secured.ExchangeAsync(SecuredConversations.NameOfA);
        Core.Wire.ConnectionSnapshot valid = SnapshotWire.ToMessage(Examples.Snapshot with { Connection = s_offered });
        (string Change, Core.Wire.ConnectionSnapshot Message)[] variants =
        [
            .. SnapshotVariants.Of(valid).Where(variant => !IsAllowed(variant.Message) && variant.Message.CalculateSize() < AgentLimits.MaxChunkBytes)
                .Where((variant, number) => variant.Change.StartsWith("local", StringComparison.Ordinal) || variant.Change.StartsWith("peer", StringComparison.Ordinal) || number % 16 == 0),
        ];
        Assert.True(variants.Length > 100, $"{variants.Length} variants.");
        using SocketDiagnostics sockets = secured.Lab.HostB.Run(() => new SocketDiagnostics());
        foreach ((string change, Core.Wire.ConnectionSnapshot message) in variants)
        {
            Verdict verdict = await OfferAndTransferAsync(call, message);
            Assert.True(verdict is { Kind: VerdictKind.Refused, Reason: RefusalReason.Invalid, Detail.Length: > 0 }, $"{change}: {verdict}");
            Assert.All(sockets.List().Where(socket => socket.Connection.Local.Port != AgentPort),
                socket => Assert.Equal(IPAddress.Parse(B), socket.Connection.Local.Address)); // the agent's own links
        }

        await secured.Lab.Converse().ProgressAsync(300_000);
        await secured.Lab.OrderPassAsync(A, B);
        Assert.True(await secured.Lab.OutcomeAsync(A) == "None Destination", secured.Lab.Log(A) + secured.Lab.Log(B));
        await secured.Lab.FinishAsync(owner: B);
        await secured.Lab.AssertCleanAsync();
    }

    // What is of the offered connection and makes sense is restored: that is another test's.
    private static bool IsAllowed(Core.Wire.ConnectionSnapshot message)
    {
        try
        {
            Core.ConnectionSnapshot snapshot = SnapshotWire.FromMessage(message);
            return snapshot.Connection == s_offered && SnapshotValidator.FindFault(snapshot) is null;
        }
        catch (InvalidSnapshotException)
        {
            return false;
        }
    }

    private static async Task<Verdict> OfferAndTransferAsync(Call call, Core.Wire.ConnectionSnapshot message)
    {
        PassId pass = PassId.New();
        PassMessage offer = PassMessages.New(pass, null);
        offer.Offer = new Offer { Application = "stream", Epoch = 1, Connections = { EndPointWire.ToMessage(s_offered) } };
        PassMessage ready = await AskAsync(call, offer, PassMessage.BodyOneofCase.Ready);
        PassTicket ticket = PassMessages.TicketOf(ready)!.Value;
        PassMessage transfer = PassMessages.New(pass, ticket);
        transfer.Transfer = new TransferChunk { Data = new Transfer { Epoch = 1, Connections = { message } }.ToByteString(), Last = true };
        Verdict verdict = (await AskAsync(call, transfer, PassMessage.BodyOneofCase.Verdict)).Verdict;
        PassMessage forget = PassMessages.New(pass, ticket);
        forget.Forget = new Forget();
        await AskAsync(call, forget, PassMessage.BodyOneofCase.Forgotten);
        return verdict;
    }

    private static async Task<PassMessage> AskAsync(Call call, PassMessage message, PassMessage.BodyOneofCase expected)
    {
        using CancellationTokenSource limit = new(TimeSpan.FromSeconds(20));
        await call.RequestStream.WriteAsync(message, limit.Token);
        do
            Assert.True(await call.ResponseStream.MoveNext(limit.Token));
        while (PassMessages.IdOf(call.ResponseStream.Current) != PassMessages.IdOf(message));
        Assert.True(call.ResponseStream.Current.BodyCase == expected, $"{call.ResponseStream.Current}");
        return call.ResponseStream.Current;
    }
}
