using System.Runtime.InteropServices;
using Tcpcp.Linux.Streams;

namespace Tcpcp.Relay.Loops;

/// <summary>One wait for a descriptor, by whoever opens a session.</summary>
/// <param name="awaited">What it waits for.</param>
internal sealed class ReadinessWait(SafeHandle descriptor, Readiness awaited, SessionLoop loop) : IReadinessTarget
{
    private readonly TaskCompletionSource<bool> _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ulong _key;
    private bool _isOver;

    /// <summary>False: the time was up first.</summary>
    public Task<bool> Ready => _ready.Task;

    /// <summary>On the loop's thread.</summary>
    public void Begin()
    {
        try
        {
            _key = loop.Watch(descriptor, this);
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            _isOver = true;
            _ready.TrySetException(e);
        }
    }

    public void OnReady(Readiness readiness)
    {
        if ((readiness & awaited) != Readiness.None)
            End(isReady: true);
    }

    /// <summary>On the loop's thread.</summary>
    public void TimeIsUp() => End(isReady: false);

    private void End(bool isReady)
    {
        if (_isOver)
            return;
        _isOver = true;
        loop.Unwatch(descriptor, _key);
        _ready.TrySetResult(isReady);
    }
}
