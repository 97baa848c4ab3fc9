using System.Buffers;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;

namespace Tcpcp.AspNetCore.Transport;

/// <summary>What all connections of a listener share.</summary>
internal sealed class TransportSettings
{
    // As many as Kestrel's own transport has.
    private const int MaxQueues = 16;

    private readonly SendQueue[] _queues = [.. Enumerable.Range(0, Math.Min(Environment.ProcessorCount, MaxQueues)).Select(_ => new SendQueue())];

    public TransportSettings(MemoryPool<byte> pool, SocketTransportOptions sockets, TimeSpan quiesceTimeout, IConnectionOwner owner)
    {
        (MemoryPool, QuiesceTimeout, Owner) = (pool, quiesceTimeout, owner);
        long limit = sockets.MaxReadBufferSize ?? 0;
        InputOptions = new PipeOptions(pool, ReceiveScheduler.Instance, PipeScheduler.ThreadPool, limit, limit / 2, useSynchronizationContext: false);
        OutputOptions = new PipeOptions(pool, PipeScheduler.Inline, PipeScheduler.Inline, pauseWriterThreshold: 0, resumeWriterThreshold: 0, useSynchronizationContext: false);
        MinAllocation = pool.MaxBufferSize / 2;
    }

    public MemoryPool<byte> MemoryPool { get; }

    public PipeOptions InputOptions { get; }

    public PipeOptions OutputOptions { get; }

    /// <summary>Of the connection with that number.</summary>
    public SendQueue QueueOf(long connection) => _queues[(int)((ulong)connection % (uint)_queues.Length)];

    /// <summary>Room for bytes that are received at once.</summary>
    public int MinAllocation { get; }

    /// <summary>How long a pass waits for the server to come to a boundary.</summary>
    public TimeSpan QuiesceTimeout { get; }

    public IConnectionOwner Owner { get; }
}

/// <summary>Knows the connections that there are.</summary>
internal interface IConnectionOwner
{
    /// <summary>It has begun.</summary>
    void Began(PassableConnection connection);

    /// <summary>It has ended, or another host has it.</summary>
    void Ended(PassableConnection connection);

    /// <summary>What came from another host could not go on: it was reset.</summary>
    void Lost(PassableConnection connection, string reason);
}
