namespace Tcpcp.Relay.Loops;

/// <summary>Who is told of which descriptor. A key names a place and how often it was used, so that what is told late finds nobody.</summary>
internal sealed class WatchTable
{
    private readonly List<(IReadinessTarget? Target, uint Use)> _places = [];
    private readonly Stack<int> _free = new();

    public ulong Add(IReadinessTarget target)
    {
        if (!_free.TryPop(out int place))
        {
            place = _places.Count;
            _places.Add(default);
        }

        uint use = _places[place].Use + 1;
        _places[place] = (target, use);
        return ((ulong)use << 32) | (uint)place;
    }

    public IReadinessTarget? Find(ulong key)
    {
        int place = (int)(uint)key;
        return place < _places.Count && _places[place] is { Target: { } target } one && one.Use == (uint)(key >> 32) ? target : null;
    }

    public void Remove(ulong key)
    {
        if (Find(key) is null)
            return;
        int place = (int)(uint)key;
        _places[place] = (null, _places[place].Use);
        _free.Push(place);
    }
}
