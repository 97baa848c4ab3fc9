using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Tcpcp.Client;
using Tcpcp.Core;
using Tcpcp.Relay.Hosting;
using Tcpcp.Relay.Sessions;

namespace Tcpcp.Relay.Passing;

/// <summary>One order to move sessions to another host: a bounded number at a time, each tried once; the rest runs on meanwhile.</summary>
/// <param name="limit">How many at most; null: all, and then those that have opened meanwhile, until they are few: there would be no end where clients never cease.</param>
internal sealed class SessionMoves(RelaySessions sessions, SessionPasses passes, AgentClient agent, string destination, int? limit)
{
    private const int AtATime = 16;
    private const int MostRounds = 50; // each shorter than the one before

    private int _done;
    private int _total;

    /// <param name="stop">Begins no new pass; those under way end, and are told.</param>
    public async IAsyncEnumerable<MoveProgress> RunAsync([EnumeratorCancellation] CancellationToken stop)
    {
        Channel<MoveProgress> progress = Channel.CreateUnbounded<MoveProgress>(new UnboundedChannelOptions { SingleReader = true });
        Task all = RunAllAsync(progress.Writer, stop);
        _ = all.ContinueWith(_ => progress.Writer.TryComplete(), TaskScheduler.Default);
        await foreach (MoveProgress one in progress.Reader.ReadAllAsync(CancellationToken.None))
            yield return one;
        await all;
    }

    private async Task RunAllAsync(ChannelWriter<MoveProgress> progress, CancellationToken stop)
    {
        HashSet<Session> seen = [];
        for (int round = 0; round < (limit is null ? MostRounds : 1); round++)
        {
            Session[] fresh = [.. sessions.All.Where(session => !seen.Contains(session)).OrderByDescending(session => session.Identity.Accepted).Take(limit ?? int.MaxValue)];
            seen.UnionWith(fresh);
            Interlocked.Add(ref _total, fresh.Length);
            HashSet<Task> underWay = [];
            foreach (Session session in fresh)
            {
                if (stop.IsCancellationRequested)
                    break;
                while (underWay.Count >= AtATime)
                    underWay.Remove(await Task.WhenAny(underWay));
                underWay.Add(PassAsync(session, progress));
            }

            await Task.WhenAll(underWay);
            if (stop.IsCancellationRequested || (round > 0 && fresh.Length <= AtATime))
                return;
        }
    }

    private async Task PassAsync(Session session, ChannelWriter<MoveProgress> progress)
    {
        PassResult? result = await passes.PassAsync(agent, session, destination);
        if (result is { } known)
            progress.TryWrite(new MoveProgress(session.Identity, destination, known, Interlocked.Increment(ref _done), Volatile.Read(ref _total)));
        else
            Interlocked.Decrement(ref _total);
    }
}

/// <summary>What became of one session.</summary>
/// <param name="Done">Sessions whose outcome is known.</param>
/// <param name="Total">Sessions that are to move, as far as is known.</param>
internal sealed record MoveProgress(SessionIdentity Session, string Destination, PassResult Result, int Done, int Total);
