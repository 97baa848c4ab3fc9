using System.Threading.Channels;
using Tcpcp.Core;

namespace Tcpcp.Agent.Local;

/// <summary>One question to an application to pass connections, and the outcomes as they come. Thread-safe.</summary>
internal sealed class WantedQuestion(
    ulong number, WantedPasses wanted, Action<WantedQuestion> forget, TimeSpan answerTime, CancellationToken stop) : IDisposable
{
    private readonly Channel<WantedOutcome> _outcomes = Channel.CreateUnbounded<WantedOutcome>(new UnboundedChannelOptions { SingleReader = true });
    private readonly TaskCompletionSource _answered = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _lock = new();
    private int _begun;
    private int _begunConnections;
    private int _concluded;
    private int? _expected;
    private int _expectedConnections;
    private bool _isEnded;

    public ulong Number => number;

    /// <summary>How many passes the application makes, and of how many connections in all.</summary>
    public void Expect(int passes, int connections)
    {
        lock (_lock)
            (_expected, _expectedConnections) = (passes, connections);
        _answered.TrySetResult();
        CompleteIfDone();
    }

    /// <summary>The application has gone: only what is under way is still told.</summary>
    public void End()
    {
        lock (_lock)
            _isEnded = true;
        _answered.TrySetResult();
        CompleteIfDone();
    }

    /// <summary>Waits until the pass may begin.</summary>
    /// <exception cref="OperationCanceledException">It may not any more.</exception>
    public async ValueTask<string> AdmitAsync(int connections, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            _begun++;
            _begunConnections += connections;
        }

        using CancellationTokenSource either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, stop);
        either.Token.ThrowIfCancellationRequested();
        return await wanted.AdmitAsync(connections, either.Token);
    }

    public void Conclude(IReadOnlyList<FourTuple> connections, int count, string destination, PassResult result, bool isInseparable)
    {
        lock (_lock)
        {
            _concluded++;
            _outcomes.Writer.TryWrite(new WantedOutcome(connections, count, destination, result, Math.Max(_expectedConnections, _begunConnections), isInseparable));
        }

        CompleteIfDone();
    }

    /// <exception cref="OperationRefusedException">The application did not answer.</exception>
    public async IAsyncEnumerable<WantedOutcome> OutcomesAsync()
    {
        try
        {
            await _answered.Task.WaitAsync(answerTime);
        }
        catch (TimeoutException)
        {
            throw new OperationRefusedException($"The application did not say within {answerTime.TotalSeconds} s what it can pass.");
        }

        await foreach (WantedOutcome outcome in _outcomes.Reader.ReadAllAsync())
            yield return outcome;
    }

    public void Dispose() => forget(this);

    private void CompleteIfDone()
    {
        lock (_lock)
        {
            if (_isEnded ? _concluded >= _begun : _expected is { } expected && _concluded >= expected)
                _outcomes.Writer.TryComplete();
        }
    }
}
