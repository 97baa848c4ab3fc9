using System.Net.Sockets;
using Tcpcp.Agent.Local;
using Tcpcp.Agent.Passing;
using Tcpcp.Client;
using Tcpcp.Core;

namespace Tcpcp.Agent.Tests.Local;

/// <summary>The agent is restarted under a program.</summary>
public sealed class ReconnectTests
{
    [Fact]
    public async Task A_program_is_registered_again()
    {
        await using ServedAgent agent = ServedAgent.Start();
        await using AgentClient client = await agent.ConnectAsync();
        await client.RegisterAsync("app", new TestReceiver());
        await agent.RestartAsync();
        await Until.True(() => client.IsConnected && agent.Receivers.ContainsKey("app"));
        Assert.Equal("host-a", (await client.GetStatusAsync()).Host);
    }

    [Fact]
    public async Task A_pass_that_had_not_begun_leaves_the_connection_here()
    {
        await using ServedAgent agent = ServedAgent.Start();
        TaskCompletionSource asked = new();
        agent.PassAsync = async (_, _, _) =>
        {
            asked.SetResult();
            return await new TaskCompletionSource<PassResult>().Task;
        };
        await using AgentClient client = await agent.ConnectAsync();
        using LoopbackPair pair = LoopbackPair.Connect();
        Task<PassResult> passing = client.PassAsync(Order(pair, () => Assert.Fail("It never stopped.")));
        await asked.Task;
        await agent.RestartAsync();
        PassResult result = await passing;
        Assert.Equal((PassFailure.Interrupted, ConnectionOwner.Origin), (result.Failure, result.Owner));
    }

    [Theory]
    [InlineData(ConnectionOwner.Origin)]
    [InlineData(ConnectionOwner.Destination)]
    public async Task A_pass_that_had_begun_is_made_known_and_its_outcome_heard(ConnectionOwner owner)
    {
        await using ServedAgent agent = ServedAgent.Start();
        PassNote note = new(PassId.New(), "host-b", new PassTicket(Guid.NewGuid(), 77), 5);
        agent.PassAsync = async (request, _, _) =>
        {
            request.Begun!(note);
            await request.QuiesceAsync(CancellationToken.None);
            return await new TaskCompletionSource<PassResult>().Task; // until this agent ends
        };
        await using AgentClient client = await agent.ConnectAsync();
        using LoopbackPair pair = LoopbackPair.Connect();
        byte[] state = new byte[50_000];
        int resumed = 0;
        TaskCompletionSource stopped = new();
        Task<PassResult> passing = client.PassAsync(Order(pair, () => resumed++) with
        {
            QuiesceAsync = _ =>
            {
                stopped.SetResult();
                return new(state);
            },
        });
        await stopped.Task;
        await agent.RestartAsync();
        KnownPass? claim = null;
        await Until.True(() => agent.Claims.TryDequeue(out claim));
        Assert.Equal((note.Pass, HostRole.Origin, "app", "host-b"), (claim!.Pass, claim.Role, claim.Application, claim.Destination));
        Assert.Equal((note.Ticket, note.Epoch), (claim.Terms.Ticket, claim.Terms.Epoch));
        Assert.Equal([pair.Name], claim.Connections);
        Assert.True(claim.State.Span.SequenceEqual(state));
        Assert.Single(claim.Descriptors);
        claim.Conclude(new PassResult(owner == ConnectionOwner.Origin ? PassFailure.Interrupted : PassFailure.None, owner, ""));
        Assert.Equal(owner, (await passing).Owner);
        Assert.Equal(owner == ConnectionOwner.Origin ? 1 : 0, resumed);
        claim.Dispose();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_connection_that_does_not_live_yet_is_made_known(bool goes)
    {
        await using ServedAgent agent = ServedAgent.Start();
        await using AgentClient client = await agent.ConnectAsync();
        TestReceiver receiver = new();
        await client.RegisterAsync("app", receiver);
        using LoopbackPair pair = LoopbackPair.Connect();
        Arrival arrival = new(PassId.New(), [pair.Name], default, 9) { Ticket = new PassTicket(Guid.NewGuid(), 3) };
        Assert.Null(await agent.Receivers["app"].ExamineAsync(arrival, [pair.Own.SafeHandle]));
        await agent.RestartAsync();
        KnownPass? claim = null;
        await Until.True(() => agent.Claims.TryDequeue(out claim));
        Assert.Equal((arrival.Pass, HostRole.Destination, false, 9UL), (claim!.Pass, claim.Role, claim.IsLive, claim.Terms.Epoch));
        Assert.Equal(arrival.Ticket, claim.Terms.Ticket);
        Assert.NotNull(claim.Receiver);
        if (goes)
        {
            claim.Go([]);
            await Until.True(() => receiver.Gone.Count == 1);
            receiver.Gone.First()[0]!.Dispose();
        }
        else
        {
            claim.Withdraw();
            await Until.True(() => receiver.Withdrawn.Count == 1);
        }

        claim.Dispose();
        await Until.True(() => pair.Descriptors == 1);
    }

    [Fact]
    public async Task A_connection_that_lives_is_made_known_without_its_descriptor()
    {
        await using ServedAgent agent = ServedAgent.Start();
        await using AgentClient client = await agent.ConnectAsync();
        TestReceiver receiver = new();
        await client.RegisterAsync("app", receiver);
        using LoopbackPair pair = LoopbackPair.Connect();
        Arrival arrival = new(PassId.New(), [pair.Name], default, 9);
        Assert.Null(await agent.Receivers["app"].ExamineAsync(arrival, [pair.Own.SafeHandle]));
        agent.Receivers["app"].Go(arrival, [pair.Own]);
        await Until.True(() => receiver.Gone.Count == 1);
        await agent.RestartAsync();
        KnownPass? claim = null;
        await Until.True(() => agent.Claims.TryDequeue(out claim));
        Assert.True(claim!.IsLive);
        Assert.Empty(claim.Descriptors);
        Assert.Equal(1, pair.Descriptors);
        using Socket socket = receiver.Gone.First()[0]!;
    }

    [Fact]
    public async Task An_application_that_has_gone_is_known_to_whoever_looks_after_its_claim()
    {
        await using ServedAgent agent = ServedAgent.Start();
        AgentClient client = await agent.ConnectAsync();
        await client.RegisterAsync("app", new TestReceiver());
        using LoopbackPair pair = LoopbackPair.Connect();
        Assert.Null(await agent.Receivers["app"].ExamineAsync(new(PassId.New(), [pair.Name], default, 9), [pair.Own.SafeHandle]));
        await agent.RestartAsync();
        KnownPass? claim = null;
        await Until.True(() => agent.Claims.TryDequeue(out claim));
        Assert.False(claim!.ApplicationGone.IsCancellationRequested);
        await client.DisposeAsync();
        await Until.True(() => claim.ApplicationGone.IsCancellationRequested);
        Socket copy = Assert.Single(claim.TakeSockets());
        pair.Own.Dispose();
        copy.Dispose();
        Assert.Equal(0, await pair.PeerReadsAsync());
    }

    [Fact]
    public async Task A_question_that_is_open_fails_and_can_be_asked_again()
    {
        await using ServedAgent agent = ServedAgent.Start();
        await using AgentClient client = await agent.ConnectAsync();
        TaskCompletionSource asked = new();
        agent.Operations.Progress = _ =>
        {
            asked.TrySetResult();
            return Drained(0);
        };
        Task draining = Task.Run(async () =>
        {
            await foreach (DrainProgress _ in client.DrainAsync(new DrainOrder { Destinations = ["host-b"] }))
            {
                // until the agent goes away
            }
        });
        await asked.Task;
        await agent.RestartAsync();
        await Assert.ThrowsAsync<AgentException>(() => draining);
        Assert.Equal("host-a", (await client.GetStatusAsync()).Host);
    }

    private static DrainProgress Drained(int number) =>
        new(null, "app", "host-b", new PassResult(PassFailure.None, ConnectionOwner.Destination, ""), null, number, number + 1);

    private static PassOrder Order(LoopbackPair pair, Action resume) => new()
    {
        Sockets = [pair.Own],
        Application = "app",
        Destination = "host-b",
        QuiesceAsync = _ => default,
        Resume = resume,
    };
}
