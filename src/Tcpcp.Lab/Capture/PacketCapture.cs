using Microsoft.Win32.SafeHandles;
using Tcpcp.Linux.Namespaces;
using Tcpcp.Linux.Packets;
using Tcpcp.Linux.Processes;

namespace Tcpcp.Lab.Capture;

/// <summary>A running capture of one interface into a pcapng file, on a thread of its own.</summary>
internal sealed class PacketCapture : IAsyncDisposable
{
    private readonly PacketSocket _socket;
    private readonly Pipe _stop = Pipe.Open(); // its end wakes the thread
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _stopTimestamp = long.MaxValue;

    private PacketCapture(PacketSocket socket, string path)
    {
        _socket = socket;
        Path = path;
    }

    public string Path { get; }

    /// <summary>Frames in the file; final after <see cref="StopAsync"/>.</summary>
    public long Frames { get; private set; }

    /// <summary>Frames that are missing in the file because the capture was too slow; known after <see cref="StopAsync"/>.</summary>
    public long Drops { get; private set; }

    /// <summary>Takes over the socket. Frames that it has queued already are written too.</summary>
    public static PacketCapture Start(PacketSocket socket, string interfaceName, string path)
    {
        try
        {
            PcapNgWriter writer = new(path, interfaceName);
            PacketCapture capture = new(socket, path);
            HomeThread.StartThread("tcpcp capture", () => capture.Loop(writer));
            return capture;
        }
        catch
        {
            socket.Dispose(); // the file cannot be made
            throw;
        }
    }

    /// <summary>Writes every frame that the host has handled until now, and closes the file.</summary>
    /// <exception cref="IOException">The file could not be written.</exception>
    public Task StopAsync()
    {
        Interlocked.CompareExchange(ref _stopTimestamp, Now(), long.MaxValue);
        _stop.WriteEnd.Dispose();
        return _ended.Task;
    }

    public async ValueTask DisposeAsync() => await StopAsync();

    private void Loop(PcapNgWriter writer)
    {
        try
        {
            // It sends nothing, so it may run beside the hosts where these are bound to one CPU (see ReceiveCpu).
            ThreadAffinity.UseEveryCpu();
            using (writer)
            {
                WriteUntilStopped(writer);
                _socket.UpdateStatistics();
                Drops = (long)_socket.Drops;
                writer.WriteStatistics(Now(), (ulong)Frames + _socket.Drops, _socket.Drops); // without those after the stop
            }

            _socket.Dispose();
            _stop.ReadEnd.Dispose();
            _ended.SetResult();
        }
        catch (Exception e)
        {
            _socket.Dispose();
            _ended.SetException(e);
        }
    }

    // Read before the queue: what is queued when the stop is seen is from before the stop, or has a later timestamp.
    private void WriteUntilStopped(PcapNgWriter writer)
    {
        while (true)
        {
            long stop = Interlocked.Read(ref _stopTimestamp);
            while (_socket.TryReceive(out PacketInfo info, out ReadOnlySpan<byte> frame))
            {
                if (info.Timestamp > Interlocked.Read(ref _stopTimestamp))
                    return;
                writer.Write(info, frame);
                Frames++;
            }

            if (stop != long.MaxValue)
                return;
            _socket.Wait(_stop.ReadEnd);
        }
    }

    private static long Now() => (DateTime.UtcNow - DateTime.UnixEpoch).Ticks * TimeSpan.NanosecondsPerTick;
}
