using System.Net.Sockets;
using System.Runtime.InteropServices;
using Tcpcp.Linux.Streams;
using Tcpcp.Relay.Loops;

namespace Tcpcp.Relay.Sessions;

/// <summary>One of a session's two connections.</summary>
internal sealed class SessionSide(Session session, Socket socket) : IReadinessTarget
{
    private ulong _key;
    private bool _isWatched;

    public Socket Socket => socket;

    public SafeHandle Handle { get; } = socket.SafeHandle;

    /// <summary>There may be something to read.</summary>
    public bool IsReadable { get; set; }

    /// <summary>There may be room to write.</summary>
    public bool IsWritable { get; set; }

    /// <summary>An end or an error stands behind what there is to read.</summary>
    public bool IsEnding { get; private set; }

    public void Watch(SessionLoop loop)
    {
        // What it is told first says all that is so.
        (IsReadable, IsWritable, IsEnding) = (false, false, false);
        _key = loop.Watch(Handle, this);
        _isWatched = true;
    }

    public void Unwatch(SessionLoop loop)
    {
        if (!_isWatched)
            return;
        _isWatched = false;
        loop.Unwatch(Handle, _key);
    }

    /// <summary>Says that nothing more comes.</summary>
    public void ShutDown() => StreamSocket.TryShutDownSending(Handle); // if it has ended, reading says how

    public void OnReady(Readiness readiness)
    {
        IsReadable |= readiness.HasFlag(Readiness.Readable);
        IsWritable |= readiness.HasFlag(Readiness.Writable);
        IsEnding |= readiness.HasFlag(Readiness.Ending);
        session.Run();
    }
}
