using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Tcpcp.Core.Wire;

namespace Tcpcp.Client;

/// <summary>Questions to the agent that are open, by their numbers. Thread-safe.</summary>
internal sealed class AgentQuestions
{
    private readonly Dictionary<ulong, ChannelWriter<LocalMessage>> _open = [];
    private readonly Lock _lock = new();
    private ulong _last;

    /// <summary>A number that no other question of this program has.</summary>
    public ulong NextNumber() => Interlocked.Increment(ref _last);

    /// <summary>Asks, and gives the answers until one is the last.</summary>
    /// <exception cref="AgentException">The agent refuses, or goes away.</exception>
    public async IAsyncEnumerable<LocalMessage> AskAsync(
        AgentConnection connection, LocalMessage question, Func<LocalMessage, bool> isLast, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        Channel<LocalMessage> answers = Channel.CreateUnbounded<LocalMessage>(new UnboundedChannelOptions { SingleReader = true });
        lock (_lock)
            _open[question.Request] = answers.Writer;
        try
        {
            if (!await connection.PostAsync(question, cancellationToken))
                throw Gone();
            await foreach (LocalMessage answer in answers.Reader.ReadAllAsync(cancellationToken))
            {
                if (answer.BodyCase == LocalMessage.BodyOneofCase.Failed)
                    throw new AgentException(answer.Failed.Reason);
                yield return answer;
                if (isLast(answer))
                    yield break;
            }
        }
        finally
        {
            lock (_lock)
                _open.Remove(question.Request);
        }
    }

    /// <summary>Asks a question with one answer.</summary>
    /// <exception cref="AgentException">The agent refuses, or goes away.</exception>
    public async Task<LocalMessage> AskOnceAsync(AgentConnection connection, LocalMessage question, CancellationToken cancellationToken)
    {
        await foreach (LocalMessage answer in AskAsync(connection, question, _ => true, cancellationToken))
            return answer;
        throw Gone();
    }

    public void Hear(LocalMessage answer)
    {
        lock (_lock)
        {
            if (_open.TryGetValue(answer.Request, out ChannelWriter<LocalMessage>? answers))
                answers.TryWrite(answer);
        }
    }

    /// <summary>The agent has gone: none is answered any more.</summary>
    public void Lose()
    {
        lock (_lock)
        {
            foreach (ChannelWriter<LocalMessage> answers in _open.Values)
                answers.TryComplete(Gone());
        }
    }

    private static AgentException Gone() => new("The agent went away before it answered: ask again.");
}
