using System.Net.Sockets;
using Tcpcp.Agent.Passing;
using Tcpcp.Client;
using Tcpcp.Core;

namespace Tcpcp.Agent.Tests.Local;

/// <summary>Programs that take connections: what the agent's destination side shows them, by the library's client.</summary>
public sealed class ReceiverTests
{
    [Fact]
    public async Task A_connection_arrives_with_its_state_and_lives_when_it_is_told_to()
    {
        await using ServedAgent agent = ServedAgent.Start();
        await using AgentClient client = await agent.ConnectAsync();
        TestReceiver receiver = new();
        await client.RegisterAsync("app", receiver);
        using LoopbackPair pair = LoopbackPair.Connect();
        byte[] state = new byte[100_000];
        Random.Shared.NextBytes(state);
        Arrival arrival = new(PassId.New(), [pair.Name], state, 7);
        Assert.Null(await agent.Receivers["app"].ExamineAsync(arrival, [pair.Own.SafeHandle]));
        ArrivingConnections shown = Assert.Single(receiver.Examined);
        Assert.Equal((arrival.Pass, "app", 7UL), (shown.Pass, shown.Application, shown.Epoch));
        Assert.Equal([pair.Name], shown.Connections);
        Assert.True(shown.State.Span.SequenceEqual(state));

        agent.Receivers["app"].Go(arrival, [pair.Own]);
        await Until.True(() => receiver.Gone.Count == 1);
        using Socket socket = Assert.Single(Assert.Single(receiver.Gone))!;
        Assert.Equal(1, pair.Descriptors); // the agent has none left
        socket.Send([1]);
        Assert.Equal(1, await pair.PeerReadsAsync());
    }

    [Fact]
    public async Task An_objection_is_heard()
    {
        await using ServedAgent agent = ServedAgent.Start();
        await using AgentClient client = await agent.ConnectAsync();
        TestReceiver receiver = new() { Objection = "no room" };
        await client.RegisterAsync("app", receiver);
        using LoopbackPair pair = LoopbackPair.Connect();
        Arrival arrival = new(PassId.New(), [pair.Name], default, 1);
        Assert.Equal("no room", await agent.Receivers["app"].ExamineAsync(arrival, [pair.Own.SafeHandle]));
        agent.Receivers["app"].Withdraw(arrival.Pass);
        await Until.True(() => receiver.Withdrawn.Count == 1);
        await Until.True(() => pair.Descriptors == 1);
    }

    [Fact]
    public async Task A_receiver_that_fails_has_objected()
    {
        await using ServedAgent agent = ServedAgent.Start();
        await using AgentClient client = await agent.ConnectAsync();
        await client.RegisterAsync("app", new TestReceiver { Fault = new InvalidOperationException("a bug") });
        using LoopbackPair pair = LoopbackPair.Connect();
        string? objection = await agent.Receivers["app"].ExamineAsync(new(PassId.New(), [pair.Name], default, 1), [pair.Own.SafeHandle]);
        Assert.Contains("a bug", objection, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_application_that_dies_before_its_answer_has_objected()
    {
        await using ServedAgent agent = ServedAgent.Start();
        AgentClient client = await agent.ConnectAsync();
        TestReceiver receiver = new() { IsSilent = true };
        await client.RegisterAsync("app", receiver);
        IPassReceiver application = agent.Receivers["app"];
        using LoopbackPair pair = LoopbackPair.Connect();
        ValueTask<string?> answer = application.ExamineAsync(new(PassId.New(), [pair.Name], default, 1), [pair.Own.SafeHandle]);
        await Until.True(() => receiver.Examined.Count == 1);
        await client.DisposeAsync();
        Assert.Equal("The application has ended.", await answer.AsTask().WaitAsync(TimeSpan.FromSeconds(20)));
        Assert.Equal(1, pair.Descriptors);
        Assert.Empty(agent.Receivers);
        Assert.Equal("The application has ended.", await application.ExamineAsync(new(PassId.New(), [pair.Name], default, 1), [pair.Own.SafeHandle]));
    }

    [Fact]
    public async Task An_application_that_dies_after_its_answer_leaves_its_peer_what_any_programs_end_does()
    {
        await using ServedAgent agent = ServedAgent.Start();
        AgentClient client = await agent.ConnectAsync();
        await client.RegisterAsync("app", new TestReceiver());
        IPassReceiver application = agent.Receivers["app"];
        using LoopbackPair pair = LoopbackPair.Connect();
        Arrival arrival = new(PassId.New(), [pair.Name], default, 1);
        Assert.Null(await application.ExamineAsync(arrival, [pair.Own.SafeHandle]));
        await client.DisposeAsync();
        await Until.True(() => agent.Receivers.IsEmpty);
        application.Go(arrival, [pair.Own]);
        Assert.Equal(0, await pair.PeerReadsAsync());
    }

    [Fact]
    public async Task Connections_that_were_made_again_come_without_a_question()
    {
        await using ServedAgent agent = ServedAgent.Start();
        await using AgentClient client = await agent.ConnectAsync();
        TestReceiver receiver = new();
        await client.RegisterAsync("app", receiver);
        using LoopbackPair lives = LoopbackPair.Connect();
        using LoopbackPair ended = LoopbackPair.Connect();
        agent.Receivers["app"].Go(new(PassId.New(), [ended.Name, lives.Name], default, 3), [null, lives.Own]);
        await Until.True(() => receiver.Gone.Count == 1);
        Assert.Empty(receiver.Examined);
        IReadOnlyList<Socket?> sockets = Assert.Single(receiver.Gone);
        Assert.Null(sockets[0]);
        using Socket socket = sockets[1]!;
        Assert.Equal(lives.Name.Peer, socket.RemoteEndPoint);
    }

    [Fact]
    public async Task A_name_has_one_program()
    {
        await using ServedAgent agent = ServedAgent.Start();
        await using AgentClient first = await agent.ConnectAsync();
        await using AgentClient second = await agent.ConnectAsync();
        await first.RegisterAsync("app", new TestReceiver());
        AgentException e = await Assert.ThrowsAsync<AgentException>(() => second.RegisterAsync("app", new TestReceiver()));
        Assert.Contains("'app' is registered already", e.Message, StringComparison.Ordinal);
        await second.RegisterAsync("other", new TestReceiver());
        Assert.Equal(["app", "other"], agent.Server.Applications.Select(application => application.Name));
    }
}
