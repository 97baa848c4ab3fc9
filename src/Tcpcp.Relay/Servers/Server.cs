using System.Net;
using Tcpcp.Relay.Settings;

namespace Tcpcp.Relay.Servers;

/// <summary>A server and what is known of it. What decides where sessions go belongs to its pool's lock; the counters are anybody's.</summary>
internal sealed class Server(ServerSettings settings)
{
    private const double LeastShare = 0.1; // of its weight, when a slow start begins

    private long _total;
    private long _connectFailures;
    private long _bytesToServer;
    private long _bytesToClient;
    private int _failuresInARow;
    private int _checksInARow;
    private long? _ejectedUntil;
    private long? _backSince;
    private bool _isUp = true;

    public string Name => Settings.Name;

    public IPEndPoint Address => Settings.Address;

    public ServerSettings Settings { get; private set; } = settings;

    public ServerState State { get; set; } = settings.State;

    public int Weight { get; set; } = settings.Weight;

    /// <summary>Sessions that it has, and those that are being opened to it.</summary>
    public int Sessions { get; set; }

    /// <summary>The current value of the smooth weighted turn (<see cref="Choice"/>).</summary>
    public double Turn { get; set; }

    public CheckResult? LastCheck { get; private set; }

    public long Total => Interlocked.Read(ref _total);

    public long ConnectFailures => Interlocked.Read(ref _connectFailures);

    public long BytesToServer => Interlocked.Read(ref _bytesToServer);

    public long BytesToClient => Interlocked.Read(ref _bytesToClient);

    public bool IsFull => Settings.MaxSessions > 0 && Sessions >= Settings.MaxSessions;

    /// <summary>It would get new sessions if it had room.</summary>
    public bool TakesSessions(long now) => State == ServerState.Ready && Weight > 0 && HealthAt(now) == ServerHealth.Up;

    public ServerHealth HealthAt(long now) => !_isUp ? ServerHealth.Down : _ejectedUntil > now ? ServerHealth.Ejected : ServerHealth.Up;

    /// <summary>Its weight, less while it works up to it.</summary>
    public double WeightAt(long now, TimeSpan slowStart)
    {
        if (_backSince is not { } since || slowStart <= TimeSpan.Zero)
            return Weight;
        double share = (now - since) / slowStart.TotalMilliseconds;
        return Weight * Math.Clamp(share, LeastShare, 1);
    }

    /// <summary>What is configured anew counts, and what was set at run time does not any more.</summary>
    public void Follow(ServerSettings changed)
    {
        if (changed.State != Settings.State)
            State = changed.State;
        if (changed.Weight != Settings.Weight)
            Weight = changed.Weight;
        Settings = changed;
    }

    public void Count() => Interlocked.Increment(ref _total);

    public void Moved(long toServer, long toClient)
    {
        if (toServer > 0)
            Interlocked.Add(ref _bytesToServer, toServer);
        if (toClient > 0)
            Interlocked.Add(ref _bytesToClient, toClient);
    }

    /// <summary>A session's connect has succeeded.</summary>
    public void NoteConnected() => _failuresInARow = 0;

    /// <summary>A session's connect has failed.</summary>
    /// <returns>Whether it is left out from now on.</returns>
    public bool NoteConnectFailure(long now, PoolSettings pool)
    {
        Interlocked.Increment(ref _connectFailures);
        if (pool.EjectAfter == 0 || ++_failuresInARow < pool.EjectAfter)
            return false;
        _failuresInARow = 0;
        _ejectedUntil = _backSince = now + (long)pool.EjectTime.TotalMilliseconds;
        return true;
    }

    /// <returns>Whether it counts as up, or as down, from now on.</returns>
    public bool NoteCheck(CheckResult result, long now, CheckSettings check)
    {
        LastCheck = result;
        if (result.IsGood == _isUp)
        {
            _checksInARow = 0;
            return false;
        }

        if (++_checksInARow < (_isUp ? check.Fall : check.Rise))
            return false;
        _checksInARow = 0;
        _isUp = result.IsGood;
        if (_isUp)
            _backSince = now;
        return true;
    }

    /// <summary>Nobody checks it any more.</summary>
    public void ForgetChecks()
    {
        (_isUp, _checksInARow, LastCheck) = (true, 0, null);
    }
}
