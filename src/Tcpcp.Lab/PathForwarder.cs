using System.Buffers;
using System.Buffers.Binary;
using System.Diagnostics;
using Tcpcp.Linux.Devices;
using Tcpcp.Linux.Namespaces;

namespace Tcpcp.Lab;

/// <summary>Takes the frames of one TAP interface to another, as a <see cref="LongPath"/> does, both ways. The kernel's netem is not there on every machine.</summary>
internal sealed class PathForwarder : IDisposable
{
    private const int IdleMilliseconds = 20;
    private const byte Tcp = 6;

    private readonly Thread[] _threads;
    private readonly TapDevice _near;
    private readonly TapDevice _far;
    private volatile bool _stopping;

    /// <param name="near">Disposed of with this, as is the other.</param>
    public PathForwarder(TapDevice near, TapDevice far, LongPath path)
    {
        (_near, _far) = (near, far);
        _threads = [HomeThread.StartThread("path there", () => Forward(near, far, path, 0)), HomeThread.StartThread("path back", () => Forward(far, near, path, 1))];
    }

    public void Dispose()
    {
        _stopping = true;
        foreach (Thread thread in _threads)
            thread.Join();
        _near.Dispose();
        _far.Dispose();
    }

    private void Forward(TapDevice from, TapDevice to, LongPath path, int direction)
    {
        PriorityQueue<(byte[] Frame, int Length), (long Due, long Number)> underway = new();
        byte[] buffer = new byte[TapDevice.MaxFrameBytes];
        long free = 0; // when the last frame will have left the queue
        long number = 0;
        double ticksPerByte = (double)Stopwatch.Frequency / path.BytesPerSecond;
        long delay = TicksOf(path.Delay);
        Random random = new((path.Faults?.Seed ?? 0) + direction);
        while (!_stopping)
        {
            for (int length; (length = from.TryRead(buffer)) > 0;)
            {
                long now = Stopwatch.GetTimestamp();
                free = Math.Max(free, now);
                if ((free - now) / ticksPerByte > path.QueueBytes)
                    continue;
                free += (long)((length - TapDevice.HeaderBytes) * ticksPerByte);
                (int copies, long late) = path.Faults is { } faults && IsTcp(buffer.AsSpan(0, length)) ? Choose(faults, random) : (1, 0);
                for (int copy = 0; copy < copies; copy++)
                {
                    byte[] frame = ArrayPool<byte>.Shared.Rent(length);
                    buffer.AsSpan(0, length).CopyTo(frame);
                    underway.Enqueue((frame, length), (free + delay + late, number++));
                }
            }

            while (underway.TryPeek(out (byte[] Frame, int Length) first, out (long Due, long Number) place) && place.Due <= Stopwatch.GetTimestamp())
            {
                to.Write(first.Frame.AsSpan(0, first.Length));
                ArrayPool<byte>.Shared.Return(first.Frame);
                underway.Dequeue();
            }

            from.WaitForFrame(underway.Count > 0 ? 1 : IdleMilliseconds);
        }
    }

    // Always as many numbers for a packet: so the choice depends on its place alone.
    private static (int Copies, long Late) Choose(PathFaults faults, Random random)
    {
        (double loss, double reordering, double duplication) = (random.NextDouble(), random.NextDouble(), random.NextDouble());
        return (loss < faults.Loss ? 0 : duplication < faults.Duplication ? 2 : 1, reordering < faults.Reordering ? TicksOf(faults.Lateness) : 0);
    }

    private static bool IsTcp(ReadOnlySpan<byte> frame)
    {
        const int EtherTypeOffset = TapDevice.NetworkOffset - 2;
        return frame.Length > TapDevice.NetworkOffset + 20 && BinaryPrimitives.ReadUInt16BigEndian(frame[EtherTypeOffset..]) switch
        {
            0x0800 => frame[TapDevice.NetworkOffset + 9] == Tcp,
            0x86DD => frame[TapDevice.NetworkOffset + 6] == Tcp,
            _ => false,
        };
    }

    private static long TicksOf(TimeSpan time) => (long)(time.TotalSeconds * Stopwatch.Frequency);
}
