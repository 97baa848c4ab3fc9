using System.Buffers;
using System.Runtime.InteropServices;
using Tcpcp.Core;

namespace Tcpcp.Capture;

/// <summary>The buffers of a snapshot: of its own, or of a pool for whoever passes one connection after the other and knows when a snapshot has been sent.</summary>
internal static class SnapshotBuffers
{
    /// <summary>A buffer for exactly so many bytes; they are not cleared.</summary>
    public static Memory<byte> Take(int length, ArrayPool<byte>? pool) =>
        pool is null ? GC.AllocateUninitializedArray<byte>(length) : pool.Rent(length).AsMemory(0, length);

    /// <summary>Gives the buffers of a snapshot back to the pool that it was captured with. It must not be used any more.</summary>
    public static void Return(ConnectionSnapshot snapshot, ArrayPool<byte> pool)
    {
        Return(snapshot.Unread, pool);
        Return(snapshot.Sent, pool); // and Unsent: two parts of one buffer
    }

    private static void Return(ReadOnlyMemory<byte> part, ArrayPool<byte> pool)
    {
        if (MemoryMarshal.TryGetArray(part, out ArraySegment<byte> segment) && segment.Array is { Length: > 0 } buffer)
            pool.Return(buffer);
    }
}
