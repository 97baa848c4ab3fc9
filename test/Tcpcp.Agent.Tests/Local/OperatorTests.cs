using Tcpcp.Agent.Local;
using Tcpcp.Client;
using Tcpcp.Core;

namespace Tcpcp.Agent.Tests.Local;

/// <summary>What operators ask, by the library's client.</summary>
public sealed class OperatorTests
{
    [Fact]
    public async Task A_status_arrives_as_it_was_said()
    {
        await using ServedAgent agent = ServedAgent.Start();
        agent.Operations.Status = new AgentStatus
        {
            AgentVersion = "1.2.3",
            Host = "host-a",
            Incarnation = Guid.NewGuid(),
            Uptime = TimeSpan.FromMilliseconds(1234),
            Applications = [new("app", 42, "program")],
            Destinations = [new("host-b", "192.0.2.1:7300", IsConnected: true, TimeSpan.FromMicroseconds(250)), new("host-c", "192.0.2.2:7300", IsConnected: false, null)],
            Redirectors = [new RedirectorStatus { Name = "gateway", Address = "192.0.2.3:7300", IsConnected = true, OutstandingOrders = 1, OldestOrder = TimeSpan.FromSeconds(2) }],
            OpenPasses = 1,
            InDoubt = 2,
            PassedOut = 3,
            PassedIn = 4,
            Refused = 5,
            Failed = 6,
            HeldPackets = 7,
            JournalBytes = 8,
            Redirection = "takeover",
        };
        await using AgentClient client = await agent.ConnectAsync();
        AgentStatus status = await client.GetStatusAsync();
        Assert.Equal(agent.Operations.Status.Applications, status.Applications);
        Assert.Equal(agent.Operations.Status.Destinations, status.Destinations);
        Assert.Equal(agent.Operations.Status.Redirectors, status.Redirectors);
        Assert.Equal(agent.Operations.Status, status with
        {
            Applications = agent.Operations.Status.Applications, Destinations = agent.Operations.Status.Destinations, Redirectors = agent.Operations.Status.Redirectors,
        });
        Assert.Equal(["host-b", "host-c"], client.Destinations);
    }

    [Fact]
    public async Task A_list_of_passes_of_any_length_arrives_whole()
    {
        await using ServedAgent agent = ServedAgent.Start();
        using LoopbackPair pair = LoopbackPair.Connect();
        agent.Operations.Passes =
        [
            .. Enumerable.Range(0, 2000).Select(number => new OpenPass(PassId.New(), number % 2 == 0 ? HostRole.Origin : HostRole.Destination,
                number % 3 == 0 ? "InDoubt" : "Active", [pair.Name], "app", "host-b", TimeSpan.FromSeconds(number), number % 5 == 0 ? null : TimeSpan.FromSeconds(1), "detail")),
        ];
        await using AgentClient client = await agent.ConnectAsync();
        IReadOnlyList<OpenPass> all = await client.ListPassesAsync();
        Assert.Equal(agent.Operations.Passes.Select(Describe), all.Select(Describe));
        Assert.Equal(667, (await client.ListPassesAsync(inDoubtOnly: true)).Count);
    }

    [Fact]
    public async Task A_pass_is_settled_as_the_operator_says()
    {
        await using ServedAgent agent = ServedAgent.Start();
        PassId pass = PassId.New();
        agent.Operations.Passes = [new OpenPass(pass, HostRole.Origin, "InDoubt", [], "app", "host-b", TimeSpan.Zero, null, "")];
        await using AgentClient client = await agent.ConnectAsync();
        PassResult result = await client.SettlePassAsync(pass, SettleWay.DestinationIsDead);
        Assert.Equal((pass, SettleWay.DestinationIsDead), agent.Operations.Settled);
        Assert.Equal(new PassResult(PassFailure.Abandoned, ConnectionOwner.Nobody, "As the operator said."), result);
        PassId unknown = PassId.New();
        AgentException e = await Assert.ThrowsAsync<AgentException>(() => client.SettlePassAsync(unknown, SettleWay.Abandon));
        Assert.Equal($"There is no pass {unknown}.", e.Message);
    }

    [Fact]
    public async Task A_drain_tells_the_outcome_of_every_connection()
    {
        await using ServedAgent agent = ServedAgent.Start();
        using LoopbackPair pair = LoopbackPair.Connect();
        const int Total = 3000;
        agent.Operations.Progress = number => number < Total ? ProgressOf(pair, number, Total) : null;
        await using AgentClient client = await agent.ConnectAsync();
        DrainOrder order = new() { Destinations = ["host-b", "host-c"], Applications = ["app"], Connections = [pair.Name], ProcessId = 3, Descriptor = 4, AsApplication = "as", Rate = 5 };
        List<DrainProgress> heard = [];
        await foreach (DrainProgress progress in client.DrainAsync(order))
            heard.Add(progress);
        Assert.Equal(Enumerable.Range(0, Total).Select(number => ProgressOf(pair, number, Total)), heard);
        DrainOrder drained = agent.Operations.Drained!;
        Assert.Equal((order.ProcessId, order.Descriptor, order.AsApplication, order.Rate), (drained.ProcessId, drained.Descriptor, drained.AsApplication, drained.Rate));
        Assert.Equal([["host-b", "host-c"], ["app"]], new[] { drained.Destinations, drained.Applications });
        Assert.Equal([pair.Name], drained.Connections);
    }

    [Fact]
    public async Task A_drain_that_is_cancelled_tells_what_was_under_way()
    {
        await using ServedAgent agent = ServedAgent.Start();
        using LoopbackPair pair = LoopbackPair.Connect();
        agent.Operations.Progress = number => ProgressOf(pair, number, 1_000_000);
        await using AgentClient client = await agent.ConnectAsync();
        using CancellationTokenSource stop = new();
        int heard = 0;
        await foreach (DrainProgress progress in client.DrainAsync(new DrainOrder { Destinations = ["host-b"] }, stop.Token))
        {
            Assert.Equal(++heard, progress.Done);
            if (heard == 10)
                await stop.CancelAsync();
        }

        Assert.True(heard >= 10);
    }

    [Fact]
    public async Task A_drain_ends_with_the_operator_who_goes_away()
    {
        await using ServedAgent agent = ServedAgent.Start();
        using LoopbackPair pair = LoopbackPair.Connect();
        agent.Operations.Progress = number => ProgressOf(pair, number, 1_000_000);
        AgentClient client = await agent.ConnectAsync();
        await using IAsyncEnumerator<DrainProgress> drain = client.DrainAsync(new DrainOrder { Destinations = ["host-b"] }).GetAsyncEnumerator();
        Assert.True(await drain.MoveNextAsync());
        await client.DisposeAsync();
        await Until.True(() => agent.Operations.HasDrainEnded);
    }

    [Fact]
    public async Task An_application_obeys_the_operator()
    {
        await using ServedAgent agent = ServedAgent.Start();
        await using AgentClient client = await agent.ConnectAsync();
        using LoopbackPair first = LoopbackPair.Connect();
        using LoopbackPair second = LoopbackPair.Connect();
        using LoopbackPair unwanted = LoopbackPair.Connect();
        using LoopbackPair ended = LoopbackPair.Connect();
        List<FourTuple> wanted = [];
        List<PassResult> concluded = [];
        PassOrder dead = Order(ended, concluded);
        ended.Own.Dispose();
        await client.RegisterAsync("app", new TestReceiver
        {
            Find = connections =>
            {
                wanted.AddRange(connections);
                return [Order(first, concluded), dead, Order(unwanted, concluded), Order(second, concluded)];
            },
        });
        int admitted = 0;
        List<WantedOutcome> outcomes = [];
        WantedPasses question = new() { Connections = [first.Name, second.Name], AdmitAsync = (_, _) => new($"host-{(++admitted == 1 ? 'b' : 'c')}") };
        await foreach (WantedOutcome outcome in agent.Server.PassWantedAsync("app", question, CancellationToken.None))
            outcomes.Add(outcome);
        Assert.Equal([first.Name, second.Name], wanted);
        Assert.Equal(2, outcomes.Count);
        Assert.All(outcomes, outcome => Assert.True(outcome.Result.Succeeded));
        Assert.Equal(["host-b", "host-c"], outcomes.Select(outcome => outcome.Destination).Order(StringComparer.Ordinal));
        Assert.Equal(new[] { first.Name, second.Name }.ToHashSet(), outcomes.SelectMany(outcome => outcome.Connections).ToHashSet());
        await Until.True(() => concluded.Count == 2);
    }

    [Fact]
    public async Task What_is_not_admitted_any_more_stays()
    {
        await using ServedAgent agent = ServedAgent.Start();
        await using AgentClient client = await agent.ConnectAsync();
        using LoopbackPair pair = LoopbackPair.Connect();
        await client.RegisterAsync("app", new TestReceiver { Find = _ => [Order(pair, [])] });
        using CancellationTokenSource stop = new();
        WantedPasses question = new()
        {
            AdmitAsync = async (_, cancellationToken) =>
            {
                await stop.CancelAsync();
                cancellationToken.ThrowIfCancellationRequested();
                return "host-b";
            },
        };
        List<WantedOutcome> outcomes = [];
        await foreach (WantedOutcome outcome in agent.Server.PassWantedAsync("app", question, stop.Token))
            outcomes.Add(outcome);
        Assert.Equal((PassFailure.Cancelled, ConnectionOwner.Origin), (Assert.Single(outcomes).Result.Failure, outcomes[0].Result.Owner));
        Assert.Equal(1, pair.Descriptors);
    }

    [Fact]
    public async Task An_application_that_is_not_there_is_named()
    {
        await using ServedAgent agent = ServedAgent.Start();
        OperationRefusedException e = await Assert.ThrowsAsync<OperationRefusedException>(async () =>
        {
            await foreach (WantedOutcome _ in agent.Server.PassWantedAsync("nobody", new WantedPasses { AdmitAsync = (_, _) => new("host-b") }, CancellationToken.None))
                Assert.Fail("Nothing can be passed.");
        });
        Assert.Contains("'nobody'", e.Message, StringComparison.Ordinal);
    }

    private static PassOrder Order(LoopbackPair pair, List<PassResult> concluded) => new()
    {
        Sockets = [pair.Own],
        Application = "app",
        QuiesceAsync = _ => default,
        Resume = () => { },
        Concluded = result =>
        {
            lock (concluded)
                concluded.Add(result);
        },
    };

    private static DrainProgress ProgressOf(LoopbackPair pair, int number, int total)
    {
        TimeSpan? blackout = number % 2 == 0 ? null : TimeSpan.FromMicroseconds(number);
        PassResult result = new(PassFailure.None, ConnectionOwner.Destination, "") { Blackout = blackout };
        return new DrainProgress(pair.Name, "app", "host-b", result, blackout, number + 1, total);
    }

    private static string Describe(OpenPass pass) =>
        $"{pass.Pass} {pass.Role} {pass.State} {string.Join(',', pass.Connections)} {pass.Application} {pass.OtherHost} {pass.Age} {pass.KernelTimeLeft} {pass.Detail}";
}
