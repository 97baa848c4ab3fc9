using System.Net.Sockets;
using Tcpcp.Agent.Passing;
using Tcpcp.Core;
using Tcpcp.Core.Wire;
using FourTuple = Tcpcp.Core.FourTuple;

namespace Tcpcp.Agent.Local;

/// <summary>
/// A pass that a program of this host has asked for. The agent has descriptors of its own: should the program die, they are the last ones, and closing them
/// when the outcome is known is what the kernel would have done.
/// </summary>
internal sealed class LocalPass(LocalSession session, ulong request, PassConnections order, IReadOnlyList<Socket> sockets, WantedQuestion? wanted)
{
    private readonly TaskCompletionSource<ReadOnlyMemory<byte>> _state = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _cancelled = CancellationTokenSource.CreateLinkedTokenSource(session.Ended);
    private readonly Lock _lock = new();
    private PassNote? _note;
    private bool _isOver;

    public ulong Request => request;

    /// <summary>Gives it up, as long as nothing was sent.</summary>
    public void Cancel()
    {
        lock (_lock)
        {
            if (!_isOver)
                _cancelled.Cancel();
        }
    }

    /// <summary>It never begins.</summary>
    public void Discard()
    {
        _cancelled.Dispose();
        foreach (Socket socket in sockets)
            socket.Dispose();
    }

    /// <returns>False if this is not the pass, or it has its state.</returns>
    public bool TakeState(PassId pass, string objection, ReadOnlyMemory<byte> state)
    {
        lock (_lock)
        {
            if (_isOver || _note?.Pass != pass)
                return false;
        }

        return objection.Length == 0
            ? _state.TrySetResult(state)
            : _state.TrySetException(new NotPassableException(NotPassableReason.State, null, $"The application does not pass them now: {objection}"));
    }

    /// <param name="ended">Called before the program hears the outcome: from then on the request's number is free.</param>
    public async Task RunAsync(Action<LocalPass> ended)
    {
        PassResult result;
        string destination = order.Destination;
        FourTuple[] names = Names();
        try
        {
            if (wanted is not null)
                destination = await wanted.AdmitAsync(sockets.Count, _cancelled.Token);
            result = await session.Services.PassAsync(NewRequest(), destination, _cancelled.Token);
        }
        catch (OperationCanceledException)
        {
            result = new PassResult(PassFailure.Cancelled, ConnectionOwner.Origin, "The pass was cancelled before it began.");
        }
        catch (Exception e)
        {
            // A bug. What has become of the connection nobody knows: the program must not go on with it.
            result = new PassResult(PassFailure.InDoubt, _note is null ? ConnectionOwner.Origin : ConnectionOwner.InDoubt, e.Message);
        }

        lock (_lock)
        {
            _isOver = true;
            _cancelled.Dispose();
        }

        foreach (Socket socket in sockets)
            socket.Dispose();
        ended(this);
        session.Post(LocalMessages.Passed(request, _note?.Pass, result));
        wanted?.Conclude(names, sockets.Count, destination, result, order.Inseparable);
    }

    private PassRequest NewRequest() => new()
    {
        Sockets = sockets,
        Application = order.Application,
        Epoch = order.Epoch,
        QuiesceAsync = QuiesceAsync,
        Resume = () => { }, // Passed says it, when the outcome is known
        Begun = note =>
        {
            lock (_lock)
                _note = note;
        },
    };

    private async ValueTask<ReadOnlyMemory<byte>> QuiesceAsync(CancellationToken cancellationToken)
    {
        if (!session.Post(LocalMessages.Quiesce(request, _note ?? throw new InvalidOperationException("The pass has not begun."))))
            throw new NotPassableException(NotPassableReason.State, null, "The application has ended.");
        try
        {
            return await _state.Task.WaitAsync(session.Options.QuiesceTime, cancellationToken);
        }
        catch (TimeoutException)
        {
            throw new NotPassableException(NotPassableReason.State, null,
                $"The application did not stop within {session.Options.QuiesceTime.TotalSeconds} s.");
        }
    }

    // Of those that have not ended.
    private FourTuple[] Names()
    {
        List<FourTuple> names = [];
        foreach (Socket socket in sockets)
        {
            if (SocketNames.TryFind(socket, out FourTuple name))
                names.Add(name);
        }

        return [.. names];
    }
}
