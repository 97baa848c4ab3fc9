using System.Collections.Concurrent;
using Google.Protobuf;
using Tcpcp.Agent.Link;
using Tcpcp.Agent.Passing;
using Tcpcp.Core;
using Tcpcp.Core.Wire;

namespace Tcpcp.Agent.Tests.Link;

/// <summary>The stream that all passes from an origin to a destination share.</summary>
public sealed class LinkTests
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(20);

    [Fact]
    public async Task A_ping_says_who_answers()
    {
        await using LinkPair pair = await LinkPair.StartAsync();
        PingReply reply = await pair.Channel().PingAsync(CancellationToken.None);
        Assert.Equal(("0.1.0", LinkPair.Destination), (reply.AgentVersion, reply.HostName));
        Assert.Equal(LinkPair.Incarnation, new Guid(reply.Incarnation.Span));
    }

    [Fact]
    public async Task A_message_goes_there_and_comes_back_to_its_pass()
    {
        await using LinkPair pair = await LinkPair.StartAsync();
        using DestinationChannel channel = pair.Channel();
        PassId pass = PassId.New();
        using IPassLink link = await channel.ConnectAsync(pass, CancellationToken.None);
        link.Send(Divert(pass, 7));
        Assert.Equal(7UL, (await ReceiveAsync(link)).Divert.Number);
        await pair.EventAsync(LinkEventKind.Connected);
    }

    [Fact]
    public async Task Two_hundred_passes_at_once_share_one_stream_and_each_gets_its_own_in_order()
    {
        const int Passes = 200;
        const int Messages = 50;
        await using LinkPair pair = await LinkPair.StartAsync();
        using DestinationChannel channel = pair.Channel();
        await Task.WhenAll(Enumerable.Range(0, Passes).Select(async _ =>
        {
            PassId pass = PassId.New();
            using IPassLink link = await channel.ConnectAsync(pass, CancellationToken.None);
            for (uint i = 0; i < Messages; i++)
                link.Send(Divert(pass, i));
            for (uint i = 0; i < Messages; i++)
            {
                PassMessage message = await ReceiveAsync(link);
                Assert.Equal((pass, i), (PassMessages.IdOf(message)!.Value, message.Divert.Number));
            }
        }));
        Assert.Equal((1, 1), (pair.Server.OpenConnections, pair.Server.OpenStreams));
    }

    [Fact]
    public async Task More_than_may_wait_makes_the_sender_wait_and_all_of_it_arrives()
    {
        const int Chunks = 64;
        await using LinkPair pair = await LinkPair.StartAsync();
        using DestinationChannel channel = pair.Channel();
        PassId pass = PassId.New();
        using IPassLink link = await channel.ConnectAsync(pass, CancellationToken.None);
        Task sending = Task.Run(() =>
        {
            for (byte i = 0; i < Chunks; i++)
            {
                PassMessage message = PassMessages.New(pass, null);
                byte[] data = new byte[AgentLimits.MaxChunkBytes];
                Array.Fill(data, i);
                message.Transfer = new TransferChunk { Data = UnsafeByteOperations.UnsafeWrap(data) };
                link.Send(message);
            }
        });
        for (byte i = 0; i < Chunks; i++)
        {
            TransferChunk chunk = (await ReceiveAsync(link)).Transfer;
            Assert.Equal(AgentLimits.MaxChunkBytes, chunk.Data.Length);
            Assert.False(chunk.Data.Span.ContainsAnyExcept(i));
        }

        await sending;
    }

    [Fact]
    public async Task A_pass_that_closes_its_link_says_so_and_leaves_the_others_alone()
    {
        ConcurrentQueue<PassMessage> heard = [];
        await using LinkPair pair = await LinkPair.StartAsync(async (link, _, token) =>
        {
            while (await link.ReceiveAsync(token) is { } message)
            {
                heard.Enqueue(message);
                link.Send(message);
            }

            return null;
        });
        using DestinationChannel channel = pair.Channel();
        (PassId first, PassId second) = (PassId.New(), PassId.New());
        IPassLink closed = await channel.ConnectAsync(first, CancellationToken.None);
        using IPassLink other = await channel.ConnectAsync(second, CancellationToken.None);
        closed.Send(Divert(first, 1));
        await ReceiveAsync(closed);
        closed.Dispose();
        Assert.Throws<ObjectDisposedException>(() => closed.Send(Divert(first, 2)));
        other.Send(Divert(second, 3));
        Assert.Equal(3UL, (await ReceiveAsync(other)).Divert.Number);
        Assert.Equal([(first, PassMessage.BodyOneofCase.Divert), (first, PassMessage.BodyOneofCase.Hangup), (second, PassMessage.BodyOneofCase.Divert)],
            heard.Select(message => (PassMessages.IdOf(message)!.Value, message.BodyCase)));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_pass_that_has_ended_or_never_spoke_says_no_more(bool hasSpoken)
    {
        ConcurrentQueue<PassMessage> heard = [];
        await using LinkPair pair = await LinkPair.StartAsync(async (link, _, token) =>
        {
            while (await link.ReceiveAsync(token) is { } message)
            {
                heard.Enqueue(message);
                PassMessage answer = PassMessages.New(PassMessages.IdOf(message)!.Value, null);
                answer.Forgotten = new Forgotten();
                link.Send(answer);
            }

            return null;
        });
        using DestinationChannel channel = pair.Channel();
        PassId pass = PassId.New();
        using (IPassLink link = await channel.ConnectAsync(pass, CancellationToken.None))
        {
            if (hasSpoken)
            {
                link.Send(Divert(pass, 1));
                await ReceiveAsync(link);
            }
        }

        PassId next = PassId.New();
        using IPassLink after = await channel.ConnectAsync(next, CancellationToken.None);
        after.Send(Divert(next, 2));
        await ReceiveAsync(after);
        Assert.DoesNotContain(heard, message => message.BodyCase == PassMessage.BodyOneofCase.Hangup);
    }

    [Fact]
    public async Task A_wait_that_is_cancelled_loses_no_message()
    {
        await using LinkPair pair = await LinkPair.StartAsync();
        using DestinationChannel channel = pair.Channel();
        PassId pass = PassId.New();
        using IPassLink link = await channel.ConnectAsync(pass, CancellationToken.None);
        using CancellationTokenSource cancelled = new();
        Task waiting = link.ReceiveAsync(cancelled.Token).AsTask();
        await cancelled.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
        link.Send(Divert(pass, 9));
        Assert.Equal(9UL, (await ReceiveAsync(link)).Divert.Number);
    }

    [Fact]
    public async Task When_the_stream_breaks_all_its_passes_hear_of_it_and_a_new_one_is_made()
    {
        await using LinkPair pair = await LinkPair.StartAsync();
        using DestinationChannel channel = pair.Channel();
        channel.KeepWarm();
        PassId[] passes = [PassId.New(), PassId.New(), PassId.New()];
        List<IPassLink> links = [];
        foreach (PassId pass in passes)
            links.Add(await channel.ConnectAsync(pass, CancellationToken.None));
        Task<LinkException>[] broken = [.. links.Select(link => Assert.ThrowsAsync<LinkException>(() => link.ReceiveAsync(CancellationToken.None).AsTask()))];
        await pair.RestartServerAsync();
        foreach (Task<LinkException> one in broken)
            Assert.Contains(LinkPair.Destination, (await one.WaitAsync(s_limit)).Message, StringComparison.Ordinal);
        Assert.All(links.Zip(passes), pair => Assert.Throws<LinkException>(() => pair.First.Send(Divert(pair.Second, 1))));
        await pair.EventAsync(LinkEventKind.Broken);

        await Until.True(() => channel.IsConnected, s_limit, () => channel.Fault ?? ""); // by itself
        using IPassLink healed = await channel.ConnectAsync(passes[0], CancellationToken.None);
        healed.Send(Divert(passes[0], 5));
        Assert.Equal(5UL, (await ReceiveAsync(healed)).Divert.Number);
    }

    [Fact]
    public async Task A_destination_that_is_not_there_is_named_and_reported_once()
    {
        await using LinkPair pair = await LinkPair.StartAsync();
        using DestinationChannel channel = pair.Channel();
        await pair.Server.DisposeAsync();
        for (int attempt = 0; attempt < 3; attempt++)
        {
            LinkException e = await Assert.ThrowsAsync<LinkException>(async () => await channel.ConnectAsync(PassId.New(), CancellationToken.None));
            Assert.Contains($"{LinkPair.Destination} ({pair.Server.EndPoint})", e.Message, StringComparison.Ordinal);
            Assert.Contains("refused", e.Message, StringComparison.OrdinalIgnoreCase);
        }

        Assert.Single(pair.Events, one => one.Kind == LinkEventKind.Unreachable);
    }

    internal static async Task<PassMessage> ReceiveAsync(IPassLink link)
    {
        using CancellationTokenSource limit = new(s_limit);
        return (await link.ReceiveAsync(limit.Token))!;
    }

    internal static PassMessage Divert(PassId pass, ulong number)
    {
        PassMessage message = PassMessages.New(pass, null);
        message.Divert = new Divert { Number = number };
        return message;
    }
}
