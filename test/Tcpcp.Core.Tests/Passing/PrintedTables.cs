using System.Text;
using Tcpcp.Core.Passing;
using static Tcpcp.Core.Tests.Passing.TableSamples;

namespace Tcpcp.Core.Tests.Passing;

/// <summary>The shipped tables as Markdown, for people: rows are inputs, columns states; below, what each transition has to do.</summary>
internal static class PrintedTables
{
    public static string Markdown()
    {
        StringBuilder text = new();
        text.Append("\n### Origin\n");
        Append(text, OriginStates.Keys, OriginInputs.Keys, (state, input) =>
        {
            OriginStep step = OriginTable.Next(OriginStates[state], OriginInputs[input]);
            return Cell.Of(StepText.Of(OriginStates[state]), StepText.Of(step.State), StepText.Of(step));
        });
        Append(text, OriginRecords.Keys, name => StepText.Of(OriginTable.Recover(OriginRecords[name].Kind, Terms, OriginRecords[name].Outcome)));
        text.Append("\n### Destination\n");
        Append(text, DestinationStates.Keys, DestinationInputs.Keys, (state, input) =>
        {
            DestinationStep step = DestinationTable.Next(DestinationStates[state], DestinationInputs[input]);
            return Cell.Of(StepText.Of(DestinationStates[state]), StepText.Of(step.State), StepText.Of(step));
        });
        Append(text, Enum.GetValues<DestinationRecord>(), record => StepText.Of(DestinationTable.Recover(record, Terms)));
        text.Append("\n### Redirector\n\nThe order's number beside that of `Placed`, which is 6; the packets go to host A.\n\n```text\n");
        foreach ((string stateName, RedirectorState state) in RedirectorStates)
        {
            foreach ((string orderName, RedirectionOrder order) in RedirectionOrders)
                text.Append($"{stateName} + {orderName} -> {StepText.Of(RedirectorTable.Next(state, order))}\n");
        }

        text.Append("```\n\n");
        return text.Replace(nameof(PassFailure.RefusedByApplication), "failure").ToString(); // the samples' failure stands for any
    }

    private static void Append(
        StringBuilder text, IReadOnlyCollection<string> states, IReadOnlyCollection<string> inputs, Func<string, string, Cell> next)
    {
        text.Append($"\n| input | {string.Join(" | ", states)} |\n|---|{string.Concat(states.Select(_ => "---|"))}\n");
        foreach (string input in inputs)
            text.Append($"| {input} | {string.Join(" | ", states.Select(state => CellOf(state, input).Short))} |\n");

        text.Append("\n```text\n");
        foreach (string state in states)
        {
            foreach (IGrouping<string?, string> alike in inputs.GroupBy(input => CellOf(state, input).Whole))
            {
                if (alike.Key is { } step)
                    text.Append($"{state} + {string.Join(", ", alike)} -> {step}\n");
            }
        }

        text.Append("```\n");

        Cell CellOf(string state, string input)
        {
            try
            {
                return next(state, input);
            }
            catch (InvalidOperationException)
            {
                return new Cell(Expectations.Illegal, null);
            }
        }
    }

    private static void Append<TRecord>(StringBuilder text, IEnumerable<TRecord> records, Func<TRecord, string> recover)
    {
        text.Append("\nA new agent, from the last record:\n\n```text\n");
        foreach (TRecord record in records)
            text.Append($"{record} -> {recover(record)}\n");
        text.Append("```\n");
    }

    /// <param name="Short">The next state without its data, or a sign.</param>
    /// <param name="Whole">The next state and the effects; null if nothing changes.</param>
    private readonly record struct Cell(string Short, string? Whole)
    {
        public static Cell Of(string before, string after, string step) => before == after && step == after
            ? new Cell(Expectations.Same, null)
            : new Cell(after.StartsWith("Accepted", StringComparison.Ordinal) ? after : after.Split('(')[0], step);
    }
}
