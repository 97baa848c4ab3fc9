using System.Net.Sockets;
using Tcpcp.Agent.Passing;
using Tcpcp.Client;
using Tcpcp.Core;
using Tcpcp.Core.Wire;
using Tcpcp.LocalApi;

namespace Tcpcp.Agent.Tests.Local;

/// <summary>Programs that pass connections, by the library's client.</summary>
public sealed class ClientPassTests
{
    private static readonly byte[] s_state = [1, 2, 3];

    [Fact]
    public async Task A_pass_that_succeeds_takes_the_state_along_and_closes_the_sockets()
    {
        await using ServedAgent agent = ServedAgent.Start();
        byte[] carried = [];
        string passedTo = "";
        Func<PassRequest, string, CancellationToken, Task<PassResult>> pass = ServedAgent.PassTo(new(PassFailure.None, ConnectionOwner.Destination, ""), state => carried = state.ToArray());
        agent.PassAsync = (request, destination, cancellationToken) =>
        {
            passedTo = $"{request.Application} {destination} {request.Sockets.Count}";
            return pass(request, destination, cancellationToken);
        };
        await using AgentClient client = await agent.ConnectAsync();
        using LoopbackPair pair = LoopbackPair.Connect();
        PassResult result = await client.PassAsync(Order(pair, () => Assert.Fail("It does not go on here.")));
        Assert.True(result.Succeeded);
        Assert.Equal(s_state, carried);
        Assert.Equal("app host-b 1", passedTo);
        Assert.Equal(0, pair.Descriptors);
    }

    [Theory]
    [InlineData(LocalProtocol.MaxInlineStateBytes)]
    [InlineData(LocalProtocol.MaxInlineStateBytes + 1)]
    [InlineData(LocalProtocol.MaxStateBytes)]
    public async Task A_state_of_any_size_arrives(int bytes)
    {
        await using ServedAgent agent = ServedAgent.Start();
        byte[] state = new byte[bytes];
        Random.Shared.NextBytes(state);
        byte[] carried = [];
        agent.PassAsync = ServedAgent.PassTo(new(PassFailure.None, ConnectionOwner.Destination, ""), said => carried = said.ToArray());
        await using AgentClient client = await agent.ConnectAsync();
        using LoopbackPair pair = LoopbackPair.Connect();
        Assert.True((await client.PassAsync(Order(pair, () => { }) with { QuiesceAsync = _ => new(state) })).Succeeded);
        Assert.True(state.AsSpan().SequenceEqual(carried));
    }

    [Fact]
    public async Task A_state_that_is_too_large_leaves_the_connection_here()
    {
        await using ServedAgent agent = ServedAgent.Start();
        await using AgentClient client = await agent.ConnectAsync();
        using LoopbackPair pair = LoopbackPair.Connect();
        int resumed = 0;
        PassResult result = await client.PassAsync(Order(pair, () => resumed++) with { QuiesceAsync = _ => new(new byte[LocalProtocol.MaxStateBytes + 1]) });
        Assert.Equal((PassFailure.NotPassable, ConnectionOwner.Origin), (result.Failure, result.Owner));
        Assert.Contains("the limit is 16777216", result.Detail, StringComparison.Ordinal);
        Assert.Equal(1, resumed);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_pass_that_does_not_succeed_leaves_the_socket_as_it_was(bool blocking)
    {
        await using ServedAgent agent = ServedAgent.Start();
        agent.PassAsync = ServedAgent.PassTo(new(PassFailure.RefusedByPolicy, ConnectionOwner.Origin, "not from here"));
        await using AgentClient client = await agent.ConnectAsync();
        using LoopbackPair pair = LoopbackPair.Connect();
        pair.Own.Blocking = blocking;
        string flags = FlagsOf(pair.Own);
        int resumed = 0;
        PassResult result = await client.PassAsync(Order(pair, () => resumed++));
        Assert.Equal(new PassResult(PassFailure.RefusedByPolicy, ConnectionOwner.Origin, "not from here"), result);
        Assert.Equal(1, resumed);
        Assert.Equal(1, pair.Descriptors);
        Assert.Equal(flags, FlagsOf(pair.Own)); // O_NONBLOCK is the open file's, which the agent shared
        pair.Own.Send([7]);
        Assert.Equal(1, await pair.PeerReadsAsync());
    }

    [Fact]
    public async Task Every_pass_of_a_connection_has_a_higher_number_than_the_ones_before()
    {
        await using ServedAgent agent = ServedAgent.Start();
        List<ulong> epochs = [];
        Func<PassRequest, string, CancellationToken, Task<PassResult>> pass = ServedAgent.PassTo(new(PassFailure.Conflict, ConnectionOwner.Origin, ""));
        agent.PassAsync = (request, destination, cancellationToken) =>
        {
            epochs.Add(request.Epoch);
            return pass(request, destination, cancellationToken);
        };
        await using AgentClient client = await agent.ConnectAsync();
        using LoopbackPair pair = LoopbackPair.Connect();
        for (int i = 0; i < 3; i++)
            await client.PassAsync(Order(pair, () => { }) with { Epoch = 4 });
        Assert.Equal([4UL, 5UL, 6UL], epochs);
    }

    [Fact]
    public async Task An_application_that_objects_keeps_its_connection()
    {
        await using ServedAgent agent = ServedAgent.Start();
        await using AgentClient client = await agent.ConnectAsync();
        using LoopbackPair pair = LoopbackPair.Connect();
        int resumed = 0;
        PassResult result = await client.PassAsync(
            Order(pair, () => resumed++) with { QuiesceAsync = _ => throw new InvalidOperationException("in the middle of something") });
        Assert.Equal(ConnectionOwner.Origin, result.Owner);
        Assert.Contains("in the middle of something", result.Detail, StringComparison.Ordinal);
        Assert.Equal((1, 1), (resumed, pair.Descriptors));
    }

    [Fact]
    public async Task An_application_that_does_not_stop_in_time_keeps_its_connection()
    {
        await using ServedAgent agent = ServedAgent.Start(options => options with { QuiesceTime = TimeSpan.FromMilliseconds(50) });
        await using AgentClient client = await agent.ConnectAsync();
        using LoopbackPair pair = LoopbackPair.Connect();
        int resumed = 0;
        PassResult result = await client.PassAsync(Order(pair, () => resumed++) with
        {
            QuiesceAsync = async cancellationToken =>
            {
                await Task.Delay(Timeout.Infinite, cancellationToken); // until the client says that it is too late
                return default;
            },
        });
        Assert.Equal(ConnectionOwner.Origin, result.Owner);
        Assert.Contains("did not stop within", result.Detail, StringComparison.Ordinal);
        Assert.Equal(1, resumed);
    }

    [Fact]
    public async Task A_pass_can_be_given_up()
    {
        await using ServedAgent agent = ServedAgent.Start();
        await using AgentClient client = await agent.ConnectAsync();
        using LoopbackPair pair = LoopbackPair.Connect();
        using CancellationTokenSource giveUp = new();
        PassResult result = await client.PassAsync(Order(pair, () => { }) with
        {
            QuiesceAsync = async cancellationToken =>
            {
                await giveUp.CancelAsync();
                await Task.Delay(Timeout.Infinite, cancellationToken);
                return default;
            },
        }, giveUp.Token);
        Assert.Equal((PassFailure.Cancelled, ConnectionOwner.Origin), (result.Failure, result.Owner));
        Assert.Equal(1, pair.Descriptors);
    }

    [Fact]
    public async Task An_application_that_dies_before_it_stops_ends_its_connection_as_any_program_does()
    {
        await using ServedAgent agent = ServedAgent.Start();
        using LoopbackPair pair = LoopbackPair.Connect();
        using (LocalChannel channel = await agent.ConnectByHandAsync())
        {
            channel.TryPost(new LocalMessage { Request = 1, Pass = new PassConnections { Application = "app", Destination = "host-b" } }, pair.Own.SafeHandle);
            Assert.Equal(LocalMessage.BodyOneofCase.Quiesce, (await ServedAgent.HearAsync(channel)).BodyCase);
            pair.Own.Dispose();
        }

        Assert.Equal(0, await pair.PeerReadsAsync());
    }

    [Fact]
    public async Task An_application_that_dies_when_the_snapshots_have_left_loses_its_connection_only_when_the_verdict_is_known()
    {
        await using ServedAgent agent = ServedAgent.Start();
        TaskCompletionSource sent = new();
        TaskCompletionSource<PassResult> verdict = new();
        CancellationToken given = default;
        agent.PassAsync = async (request, destination, cancellationToken) =>
        {
            request.Begun!(new PassNote(PassId.New(), destination, new PassTicket(Guid.NewGuid(), 1), 1));
            await request.QuiesceAsync(cancellationToken);
            given = cancellationToken;
            sent.SetResult();
            return await verdict.Task; // as an origin: from now on it gives up no more
        };
        using LoopbackPair pair = LoopbackPair.Connect();
        using (LocalChannel channel = await agent.ConnectByHandAsync())
        {
            channel.TryPost(new LocalMessage { Request = 1, Pass = new PassConnections { Application = "app", Destination = "host-b" } }, pair.Own.SafeHandle);
            LocalMessage quiesce = await ServedAgent.HearAsync(channel);
            channel.TryPost(new LocalMessage { PassId = quiesce.PassId, Quiesced = new Quiesced() });
            await sent.Task;
        }

        await Until.True(() => given.IsCancellationRequested);
        Assert.Equal(2, pair.Descriptors); // the test's, which stands for the kernel's look at it, and the agent's
        verdict.SetResult(new PassResult(PassFailure.Expired, ConnectionOwner.Origin, ""));
        await Until.True(() => pair.Descriptors == 1);
        pair.Own.Dispose();
        Assert.Equal(0, await pair.PeerReadsAsync());
    }

    private static PassOrder Order(LoopbackPair pair, Action resume) => new()
    {
        Sockets = [pair.Own],
        Application = "app",
        Destination = "host-b",
        QuiesceAsync = _ => new(s_state),
        Resume = resume,
    };

    private static string FlagsOf(Socket socket) => File.ReadLines($"/proc/self/fdinfo/{socket.Handle}").First(line => line.StartsWith("flags:", StringComparison.Ordinal));
}
