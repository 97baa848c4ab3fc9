using Tcpcp.Linux;
using Tcpcp.Linux.Streams;
using Tcpcp.Relay.Loops;

namespace Tcpcp.Relay.Sessions;

/// <summary>
/// The bytes of one direction. At most one buffer of them has been read and not yet written; nothing more is read before that is gone, so that who sends too fast is
/// slowed down by its own kernel. Of its loop's thread.
/// </summary>
internal sealed class Flow(SessionSide from, SessionSide to)
{
    private byte[]? _buffer;
    private int _start;
    private int _end;

    /// <summary>Bytes that the destination's kernel has taken, on all hosts.</summary>
    public long Bytes { get; private set; }

    /// <summary>The source has closed its side: nothing comes any more.</summary>
    public bool HasSourceEnded { get; private set; }

    /// <summary>The destination was told so, or cannot be told anything.</summary>
    public bool HasEnded { get; private set; }

    /// <summary>The destination takes nothing any more: what the source still sends is dropped.</summary>
    public bool IsBroken { get; private set; }

    /// <summary>Read and not yet written.</summary>
    public ReadOnlySpan<byte> Pending => _buffer.AsSpan(_start, _end - _start);

    /// <summary>Takes up what was read before: by whoever opened the session, or on another host.</summary>
    public void Begin(ReadOnlySpan<byte> pending, long bytes, bool hasSourceEnded, bool hasEnded)
    {
        (Bytes, HasSourceEnded, HasEnded) = (bytes, hasSourceEnded, hasEnded);
        if (pending.IsEmpty)
            return;
        _buffer = pending.ToArray();
        (_start, _end) = (0, pending.Length);
    }

    /// <summary>Moves bytes until one end would block.</summary>
    /// <param name="budget">How many bytes more may be moved in this turn.</param>
    /// <param name="moved">Gets how many were.</param>
    /// <returns>0, or the error of the source's connection.</returns>
    public int Run(ChunkBuffers buffers, ref int budget, ref long moved)
    {
        while (!HasEnded)
        {
            if (_start < _end && !Write(buffers, ref moved))
                return 0;
            if (HasEnded)
                return 0;
            if (HasSourceEnded)
            {
                to.ShutDown();
                HasEnded = true;
                return 0;
            }

            if (!from.IsReadable || budget <= 0)
                return 0;
            int error = Read(buffers, ref budget);
            if (error != 0)
                return error;
        }

        return 0;
    }

    /// <summary>Gives up what was not written.</summary>
    public void Drop(ChunkBuffers buffers)
    {
        if (_buffer is { } buffer)
            buffers.Return(buffer);
        (_buffer, _start, _end) = (null, 0, 0);
    }

    // False if the destination would block.
    private bool Write(ChunkBuffers buffers, ref long moved)
    {
        while (_start < _end)
        {
            if (!to.IsWritable)
                return false;
            int count = StreamSocket.Send(to.Handle, Pending);
            if (count == -Errno.EAGAIN)
            {
                to.IsWritable = false;
                return false;
            }

            if (count < 0)
            {
                // What comes from there says how it ended.
                (IsBroken, HasEnded) = (true, true);
                break;
            }

            _start += count;
            Bytes += count;
            moved += count;
        }

        Drop(buffers);
        return true;
    }

    private int Read(ChunkBuffers buffers, ref int budget)
    {
        byte[] buffer = buffers.Rent();
        int count = StreamSocket.Receive(from.Handle, buffer);
        if (count > 0)
        {
            (_buffer, _start, _end) = (buffer, 0, count);
            budget -= count;
            if (count < buffer.Length && !from.IsEnding)
                from.IsReadable = false; // there was no more; what comes is told
            return 0;
        }

        buffers.Return(buffer);
        if (count == 0)
        {
            HasSourceEnded = true;
            return 0;
        }

        from.IsReadable = false;
        return count == -Errno.EAGAIN ? 0 : -count;
    }
}
