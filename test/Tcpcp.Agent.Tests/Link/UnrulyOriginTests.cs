using System.Net;
using Google.Protobuf;
using Grpc.Core;
using Tcpcp.Agent.Passing;
using Tcpcp.Agent.Tests.Conversations;
using Tcpcp.Core;
using Tcpcp.Core.Passing;
using Tcpcp.Core.Wire;
using static Tcpcp.Agent.Tests.Conversations.ConversationLab;
using Call = Grpc.Core.AsyncDuplexStreamingCall<Tcpcp.Core.Wire.PassMessage, Tcpcp.Core.Wire.PassMessage>;
using FourTuple = Tcpcp.Core.FourTuple;

namespace Tcpcp.Agent.Tests.Link;

/// <summary>Origins with a good certificate that do not keep to the protocol. A good pass works afterwards, and nothing is left of theirs.</summary>
public sealed class UnrulyOriginTests
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(20);

    [Fact]
    public async Task What_the_policy_does_not_allow_is_refused_before_anything_changes()
    {
        await using SecuredConversations secured = await SecuredConversations.StartAsync();
        Call call = await secured.ExchangeAsync(SecuredConversations.NameOfA);
        foreach ((string application, string service, string key) in ((string, string, string)[])
            [("shell", "10.0.0.100:8080", "applications"), ("stream", "10.0.0.101:8080", "addresses"), ("stream", "10.0.0.100:22", "ports")])
        {
            PassMessage answer = await AskAsync(call, Offer(PassId.New(), application, service));
            Assert.Equal(RefusalReason.Policy, answer.Refused.Reason);
            Assert.Contains($"policy:0:{key}", answer.Refused.Detail, StringComparison.Ordinal);
        }

        Call stranger = await secured.ExchangeAsync(SecuredConversations.Stranger);
        Assert.Equal(RefusalReason.Policy, (await AskAsync(stranger, Offer(PassId.New()))).Refused.Reason);
        Assert.False(secured.Lab.HasStep(B, $"Destination:{nameof(PassAction.Ready)}"));
        await secured.Lab.LineAsync(B, $"link PolicyRefused {SecuredConversations.Stranger}");
        await AssertGoodPassAsync(secured);
    }

    [Fact]
    public async Task A_pass_twice_steps_out_of_order_and_a_foreign_name_change_nothing()
    {
        await using SecuredConversations secured = await SecuredConversations.StartAsync();
        Call call = await secured.ExchangeAsync(SecuredConversations.NameOfA);
        PassId pass = PassId.New();
        PassTicket madeUp = new(Guid.NewGuid(), 1);
        Assert.Equal(VerdictKind.Unknown, (await AskAsync(call, New(pass, madeUp, message => message.Resolve = new Resolve()))).Verdict.Kind);
        Assert.Equal(VerdictKind.Unknown, (await AskAsync(call, New(pass, madeUp, message => message.Transfer = new TransferChunk { Last = true }))).Verdict.Kind);
        Assert.Equal(5UL, (await AskAsync(call, New(pass, madeUp, message => message.Undo = new Undo { Number = 5 }))).Undone.Number);
        Assert.NotNull((await AskAsync(call, New(pass, madeUp, message => message.Forget = new Forget()))).Forgotten);

        PassMessage ready = await AskAsync(call, Offer(pass));
        PassTicket ticket = PassMessages.TicketOf(ready)!.Value;
        Assert.NotNull(ready.Ready);
        Assert.Equal(RefusalReason.Conflict, (await AskAsync(call, Offer(pass))).Refused.Reason); // its name was used
        Assert.Equal(RefusalReason.Conflict, (await AskAsync(call, Offer(PassId.New()))).Refused.Reason); // its connection is taken
        await call.RequestStream.WriteAsync(New(pass, ticket, message => message.Ready = new Ready())); // a destination's word
        await call.RequestStream.WriteAsync(New(pass, ticket, _ => { }));
        await call.RequestStream.WriteAsync(New(pass, ticket, message => message.Divert = new Divert { Number = 77 }));

        Call stranger = await secured.ExchangeAsync(SecuredConversations.Stranger);
        Assert.Equal(VerdictKind.Refused, (await AskAsync(stranger, New(pass, ticket, message => message.Resolve = new Resolve()))).Verdict.Kind); // as if unknown
        await secured.Lab.LineAsync(B, $"link ForeignPass {SecuredConversations.Stranger}");
        Assert.False(secured.Lab.HasStep(B, $"Destination:{nameof(PassAction.Refused)}"), "The pass must still be open.");

        PassMessage verdict = await AskAsync(call, New(pass, ticket, message => message.Transfer = new TransferChunk { Data = ByteString.CopyFromUtf8("junk"), Last = true }));
        Assert.Equal((VerdictKind.Refused, RefusalReason.Invalid), (verdict.Verdict.Kind, verdict.Verdict.Reason));
        await AssertGoodPassAsync(secured);
    }

    [Fact]
    public async Task A_pass_that_hangs_up_is_refused_at_once_and_another_one_of_its_connection_is_taken()
    {
        await using SecuredConversations secured = await SecuredConversations.StartAsync();
        Call call = await secured.ExchangeAsync(SecuredConversations.NameOfA);
        PassId pass = PassId.New();
        Assert.NotNull((await AskAsync(call, Offer(pass))).Ready);
        await call.RequestStream.WriteAsync(PassMessages.Hangup(pass));
        PassMessage answer = await AskAsync(call, Offer(PassId.New()));
        while (answer.Ready is null)
        {
            Assert.Equal(pass, PassMessages.IdOf(answer)); // the verdict that the hangup made
            answer = await ReadAsync(call);
        }

        call.Dispose();
        await AssertGoodPassAsync(secured);
    }

    [Fact]
    public async Task A_message_that_names_no_pass_ends_the_stream()
    {
        await using SecuredConversations secured = await SecuredConversations.StartAsync();
        Call call = await secured.ExchangeAsync(SecuredConversations.NameOfA);
        await call.RequestStream.WriteAsync(new PassMessage { Resolve = new Resolve() });
        RpcException e = await Assert.ThrowsAsync<RpcException>(() => ReadAsync(call));
        Assert.Equal(StatusCode.InvalidArgument, e.StatusCode);
        await secured.Lab.LineAsync(B, $"link StreamRefused {SecuredConversations.NameOfA}");
        await AssertGoodPassAsync(secured);
    }

    private static async Task AssertGoodPassAsync(SecuredConversations secured)
    {
        ConversationLab lab = secured.Lab;
        await lab.Converse().ProgressAsync(300_000);
        await lab.OrderPassAsync(A, B);
        Assert.True(await lab.OutcomeAsync(A) == "None Destination", lab.Log(A) + lab.Log(B));
        await lab.FinishAsync(owner: B);
        await lab.AssertCleanAsync();
    }

    private static async Task<PassMessage> AskAsync(Call call, PassMessage message)
    {
        await call.RequestStream.WriteAsync(message);
        return await ReadAsync(call);
    }

    private static async Task<PassMessage> ReadAsync(Call call)
    {
        using CancellationTokenSource limit = new(s_limit);
        Assert.True(await call.ResponseStream.MoveNext(limit.Token));
        return call.ResponseStream.Current;
    }

    private static PassMessage Offer(PassId pass, string application = "stream", string service = "10.0.0.100:8080")
    {
        PassMessage message = PassMessages.New(pass, null);
        FourTuple connection = new(IPEndPoint.Parse(service), IPEndPoint.Parse("10.0.0.1:5555"));
        message.Offer = new Offer { Application = application, Epoch = 1, Connections = { EndPointWire.ToMessage(connection) } };
        return message;
    }

    private static PassMessage New(PassId pass, PassTicket ticket, Action<PassMessage> body)
    {
        PassMessage message = PassMessages.New(pass, ticket);
        body(message);
        return message;
    }
}
