using Google.Protobuf;
using Tcpcp.Core.Wire;

namespace Tcpcp.Agent.Passing;

/// <summary>The pieces in which large messages travel.</summary>
internal static class TransferChunks
{
    /// <summary>A transfer in pieces of at most <see cref="AgentLimits.MaxChunkBytes"/>, one at least. Only the last says how long the connections have stood still.</summary>
    /// <param name="stoodStill">Asked when the last piece is taken.</param>
    public static IEnumerable<TransferChunk> Of(ReadOnlyMemory<byte> transfer, Func<TimeSpan> stoodStill)
    {
        int at = 0;
        do
        {
            ReadOnlyMemory<byte> data = transfer.Slice(at, Math.Min(AgentLimits.MaxChunkBytes, transfer.Length - at));
            at += data.Length;
            TransferChunk chunk = new() { Data = UnsafeByteOperations.UnsafeWrap(data), Last = at == transfer.Length };
            if (chunk.Last)
                chunk.StoodStillUs = (ulong)stoodStill().TotalMicroseconds;
            yield return chunk;
        }
        while (at < transfer.Length);
    }

    /// <summary>Held packets in their order, in messages of about <see cref="AgentLimits.MaxHeldBytes"/>.</summary>
    public static IEnumerable<HeldPackets> Of(IReadOnlyList<byte[]> frames)
    {
        HeldPackets held = new();
        int bytes = 0;
        foreach (byte[] frame in frames)
        {
            if (bytes + frame.Length > AgentLimits.MaxHeldBytes)
            {
                yield return held;
                (held, bytes) = (new HeldPackets(), 0);
            }

            held.Packets.Add(UnsafeByteOperations.UnsafeWrap(frame));
            bytes += frame.Length;
        }

        if (held.Packets.Count > 0)
            yield return held;
    }
}
