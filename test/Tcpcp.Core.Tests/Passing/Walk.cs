namespace Tcpcp.Core.Tests.Passing;

/// <summary>
/// Every run of a table: all sequences of inputs that are legal, effects performed one by one, and an agent that may die before and after
/// each of them and goes on from its last record. Runs that come to the same state with the same history, as far as the history is asked
/// for, go on alike, so that each such pair is left once.
/// </summary>
internal sealed class Walk<TState, TInput, TEffect, THistory>
    where TInput : class
{
    private readonly HashSet<(TState, THistory)> _reached = [];
    private readonly HashSet<THistory> _died = [];
    private readonly Queue<(TState State, THistory History)> _open = new();

    public required IReadOnlyCollection<TInput> Inputs { get; init; }

    /// <summary>The table.</summary>
    public required Func<TState, TInput, (TState State, TEffect[] Effects)> Next { get; init; }

    /// <summary>What can be heard or happen after that history; anything if it is not set.</summary>
    public Func<THistory, TState, TInput, bool> CanHappen { get; init; } = (_, _, _) => true;

    /// <summary>Checks a step from one state to another, and returns the history before its effects.</summary>
    public Func<THistory, TState, TInput, TState, THistory> OnStep { get; init; } = (history, _, _, _) => history;

    /// <summary>Checks an effect against the history so far, and returns the history after it.</summary>
    public Func<THistory, TEffect, THistory> OnEffect { get; init; } = (history, _) => history;

    /// <summary>The first step of a new agent, and the history as it knows it; null if nothing is on record.</summary>
    public Func<THistory, (TState State, TEffect[] Effects, THistory History)?> Recover { get; init; } = _ => null;

    /// <returns>All states that are reached, each with its histories.</returns>
    public IReadOnlySet<(TState State, THistory History)> From(TState state, TEffect[] effects, THistory history)
    {
        Take(state, effects, history);
        while (_open.TryDequeue(out (TState State, THistory History) here))
        {
            foreach (TInput input in Inputs.Where(input => CanHappen(here.History, here.State, input)))
            {
                (TState State, TEffect[] Effects) step;
                try
                {
                    step = Next(here.State, input);
                }
                catch (InvalidOperationException)
                {
                    continue; // not legal: no run goes there
                }

                Take(step.State, step.Effects, OnStep(here.History, here.State, input, step.State));
            }
        }

        return _reached;
    }

    private void Take(TState state, TEffect[] effects, THistory history)
    {
        Die(history);
        foreach (TEffect effect in effects)
        {
            history = OnEffect(history, effect);
            Die(history);
        }

        if (_reached.Add((state, history)))
            _open.Enqueue((state, history));
    }

    private void Die(THistory history)
    {
        if (_died.Add(history) && Recover(history) is { } step)
            Take(step.State, step.Effects, step.History);
    }
}
