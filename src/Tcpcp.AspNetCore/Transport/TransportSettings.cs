using System.Buffers;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;

namespace Tcpcp.AspNetCore.Transport;

/// <summary>What all connections of a listener share.</summary>
internal sealed class TransportSettings
{
    public TransportSettings(MemoryPool<byte> pool, SocketTransportOptions sockets, TimeSpan quiesceTimeout, IConnectionOwner owner)
    {
        (MemoryPool, QuiesceTimeout, Owner) = (pool, quiesceTimeout, owner);
        long limit = sockets.MaxReadBufferSize ?? 0;
        InputOptions = new PipeOptions(pool, PipeScheduler.ThreadPool, PipeScheduler.ThreadPool, limit, limit / 2, useSynchronizationContext: false);
        OutputOptions = new PipeOptions(pool, PipeScheduler.Inline, PipeScheduler.Inline, pauseWriterThreshold: 0, resumeWriterThreshold: 0, useSynchronizationContext: false);
        MinAllocation = pool.MaxBufferSize / 2;
    }

    public MemoryPool<byte> MemoryPool { get; }

    public PipeOptions InputOptions { get; }

    public PipeOptions OutputOptions { get; }

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
