using Tcpcp.Agent.Link;
using Tcpcp.Core;
using Tcpcp.Core.Passing;
using Tcpcp.Linux;
using Tcpcp.Linux.Diagnostics;

namespace Tcpcp.Agent.Redirection;

/// <summary>
/// At an owner, for one home: finds out which of the connections that it forwards to here have ended, and tells it, until it says that the entries are gone.
/// </summary>
/// <remarks>
/// Nothing is remembered that must survive: what is forwarded to here says the home, and what lives here says the kernel. A connection that is in neither list of
/// this host, sockets and open passes, has ended. The order counts: first the home names its entry and the number of it, then the open passes are looked at,
/// then the sockets. What comes back to the home meanwhile and leaves it again has another number then.
/// </remarks>
/// <param name="listSockets">All connections of this host, TIME_WAIT included.</param>
/// <param name="openPasses">Connections of passes that are not settled on this host.</param>
/// <param name="told">Hears how many connections the home does not forward any more.</param>
internal sealed class HomeReports(
    IHomeAgent home, KnownHomes homes, Func<IReadOnlyList<ListedSocket>> listSockets, Func<IReadOnlySet<FourTuple>> openPasses, EndReportTimes times,
    TimeProvider clock, Action<string, int> told) : IDisposable
{
    // A look at all sockets must not take more than this part of the time.
    private const int PausePerLook = 10;

    /// <summary>What one message names at most.</summary>
    public const int MaxNamed = 4096;

    private readonly Lock _lock = new();
    private readonly SemaphoreSlim _woken = new(0);
    private readonly Dictionary<ulong, FourTuple> _living = []; // by the cookie of the socket
    private readonly HashSet<FourTuple> _suspects = [];
    private readonly HashSet<FourTuple> _unclaimed = [];
    private HashSet<ulong>? _endedMeanwhile;
    private bool _all = true;
    private long _due = clock.GetTimestamp();
    private long _allDue;
    private long _notBefore;

    public string Home => home.HomeName;

    /// <summary>A pass has brought a connection whose packets come by this home.</summary>
    public void Arrive(FourTuple connection)
    {
        lock (_lock)
            _unclaimed.Add(connection);
        Suspect([connection], times.AfterArrival);
    }

    /// <summary>Sockets of this host have ended.</summary>
    public void End(IReadOnlyCollection<ulong> cookies)
    {
        List<FourTuple> ended = [];
        lock (_lock)
        {
            _endedMeanwhile?.UnionWith(cookies);
            foreach (ulong cookie in cookies)
            {
                if (_living.Remove(cookie, out FourTuple connection))
                    ended.Add(connection);
            }
        }

        if (ended.Count > 0)
            Suspect(ended, times.AfterEnd);
    }

    /// <summary>Ends of sockets may have been missed.</summary>
    public void CompareAll()
    {
        lock (_lock)
            _all = true;
        Hasten(times.AfterEnd);
    }

    public void Dispose() => _woken.Dispose();

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        TimeSpan pause = times.FirstPause;
        while (await IsDueAsync(cancellationToken))
        {
            long began = clock.GetTimestamp();
            try
            {
                using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
                limit.CancelAfter(times.Answer);
                await ReportAsync(limit.Token);
                pause = times.FirstPause;
                Pause(clock.GetElapsedTime(began) * PausePerLook);
            }
            catch (Exception e) when (e is LinkException or KernelException or OperationCanceledException or ObjectDisposedException)
            {
                CompareAll();
                Pause(pause);
                pause = pause * 2 < times.LongestPause ? pause * 2 : times.LongestPause;
            }
        }
    }

    private async Task ReportAsync(CancellationToken cancellationToken)
    {
        (bool all, HashSet<FourTuple> suspects, HashSet<FourTuple> unclaimed) = Take();
        await ClaimAsync(unclaimed, cancellationToken);
        long arrivals = homes.Arrivals;
        IReadOnlyList<FourTuple> before = all ? homes.Of(Home) : [];
        HashSet<FourTuple> named = all ? [] : Sort(suspects, arrivals);
        if (!all && named.Count == 0)
            return;
        List<ForwardedConnection> forwarded = [];
        foreach (FourTuple[] part in all ? [[]] : named.Chunk(MaxNamed))
            forwarded.AddRange(await home.ListForwardedAsync(part, cancellationToken));
        await SettleAsync([.. forwarded.Where(one => one.MovedBy is not null)], cancellationToken);
        forwarded.RemoveAll(one => one.MovedBy is not null);
        HashSet<FourTuple> ended = Sort([.. forwarded.Select(one => one.Connection), .. before], arrivals, all);
        if (all)
            await ClaimAsync([.. forwarded.Where(one => one.IsContested && homes.Find(one.Connection) == Home).Select(one => one.Connection)], cancellationToken);
        // What the home does not forward has gone there, or it has forgotten it.
        foreach (FourTuple connection in all ? ended : named.Where(ended.Contains).Concat(named.Except(forwarded.Select(one => one.Connection))))
            homes.Forget(connection, Home, arrivals);
        foreach (ForwardedConnection[] part in forwarded.Where(one => ended.Contains(one.Connection)).Chunk(MaxNamed))
        {
            IReadOnlyList<FourTuple> standing = await home.EndForwardedAsync(part, cancellationToken);
            Suspect(standing, times.Again);
            if (standing.Count < part.Length)
                told(Home, part.Length - standing.Count);
        }
    }

    // The pass has ended well, and its origin has no say any more. What fails is found again by comparing.
    private async Task ClaimAsync(IReadOnlyCollection<FourTuple> connections, CancellationToken cancellationToken)
    {
        foreach (FourTuple[] part in connections.Chunk(MaxNamed))
            await home.ClaimForwardedAsync(part, cancellationToken);
    }

    // By a pass that nobody here knows of any more, since the journal is a new one: what has no socket here either will not be taken back.
    private async Task SettleAsync(IReadOnlyCollection<ForwardedConnection> moved, CancellationToken cancellationToken)
    {
        if (moved.Count == 0)
            return;
        IReadOnlySet<FourTuple> open = openPasses();
        HashSet<FourTuple> living = [.. listSockets().Select(socket => socket.Connection)];
        foreach (IGrouping<PassId, ForwardedConnection> pass in moved.Where(one => !open.Contains(one.Connection) && !living.Contains(one.Connection)).GroupBy(one => one.MovedBy!.Value))
        {
            foreach (ForwardedConnection[] part in pass.Chunk(MaxNamed))
                await home.RepointAsync(new RepointOrder(pass.Key, [.. part.Select(one => one.Connection)], Host: "", Number: 0) { IsSettled = true }, cancellationToken);
        }
    }

    // Notes what lives, and puts aside what has not ended quite.
    private HashSet<FourTuple> Sort(HashSet<FourTuple> connections, long arrivals, bool areAll = false)
    {
        if (connections.Count == 0)
            return [];
        IReadOnlySet<FourTuple> open = openPasses(); // before the sockets: a pass that is settled by now has made or closed its own
        lock (_lock)
        {
            _endedMeanwhile = [];
            if (areAll)
                _living.Clear();
        }

        Dictionary<FourTuple, ListedSocket> listed = [];
        foreach (ListedSocket socket in listSockets())
        {
            if (!listed.TryGetValue(socket.Connection, out ListedSocket other) || IsLingering(other))
                listed[socket.Connection] = socket;
        }

        HashSet<FourTuple> ended = [];
        List<FourTuple> living = [];
        List<FourTuple> unsettled = [];
        lock (_lock)
        {
            foreach (FourTuple connection in connections)
            {
                bool isHere = listed.TryGetValue(connection, out ListedSocket socket);
                if (open.Contains(connection) || (isHere && (IsLingering(socket) || _endedMeanwhile.Contains(socket.Cookie))))
                    unsettled.Add(connection);
                else if (!isHere)
                    ended.Add(connection);
                else
                    living.Add(_living[socket.Cookie] = connection);
            }

            _endedMeanwhile = null;
        }

        // A socket that turns into TIME_WAIT is in no list for a moment (inet_twsk_hashdance_schedule): what has ended is not there a second time either.
        if (ended.Count > 0)
        {
            unsettled.AddRange(ended.Intersect(listSockets().Select(socket => socket.Connection)));
            ended.ExceptWith(unsettled);
        }

        foreach (FourTuple connection in living)
            homes.Learn(connection, Home, arrivals);
        Suspect(unsettled, times.Again);
        return ended;
    }

    // TIME_WAIT, and what the kernel keeps of a FIN_WAIT2 that nobody holds: the peer's last FIN may come again. Of its end there is no event.
    private static bool IsLingering(ListedSocket socket) => socket.State == TcpState.TimeWait || socket.Timer == TcpTimer.TimeWait;

    private void Suspect(IReadOnlyCollection<FourTuple> connections, TimeSpan delay)
    {
        if (connections.Count == 0)
            return;
        lock (_lock)
            _suspects.UnionWith(connections);
        Hasten(delay);
    }

    private (bool All, HashSet<FourTuple> Suspects, HashSet<FourTuple> Unclaimed) Take()
    {
        lock (_lock)
        {
            long now = clock.GetTimestamp();
            bool all = _all || now >= _allDue;
            if (all)
                _allDue = now + Ticks(times.All);
            HashSet<FourTuple> suspects = [.. _suspects];
            HashSet<FourTuple> unclaimed = [.. _unclaimed];
            _suspects.Clear();
            _unclaimed.Clear();
            (_all, _due) = (false, _allDue);
            return (all, suspects, unclaimed);
        }
    }

    private void Hasten(TimeSpan delay)
    {
        lock (_lock)
        {
            long due = clock.GetTimestamp() + Ticks(delay);
            if (due >= _due)
                return;
            _due = due;
        }

        _woken.Release();
    }

    private void Pause(TimeSpan pause)
    {
        lock (_lock)
            _notBefore = clock.GetTimestamp() + Ticks(pause);
    }

    private async Task<bool> IsDueAsync(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            TimeSpan rest;
            lock (_lock)
                rest = clock.GetElapsedTime(clock.GetTimestamp(), Math.Max(_due, _notBefore));
            if (rest <= TimeSpan.Zero)
                return true;
            try
            {
                await _woken.WaitAsync(rest + TimeSpan.FromMilliseconds(1), cancellationToken);
            }
            catch (OperationCanceledException)
            {
                return false;
            }
        }

        return false;
    }

    private long Ticks(TimeSpan time) => (long)(time.TotalSeconds * clock.TimestampFrequency);
}
