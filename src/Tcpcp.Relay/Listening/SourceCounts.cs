using System.Net;

namespace Tcpcp.Relay.Listening;

/// <summary>How many sessions each client address has. Thread-safe.</summary>
internal sealed class SourceCounts
{
    private readonly Dictionary<IPAddress, int> _counts = [];
    private readonly Lock _lock = new();

    /// <param name="limit">0: none.</param>
    /// <returns>False if the address has as many as it may.</returns>
    public bool TryAdd(IPAddress source, int limit)
    {
        lock (_lock)
        {
            int count = _counts.GetValueOrDefault(source);
            if (limit > 0 && count >= limit)
                return false;
            _counts[source] = count + 1;
            return true;
        }
    }

    public void Remove(IPAddress source)
    {
        lock (_lock)
        {
            if (_counts[source] == 1)
                _counts.Remove(source);
            else
                _counts[source]--;
        }
    }
}
