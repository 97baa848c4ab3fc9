using System.Net.Sockets;
using System.Runtime.InteropServices;
using Tcpcp.Agent.Passing;
using Tcpcp.Core;
using Tcpcp.Core.Wire;
using Tcpcp.LocalApi;

namespace Tcpcp.Agent.Local;

/// <summary>A program of this host that takes connections. Thread-safe; nothing here waits, since the lock of the passes is held by the caller.</summary>
internal sealed class LocalApplication(LocalSession session, string name) : IPassReceiver
{
    private const string Gone = "The application has ended.";

    private readonly Dictionary<PassId, TaskCompletionSource<string?>> _examined = [];
    private readonly Lock _lock = new();
    private bool _isGone;

    public string Application => name;

    public ValueTask<string?> ExamineAsync(Passing.Arrival arrival, IReadOnlyList<SafeHandle> dormant)
    {
        TaskCompletionSource<string?> answer = new(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_lock)
        {
            if (_isGone || !_examined.TryAdd(arrival.Pass, answer))
                return ValueTask.FromResult<string?>(_isGone ? Gone : "The pass was shown already.");
        }

        if (!Show(arrival, dormant, ended: [], isDecided: false))
            answer.TrySetResult(Gone);
        return new ValueTask<string?>(answer.Task);
    }

    /// <returns>False if nothing of that pass waits for an answer.</returns>
    public bool Answer(PassId pass, string? objection)
    {
        lock (_lock)
            return _examined.TryGetValue(pass, out TaskCompletionSource<string?>? answer) && answer.TrySetResult(objection);
    }

    public void Withdraw(PassId pass)
    {
        bool wasShown;
        lock (_lock)
        {
            wasShown = _examined.Remove(pass, out TaskCompletionSource<string?>? answer);
            answer?.TrySetResult("The connections do not come after all.");
        }

        if (wasShown)
            session.Post(LocalMessages.Withdrawn(pass));
    }

    public void Go(Passing.Arrival arrival, IReadOnlyList<Socket?> sockets)
    {
        bool wasShown;
        lock (_lock)
            wasShown = _examined.Remove(arrival.Pass);
        bool[] ended = [.. sockets.Select(socket => socket is null)];
        try
        {
            if (!wasShown)
                Show(arrival, [.. sockets.OfType<Socket>().Select(socket => socket.SafeHandle)], ended, isDecided: true);
            session.Post(LocalMessages.Go(arrival.Pass, ended));
        }
        finally
        {
            // The program has descriptors of its own. If it has gone, these were the last: the peer gets what any program's end gives it.
            foreach (Socket? socket in sockets)
                socket?.Dispose();
        }
    }

    /// <summary>The program has gone: what it has not answered, it does not take.</summary>
    public void End()
    {
        lock (_lock)
        {
            _isGone = true;
            foreach (TaskCompletionSource<string?> answer in _examined.Values)
                answer.TrySetResult(Gone);
        }
    }

    private bool Show(Passing.Arrival arrival, IReadOnlyList<SafeHandle> descriptors, IReadOnlyList<bool> ended, bool isDecided)
    {
        using LocalState state = LocalState.Of(arrival.State);
        Arriving arriving = new()
        {
            Application = name,
            State = state.Inline,
            StateInDescriptor = state.IsInDescriptor,
            Epoch = arrival.Epoch,
            Origin = arrival.Origin,
            Ticket = arrival.Ticket is { } ticket ? LocalWire.ToMessage(ticket) : null,
            IsDecided = isDecided,
        };
        arriving.Connections.Add(arrival.Connections.Select(EndPointWire.ToMessage));
        if (ended.Contains(true))
            arriving.Ended.Add(ended);
        return session.Post(new LocalMessage { PassId = LocalWire.ToBytes(arrival.Pass), Arriving = arriving }, state.Behind(descriptors));
    }
}
