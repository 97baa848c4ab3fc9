using System.Buffers;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Tcpcp.AspNetCore.Transport;

/// <summary>Sends what is in several pieces of memory by one system call.</summary>
internal static class SocketWriter
{
    [ThreadStatic]
    private static List<ArraySegment<byte>>? t_segments;

    /// <param name="socket">Not blocking.</param>
    /// <returns>How much the kernel has taken.</returns>
    public static int Send(Socket socket, in ReadOnlySequence<byte> buffer, out SocketError error)
    {
        try
        {
            if (buffer.IsSingleSegment)
                return socket.Send(buffer.FirstSpan, SocketFlags.None, out error);
            List<ArraySegment<byte>> segments = t_segments ??= [];
            foreach (ReadOnlyMemory<byte> memory in buffer)
            {
                if (MemoryMarshal.TryGetArray(memory, out ArraySegment<byte> segment))
                    segments.Add(segment);
            }

            int sent = socket.Send(segments, SocketFlags.None, out error);
            segments.Clear();
            return sent;
        }
        catch (ObjectDisposedException)
        {
            error = SocketError.OperationAborted;
            return 0;
        }
    }
}
