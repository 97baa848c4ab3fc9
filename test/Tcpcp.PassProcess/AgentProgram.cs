using System.Net;
using Tcpcp.Agent.Journal;
using Tcpcp.Agent.Local;
using Tcpcp.Agent.Passing;
using Tcpcp.Client;
using Tcpcp.Core;

namespace Tcpcp.PassProcess;

/// <summary>An agent in a process of its own: NAME ADDRESS:PORT JOURNAL_DIRECTORY SOCKET GROUP [OTHER=ADDRESS:PORT]... Orders on standard input:
/// "want APPLICATION OTHER". It ends with its standard input.</summary>
internal static class AgentProgram
{
    public static async Task RunAsync(IReadOnlyList<string> arguments)
    {
        ThreadPool.SetMinThreads(8, 8);
        Dictionary<string, IPEndPoint> others = arguments.Skip(5).Select(other => other.Split('='))
            .ToDictionary(other => other[0], other => IPEndPoint.Parse(other[1]), StringComparer.Ordinal);
        using FileJournal journal = FileJournal.Open(arguments[2]);
        using PassAgent agent = PassAgent.Open("eth0", new PassOptions { OfferLifetime = TimeSpan.FromSeconds(3) }, Observe, journal);
        LocalServices services = new()
        {
            Host = arguments[0],
            Version = "test",
            Incarnation = journal.Incarnation,
            Destinations = () => [.. others.Keys],
            TryRegister = agent.TryRegister,
            Unregister = agent.Unregister,
            PassAsync = (request, destination, cancellationToken) => others.TryGetValue(destination, out IPEndPoint? where)
                ? agent.PassAsync(request, where, cancellationToken)
                : Task.FromResult(new PassResult(PassFailure.DestinationUnreachable, ConnectionOwner.Origin, $"No agent named '{destination}' is known here.")),
            Operations = new NoOperations(),
            KnownPasses = new NoKnownPasses(),
        };
        agent.Listen(IPEndPoint.Parse(arguments[1]));
        await using LocalServer server = LocalServer.Start(services, new LocalServerOptions { Path = arguments[3], ApplicationGroup = arguments[4] },
            what => Console.WriteLine($"local {what.Kind} {what.Program} {what.Detail}"));
        Console.WriteLine("ready");
        while (await Task.Factory.StartNew(Console.In.ReadLine, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default) is { } line)
        {
            if (line.Split(' ') is not ["want", { } application, { } destination])
                continue;
            await foreach (WantedOutcome outcome in server.PassWantedAsync(application, new WantedPasses { AdmitAsync = (_, _) => new(destination) }, CancellationToken.None))
                Console.WriteLine($"passed {outcome.Result.Failure} {outcome.Result.Owner} {outcome.Result.Detail}");
        }
    }

    private static void Observe(PassStep step) => Console.WriteLine($"step {step.Side}:{step.Action} {step.Detail}");

    private sealed class NoKnownPasses : IKnownPasses
    {
        public void Claim(KnownPass claim) => claim.Dispose();
    }

    private sealed class NoOperations : ILocalOperations
    {
        public ValueTask<IReadOnlyList<OpenPass>> ListPassesAsync(bool inDoubtOnly, CancellationToken cancellationToken) => throw Refused();

        public Task<PassResult> SettleAsync(PassId pass, SettleWay way, CancellationToken cancellationToken) => throw Refused();

        public IAsyncEnumerable<DrainProgress> DrainAsync(DrainOrder order, CancellationToken stop) => throw Refused();

        public ValueTask<AgentStatus> GetStatusAsync(CancellationToken cancellationToken) => throw Refused();

        private static OperationRefusedException Refused() => new("This agent is for tests of applications.");
    }
}
