namespace Tcpcp.Core.Tests.Passing;

/// <summary>
/// Every run of a table: all sequences of legal inputs. Runs that come to the same state with the same history, as far as
/// the history is asked for, go on alike, so that each such pair is left once.
/// </summary>
internal static class Walk
{
    /// <param name="next">The table.</param>
    /// <param name="remember">The history after a step, from the history before it, the state before it, the input and the state after it.</param>
    /// <param name="check">Asked for every step of every run, with the history before the step.</param>
    /// <returns>All states that were reached, each with its history.</returns>
    public static HashSet<(TState State, THistory History)> Through<TState, TInput, THistory>(
        TState start,
        IReadOnlyCollection<TInput> inputs,
        Func<TState, TInput, TState> next,
        THistory history,
        Func<THistory, TState, TInput, TState, THistory> remember,
        Action<THistory, TState, TInput, TState> check)
    {
        HashSet<(TState, THistory)> reached = [(start, history)];
        Queue<(TState State, THistory History)> open = new(reached);
        while (open.TryDequeue(out (TState State, THistory History) here))
        {
            foreach (TInput input in inputs)
            {
                TState after;
                try
                {
                    after = next(here.State, input);
                }
                catch (InvalidOperationException)
                {
                    continue; // not legal: no run goes there
                }

                check(here.History, here.State, input, after);
                (TState, THistory) there = (after, remember(here.History, here.State, input, after));
                if (reached.Add(there))
                    open.Enqueue(there);
            }
        }

        return reached;
    }
}
