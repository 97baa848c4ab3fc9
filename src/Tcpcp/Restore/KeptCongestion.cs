using System.Runtime.InteropServices;
using Tcpcp.Core;
using Tcpcp.Linux.Congestion;

namespace Tcpcp.Restore;

/// <summary>Congestion control of a connection that goes on where it was: <see cref="CongestionStart.Keep"/>.</summary>
internal sealed class KeptCongestion
{
    // What a new connection starts with anyway (RFC 6928).
    private const int InitialWindowSegments = 10;

    // A snapshot comes from another host: no burst larger than 47 MB at an MSS of 1448, whatever it says.
    private const int MaxWindowSegments = 32_768;

    private static readonly Lazy<(CongestionKeep? Keep, string? Obstacle)> s_shared = new(Open);

    private readonly CongestionKeep _keep;
    private readonly CongestionSeed _seed;
    private ulong _cookie;

    private KeptCongestion(CongestionKeep keep, CongestionSeed seed) => (_keep, _seed) = (keep, seed);

    /// <summary>The first window.</summary>
    public int? WindowSegments => Obstacle is null ? _seed.WindowSegments : null;

    /// <summary>Why it has not been kept after all.</summary>
    public string? Obstacle { get; private set; }

    /// <summary>Why nothing can be kept on this host; null: it can.</summary>
    public static string? FindObstacle() => s_shared.Value.Obstacle;

    /// <param name="obstacle">Gets why it cannot be kept.</param>
    /// <returns>Null if it cannot, is not wanted, or makes no difference.</returns>
    public static KeptCongestion? Of(ConnectionSnapshot snapshot, out string? obstacle)
    {
        obstacle = null;
        if (snapshot.Congestion.Start != CongestionStart.Keep || SeedOf(snapshot) is not { } seed)
            return null;
        (CongestionKeep? keep, obstacle) = s_shared.Value;
        return keep is null ? null : new KeptCongestion(keep, seed);
    }

    /// <summary>
    /// What the path carried of late in a round trip, and never more than the captured window: that may have been opened far beyond it, or not be used at all.
    /// </summary>
    /// <returns>Null where a new connection's window is not smaller, or nothing was measured.</returns>
    public static CongestionSeed? SeedOf(ConnectionSnapshot snapshot)
    {
        CongestionState congestion = snapshot.Congestion;
        TimeSpan rtt = congestion.MinRtt > TimeSpan.Zero && congestion.MinRtt.TotalMicroseconds < uint.MaxValue ? congestion.MinRtt : congestion.Rtt;
        double carried = congestion.DeliveryRate * rtt.TotalSeconds / snapshot.Negotiated.SendMss;
        int window = (int)Math.Min(Math.Min(congestion.WindowSegments, carried), MaxWindowSegments);
        return window > InitialWindowSegments ? new CongestionSeed(window, congestion.DeliveryRate, snapshot.Options.MaxPacingRate) : null;
    }

    /// <summary>Before the socket connects.</summary>
    public void Announce(SafeHandle socket) => _cookie = _keep.Announce(socket, _seed);

    /// <summary>When its options are set.</summary>
    public void Begin(SafeHandle socket)
    {
        if (!_keep.TryBegin(socket, _cookie, _seed))
            Obstacle = "the socket did not get the window: this process was moved to another cgroup since it first kept one.";
    }

    /// <summary>The socket is given up.</summary>
    public void Withdraw() => _keep.Withdraw(_cookie);

    // Kept open as long as the process lives: where it is not pinned, the sockets' first windows hang on it.
    private static (CongestionKeep? Keep, string? Obstacle) Open()
    {
        try
        {
            return (CongestionKeep.Open(), null);
        }
        catch (IOException e)
        {
            return (null, e.Message);
        }
    }
}
