using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Tcpcp.AspNetCore.Hosting;
using Tcpcp.AspNetCore.Transport;
using Tcpcp.Client;
using Tcpcp.Core;

namespace Tcpcp.AspNetCore.Passing;

/// <summary>Passes all connections: a bounded number at a time. Those that are busy are tried again, those that open meanwhile come too, as long as there is time.</summary>
internal sealed class ConnectionDrain(AgentLink link, ServerConnections connections, ConnectionPasses passes, IOptions<TcpcpOptions> options, ILogger<ConnectionDrain> log)
    : IConnectionDrain
{
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan s_outcomes = TimeSpan.FromSeconds(3);

    public Task<DrainReport> DrainAsync(string? destination = null, CancellationToken cancellationToken = default) => DrainAsync(destination, except: null, cancellationToken);

    /// <param name="except">A connection that waits for the drain's end.</param>
    /// <inheritdoc cref="IConnectionDrain.DrainAsync"/>
    public async Task<DrainReport> DrainAsync(string? destination, PassableConnection? except, CancellationToken cancellationToken)
    {
        AgentClient agent = link.Client is { IsConnected: true } client ? client : throw new InvalidOperationException("The agent of this host is not there.");
        IReadOnlyList<string> destinations = destination is not null ? [destination] : options.Value.Destinations.Count > 0 ? [.. options.Value.Destinations] : agent.Destinations;
        if (destinations.Count == 0)
            throw new InvalidOperationException("The agent of this host knows no destination.");
        Run run = new(agent, passes, destinations);
        long started = TimeProvider.System.GetTimestamp();
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(options.Value.DrainTimeout);
        Task given = Task.Delay(Timeout.InfiniteTimeSpan, limit.Token).ContinueWith(_ => Task.Delay(s_outcomes), TaskScheduler.Default).Unwrap();
        while (!limit.IsCancellationRequested && Candidates() is { Count: > 0 } candidates)
        {
            ParallelOptions atOnce = new() { MaxDegreeOfParallelism = options.Value.MaxConcurrentPasses, CancellationToken = CancellationToken.None };
            Task passing = Parallel.ForEachAsync(run.Group(candidates), atOnce, async (group, _) =>
            {
                if (!limit.IsCancellationRequested)
                    await run.PassAsync(group, limit.Token);
            });
            // An outcome may have to be waited for as long as an agent is away: not by who stops.
            await Task.WhenAny(passing, given);
            if (passing.IsCompleted)
                await passing;
            await Task.Delay(s_pause, limit.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        await limit.CancelAsync();
        DrainReport report = run.Report(TimeProvider.System.GetElapsedTime(started));
        log.Drained(report.Passed, report.Finished, report.Stayed, report.Duration.TotalMilliseconds);
        return report;

        IReadOnlyList<PassableConnection> Candidates() => [.. connections.All.Where(one => one != except && !one.IsLeaving && run.IsOpen(one))];
    }

    private sealed class Run(AgentClient agent, ConnectionPasses passes, IReadOnlyList<string> destinations)
    {
        private readonly ConcurrentDictionary<PassableConnection, string> _stayed = []; // with the last reason
        private readonly ConcurrentDictionary<PassableConnection, byte> _closed = [];
        private readonly ConcurrentDictionary<PassableConnection, byte> _alone = [];
        private int _next = -1;
        private int _passed;
        private int _finished;

        /// <summary>Whether it is worth another try.</summary>
        public bool IsOpen(PassableConnection connection) => !_closed.ContainsKey(connection);

        /// <summary>What to pass together; what cannot be passed is finished instead.</summary>
        public IEnumerable<IReadOnlyList<PassableConnection>> Group(IReadOnlyList<PassableConnection> candidates)
        {
            ILookup<bool, PassableConnection> byObstacle = candidates.ToLookup(one => one.Obstacle is not null), byAlone = byObstacle[false].ToLookup(_alone.ContainsKey);
            foreach (PassableConnection connection in byObstacle[true])
            {
                _closed[connection] = 0;
                passes.Finish(connection);
                _finished++;
            }

            return ConnectionPasses.Group(byAlone[false]).Concat(byAlone[true].Select(one => (PassableConnection[])[one]));
        }

        public async Task PassAsync(IReadOnlyList<PassableConnection> group, CancellationToken cancellationToken)
        {
            string destination = destinations[(int)((uint)Interlocked.Increment(ref _next) % (uint)destinations.Count)];
            PassResult result = await passes.PassAsync(agent, group, destination, cancellationToken);
            if (result.Owner == ConnectionOwner.Destination)
                Interlocked.Add(ref _passed, group.Count);
            foreach (PassableConnection connection in group)
            {
                _stayed.TryRemove(connection, out _);
                if (result.Owner != ConnectionOwner.Origin || connection.HasEnded)
                    continue;
                _stayed[connection] = result.Detail;
                if (group.Count > 1)
                    _alone[connection] = 0; // it may be another one's fault
                else if (!connection.WasLate)
                    _closed[connection] = 0;
            }
        }

        public DrainReport Report(TimeSpan duration)
        {
            string[] reasons = [.. _stayed.Where(one => !one.Key.HasEnded).Select(one => one.Value)];
            return new DrainReport(_passed, _finished, reasons.Length, reasons.GroupBy(one => one, StringComparer.Ordinal).ToDictionary(one => one.Key, one => one.Count(), StringComparer.Ordinal), duration);
        }
    }
}
