using System.Buffers;
using System.Diagnostics;
using Tcpcp.Linux.Devices;
using Tcpcp.Linux.Namespaces;

namespace Tcpcp.Lab;

/// <summary>Takes the frames of one TAP interface to another, as a <see cref="LongPath"/> does, both ways. The kernel's netem is not there on every machine.</summary>
internal sealed class PathForwarder : IDisposable
{
    private const int IdleMilliseconds = 20;

    private readonly Thread[] _threads;
    private readonly TapDevice _near;
    private readonly TapDevice _far;
    private volatile bool _stopping;

    /// <param name="near">Disposed of with this, as is the other.</param>
    public PathForwarder(TapDevice near, TapDevice far, LongPath path)
    {
        (_near, _far) = (near, far);
        _threads = [HomeThread.StartThread("path there", () => Forward(near, far, path)), HomeThread.StartThread("path back", () => Forward(far, near, path))];
    }

    public void Dispose()
    {
        _stopping = true;
        foreach (Thread thread in _threads)
            thread.Join();
        _near.Dispose();
        _far.Dispose();
    }

    private void Forward(TapDevice from, TapDevice to, LongPath path)
    {
        Queue<(byte[] Frame, int Length, long Due)> underway = new();
        byte[] buffer = new byte[TapDevice.MaxFrameBytes];
        long free = 0; // when the last frame will have left the queue
        double ticksPerByte = (double)Stopwatch.Frequency / path.BytesPerSecond;
        long delay = (long)(path.Delay.TotalSeconds * Stopwatch.Frequency);
        while (!_stopping)
        {
            for (int length; (length = from.TryRead(buffer)) > 0;)
            {
                long now = Stopwatch.GetTimestamp();
                free = Math.Max(free, now);
                if ((free - now) / ticksPerByte > path.QueueBytes)
                    continue;
                free += (long)((length - TapDevice.HeaderBytes) * ticksPerByte);
                byte[] frame = ArrayPool<byte>.Shared.Rent(length);
                buffer.AsSpan(0, length).CopyTo(frame);
                underway.Enqueue((frame, length, free + delay));
            }

            while (underway.TryPeek(out (byte[] Frame, int Length, long Due) first) && first.Due <= Stopwatch.GetTimestamp())
            {
                to.Write(first.Frame.AsSpan(0, first.Length));
                ArrayPool<byte>.Shared.Return(first.Frame);
                underway.Dequeue();
            }

            from.WaitForFrame(underway.Count > 0 ? 1 : IdleMilliseconds);
        }
    }
}
