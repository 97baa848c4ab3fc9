using System.Net;

namespace Tcpcp.Relay.Listening;

/// <summary>What one session takes of a listener's room, and of its client address's. Given back once.</summary>
internal sealed class ListenerPlace(Listener listener)
{
    private int _isGivenBack;
    private IPAddress? _source;

    public Listener Listener => listener;

    /// <summary>Counts the session as one of this client address.</summary>
    /// <returns>False if it has as many as it may.</returns>
    public bool TryCountFor(IPAddress source, int limit)
    {
        if (!listener.Sources.TryAdd(source, limit))
            return false;
        _source = source;
        return true;
    }

    public void GiveBack()
    {
        if (Interlocked.Exchange(ref _isGivenBack, 1) != 0)
            return;
        if (_source is { } source)
            listener.Sources.Remove(source);
        listener.GiveBack();
    }
}
