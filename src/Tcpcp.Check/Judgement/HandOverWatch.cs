using Tcpcp.Check.Packets;

namespace Tcpcp.Check.Judgement;

/// <summary>The hand-overs of a connection: those that the caller named, and those where the service's MAC address changes.</summary>
internal sealed class HandOverWatch
{
    /// <summary>What belongs to a hand-over: 200 ms on both sides, in nanoseconds.</summary>
    public const long Vicinity = 200_000_000;

    private const int MaxDetected = 1000;

    private readonly List<Watched> _watched = [];
    private int _detected;
    private ulong _mac;
    private long _lastFromService = -1;
    private long _lastDetected = long.MinValue / 2;

    public HandOverWatch(IReadOnlyList<long> given)
    {
        foreach (long instant in given)
            _watched.Add(new Watched { Instant = instant });
    }

    public long MacChanges { get; private set; }

    /// <summary>True within 200 ms of a hand-over that was given, or after one that was seen.</summary>
    public bool IsNear(long time)
    {
        if (time - _lastDetected <= Vicinity)
            return true;
        for (int i = 0; i < _watched.Count - _detected; i++)
        {
            if (_watched[i].Covers(time))
                return true;
        }
        return false;
    }

    /// <summary>Sees a segment before its sender's state takes it over.</summary>
    public void Observe(ulong mac, bool fromService, long time, Endpoint service, Endpoint peer)
    {
        long? previous = (fromService ? service : peer).LastTime;
        if (fromService)
        {
            if (mac != _mac && _mac != 0 && mac != 0)
                Detect(mac, time, service.RecentRetransmissions(time), peer.RecentRetransmissions(time));
            if (mac != 0)
                _mac = mac;
            _lastFromService = time;
        }
        if (previous is not long last)
            return;
        for (int i = _watched.Count - 1; i >= 0; i--)
        {
            Watched item = _watched[i];
            if (last <= item.Instant + Vicinity && time >= item.Instant - Vicinity)
                item.TakeSilence(fromService, time - last);
            else if (i >= _watched.Count - _detected)
                i = _watched.Count - _detected; // the detected ones are in order of time: the older are past
        }
    }

    public void CountRetransmission(bool fromService, long time)
    {
        foreach (Watched item in _watched)
        {
            if (!item.Covers(time))
                continue;
            if (fromService)
                item.ServiceRetransmissions++;
            else
                item.PeerRetransmissions++;
        }
    }

    public IReadOnlyList<HandOver> Report()
    {
        List<HandOver> result = [];
        foreach (Watched item in _watched)
            result.Add(item.ToHandOver());
        result.Sort((left, right) => left.Instant.CompareTo(right.Instant));
        return result;
    }

    private void Detect(ulong mac, long time, int serviceRetransmissions, int peerRetransmissions)
    {
        MacChanges++;
        _lastDetected = time;
        if (_detected == MaxDetected)
            return;
        _detected++;
        _watched.Add(new Watched
        {
            Instant = time,
            OldMac = _mac,
            NewMac = mac,
            Gap = time - _lastFromService,
            ServiceRetransmissions = serviceRetransmissions,
            PeerRetransmissions = peerRetransmissions,
        });
    }

    private sealed class Watched
    {
        private long _serviceSilence;
        private long _peerSilence;

        public required long Instant { get; init; }
        public ulong OldMac { get; init; }
        public ulong NewMac { get; init; }
        public long Gap { get; init; }
        public long ServiceRetransmissions { get; set; }
        public long PeerRetransmissions { get; set; }

        public bool Covers(long time) => time >= Instant - Vicinity && time <= Instant + Vicinity;

        public void TakeSilence(bool fromService, long silence)
        {
            if (fromService)
                _serviceSilence = Math.Max(_serviceSilence, silence);
            else
                _peerSilence = Math.Max(_peerSilence, silence);
        }

        public HandOver ToHandOver() => new()
        {
            IsDetected = NewMac != 0,
            Instant = UnixTime.ToDateTime(Instant),
            OldMac = NewMac == 0 ? null : Addresses.MacToString(OldMac),
            NewMac = NewMac == 0 ? null : Addresses.MacToString(NewMac),
            Gap = NewMac == 0 ? null : UnixTime.ToTimeSpan(Gap),
            ServiceSilence = UnixTime.ToTimeSpan(_serviceSilence),
            PeerSilence = UnixTime.ToTimeSpan(_peerSilence),
            ServiceRetransmissions = ServiceRetransmissions,
            PeerRetransmissions = PeerRetransmissions,
        };
    }
}
