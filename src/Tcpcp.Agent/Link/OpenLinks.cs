namespace Tcpcp.Agent.Link;

/// <summary>How many connections and streams are open at a server.</summary>
internal sealed class OpenLinks
{
    private int _connections;
    private int _streams;

    public int Connections => Volatile.Read(ref _connections);

    public int Streams => Volatile.Read(ref _streams);

    public void AddConnection() => Interlocked.Increment(ref _connections);

    public void RemoveConnection() => Interlocked.Decrement(ref _connections);

    public void AddStream() => Interlocked.Increment(ref _streams);

    public void RemoveStream() => Interlocked.Decrement(ref _streams);
}
