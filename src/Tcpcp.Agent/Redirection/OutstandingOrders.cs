using System.Diagnostics;

namespace Tcpcp.Agent.Redirection;

/// <summary>The orders that a redirector was given and has not acknowledged. One that is repeated is one; with an acknowledgement go those before it about the same connections. Thread-safe.</summary>
internal sealed class OutstandingOrders
{
    private readonly Lock _lock = new();
    private readonly Dictionary<(Core.FourTuple First, ulong Number), long> _given = [];

    /// <summary>What it answered last instead of an acknowledgement; null: nothing is wrong.</summary>
    public string? Fault { get; private set; }

    public (int Count, TimeSpan? Oldest) Look()
    {
        lock (_lock)
            return (_given.Count, _given.Count == 0 ? null : Stopwatch.GetElapsedTime(_given.Values.Min()));
    }

    public void Give(RedirectOrder order)
    {
        lock (_lock)
            _given.TryAdd((order.Connections[0], order.Number), Stopwatch.GetTimestamp());
    }

    public void Acknowledge(RedirectOrder order)
    {
        lock (_lock)
        {
            Fault = null;
            foreach ((Core.FourTuple, ulong) done in _given.Keys.Where(given => given.First == order.Connections[0] && given.Number <= order.Number).ToArray())
                _given.Remove(done);
        }
    }

    public void Fail(string fault)
    {
        lock (_lock)
            Fault = fault;
    }
}
