using System.Runtime.InteropServices;
using Tcpcp.Core;
using Tcpcp.Linux.Congestion;

namespace Tcpcp.Restore;

/// <summary>What of a connection's congestion control goes on where it was: with <see cref="CongestionStart.Keep"/> window and rate, and ECN if that is wanted.</summary>
internal sealed class KeptCongestion
{
    // What a new connection starts with anyway (RFC 6928).
    private const int InitialWindowSegments = 10;

    // A snapshot comes from another host: no burst larger than 47 MB at an MSS of 1448, whatever it says.
    private const int MaxWindowSegments = 32_768;

    // Kept open as long as the process lives: where it is not pinned, the sockets' first windows hang on it.
    private static readonly Lazy<(CongestionKeep? Keep, string? Obstacle)> s_keep = new(() => TryOpen(CongestionKeep.Open));
    private static readonly Lazy<(CongestionStarter? Starter, string? Obstacle)> s_starter = new(() => TryOpen(CongestionStarter.Open));

    private readonly CongestionKeep? _keep;
    private readonly CongestionStarter? _starter;
    private readonly CongestionSeed _seed;
    private readonly int? _slowStartThreshold;
    private readonly bool _ecn;
    private ulong _cookie;

    private KeptCongestion(CongestionKeep? keep, CongestionStarter? starter, CongestionSeed? seed, ConnectionSnapshot snapshot, bool ecn)
    {
        (_keep, _starter, _seed, _ecn) = (seed is null ? null : keep, starter, seed.GetValueOrDefault(), ecn);
        // Without losses the captured window is the best that is known: beyond it the window grows slowly, or the first round trips would overload the path.
        if (_keep is not null)
            _slowStartThreshold = Math.Max(2, Math.Min(snapshot.Congestion.SlowStartThreshold, snapshot.Congestion.WindowSegments));
    }

    /// <summary>The first window; null: that of a new connection.</summary>
    public int? WindowSegments => _keep is not null && Obstacle is null ? _seed.WindowSegments : null;

    /// <summary>Why the window has not been kept after all.</summary>
    public string? Obstacle { get; private set; }

    /// <summary>Why window and rate cannot be kept on this host; null: they can.</summary>
    public static string? FindObstacle() => s_keep.Value.Obstacle;

    /// <summary>Where nothing is kept on this host any more: removes what is pinned for it, unless it has limits of pacing rates to end yet.</summary>
    /// <returns>Connections whose limits it has to end first.</returns>
    /// <exception cref="IOException">It cannot be removed.</exception>
    public static int RemoveUnused() => CongestionKeep.FindPinned().Count == 0 ? 0 : CongestionKeep.RemoveUnused();

    /// <summary>Why ECN cannot be kept on this host; null: it can.</summary>
    public static string? FindEcnObstacle() => s_starter.Value.Obstacle;

    /// <param name="keepsEcn">Whether ECN is wanted where it was agreed on.</param>
    /// <param name="obstacle">Gets why something cannot be kept.</param>
    /// <returns>Null if nothing can be kept, nothing is wanted, or it makes no difference.</returns>
    public static KeptCongestion? Of(ConnectionSnapshot snapshot, bool keepsEcn, out string? obstacle)
    {
        obstacle = null;
        CongestionSeed? seed = snapshot.Congestion.Start == CongestionStart.Keep ? SeedOf(snapshot) : null;
        bool ecn = keepsEcn && snapshot.Negotiated.Ecn;
        if (seed is null && !ecn)
            return null;
        CongestionKeep? keep = null;
        if (seed is not null)
            (keep, obstacle) = s_keep.Value;
        if (keep is null && !ecn)
            return null;
        (CongestionStarter? starter, string? notStarted) = s_starter.Value;
        if (ecn)
            obstacle ??= notStarted;
        return keep is null && starter is null ? null : new KeptCongestion(keep, starter, seed, snapshot, ecn);
    }

    /// <summary>
    /// What the path carried of late in a round trip, or what is in flight, and never more than the captured window: that may have been opened far beyond it, or not be used at all.
    /// </summary>
    /// <returns>Null where a new connection's window is not smaller, or nothing was measured.</returns>
    public static CongestionSeed? SeedOf(ConnectionSnapshot snapshot)
    {
        CongestionState congestion = snapshot.Congestion;
        TimeSpan rtt = congestion.MinRtt > TimeSpan.Zero && congestion.MinRtt.TotalMicroseconds < uint.MaxValue ? congestion.MinRtt : congestion.Rtt;
        double carried = congestion.DeliveryRate * rtt.TotalSeconds / snapshot.Negotiated.SendMss;
        double inFlight = (snapshot.Sent.Length / (double)snapshot.Negotiated.SendMss) + 1; // and the last segment of it fits too: it leaves at once and shows what was lost
        int window = (int)Math.Min(Math.Min(congestion.WindowSegments, Math.Max(carried, inFlight)), MaxWindowSegments);
        return window > InitialWindowSegments ? new CongestionSeed(window, congestion.DeliveryRate, snapshot.Options.MaxPacingRate) : null;
    }

    /// <summary>Before the socket connects.</summary>
    public void Announce(SafeHandle socket) => _cookie = _keep?.Announce(socket, _seed) ?? 0;

    /// <summary>When it has connected, before its congestion control is chosen.</summary>
    /// <returns>Whether it has one now that must not stay.</returns>
    public bool Start(SafeHandle socket)
    {
        _starter?.Start(socket, _slowStartThreshold, _ecn);
        return _starter is not null;
    }

    /// <summary>When its options are set.</summary>
    public void Begin(SafeHandle socket)
    {
        if (_keep?.TryBegin(socket, _cookie, _seed) == false)
            Obstacle = "the socket did not get the window: this process was moved to another cgroup since it first kept one.";
    }

    /// <summary>The socket is given up.</summary>
    public void Withdraw() => _keep?.Withdraw(_cookie);

    private static (T? Opened, string? Obstacle) TryOpen<T>(Func<T> open)
        where T : class
    {
        try
        {
            return (open(), null);
        }
        catch (IOException e)
        {
            return (null, e.Message);
        }
    }
}
