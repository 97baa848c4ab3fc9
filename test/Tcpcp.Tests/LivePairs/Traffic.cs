using System.Diagnostics;
using System.Net.Sockets;
using System.Runtime.ExceptionServices;

namespace Tcpcp.Tests;

/// <summary>Keeps one end sending and receiving, on a thread of its own. While it is paused no call on the socket is under way.</summary>
internal sealed class Traffic : IDisposable
{
    private const int PieceBytes = 16 << 10;
    private const int IdleMicroseconds = 500;

    private readonly StreamEnd _end;
    private readonly long _bytesPerSecond;
    private Thread? _thread;
    private volatile bool _pausing;
    private ExceptionDispatchInfo? _failure;

    private Traffic(StreamEnd end, long bytesPerSecond)
    {
        _end = end;
        _bytesPerSecond = bytesPerSecond;
    }

    /// <param name="end">Nobody else may use it until <see cref="Pause"/>.</param>
    /// <param name="bytesPerSecond">At most this much is sent; it receives as fast as it can.</param>
    public static Traffic Start(StreamEnd end, long bytesPerSecond = 4_000_000)
    {
        Traffic traffic = new(end, bytesPerSecond);
        traffic.Resume();
        return traffic;
    }

    public void Resume()
    {
        _pausing = false;
        _thread = new Thread(Loop) { IsBackground = true, Name = "traffic" };
        _thread.Start();
    }

    /// <summary>Returns when the thread has stopped; its exception comes back.</summary>
    public void Pause()
    {
        _pausing = true;
        _thread?.Join();
        _thread = null;
        _failure?.Throw();
    }

    public void Dispose()
    {
        _failure = null;
        Pause();
    }

    private void Loop()
    {
        try
        {
            long started = Stopwatch.GetTimestamp();
            long sent = 0;
            while (!_pausing)
            {
                int received = _end.Receive();
                long due = (long)(Stopwatch.GetElapsedTime(started).TotalSeconds * _bytesPerSecond) - sent;
                int piece = due > 0 ? _end.Send((int)Math.Min(due, PieceBytes)) : 0;
                sent += piece;
                if (received == 0 && piece == 0)
                    _end.Socket.Poll(IdleMicroseconds, SelectMode.SelectRead);
            }
        }
        catch (Exception e)
        {
            _failure = ExceptionDispatchInfo.Capture(e);
        }
    }
}
