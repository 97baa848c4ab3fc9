namespace Tcpcp.Core.Tests.Passing;

/// <summary>
/// What a table should do, in two forms. Tables: the first line has the states, each other line an input and then the next state for
/// each of them; <c>-</c> is illegal, <c>=</c> is the same state and no effect. And for every cell that is neither, a line of the list
/// <c>state + input, input -> next state with its data: effect, effect</c>.
/// </summary>
internal sealed class Expectations
{
    public const string Illegal = "-";
    public const string Same = "=";

    private readonly Dictionary<(string State, string Input), string> _cells = [];
    private readonly Dictionary<(string State, string Input), string> _steps = [];

    public Expectations(string list, params string[] tables)
    {
        foreach (string table in tables)
            ReadTable([.. table.Split('\n').Select(line => line.Split('|', StringSplitOptions.TrimEntries))]);
        foreach (string line in list.Split('\n'))
            ReadStep(line);
    }

    public IEnumerable<string> States => _cells.Keys.Select(cell => cell.State).Distinct(StringComparer.Ordinal);

    public IEnumerable<string> Inputs => _cells.Keys.Select(cell => cell.Input).Distinct(StringComparer.Ordinal);

    /// <summary>Pairs that stand in the list.</summary>
    public IEnumerable<(string State, string Input)> Steps => _steps.Keys;

    /// <summary>Pairs whose cell is neither <c>-</c> nor <c>=</c>.</summary>
    public IEnumerable<(string State, string Input)> Changes =>
        _cells.Where(cell => cell.Value is not (Illegal or Same)).Select(cell => cell.Key);

    /// <summary>A cell of the tables.</summary>
    public string Of(string state, string input)
    {
        Assert.True(_cells.TryGetValue((state, input), out string? next), $"Say in the table what {input} does in {state}.");
        return next!;
    }

    /// <summary>A line of the list, right of its arrow.</summary>
    public string StepOf(string state, string input)
    {
        Assert.True(_steps.TryGetValue((state, input), out string? step), $"{state} + {input} stands in the table, not in the list.");
        return step!;
    }

    private void ReadTable(string[][] lines)
    {
        foreach (string[] line in lines[1..])
        {
            if (line.Length != lines[0].Length)
                throw new FormatException($"The line of {line[0]} has {line.Length} cells, not {lines[0].Length}.");
            for (int column = 1; column < line.Length; column++)
                _cells.Add((lines[0][column], line[0]), line[column]);
        }
    }

    private void ReadStep(string line)
    {
        if (line.Split("->", StringSplitOptions.TrimEntries) is not [string pair, string step]
            || pair.Split('+', StringSplitOptions.TrimEntries) is not [string state, string inputs])
            throw new FormatException($"\"{line}\" is not of the form: state + input -> state: effects.");
        foreach (string input in inputs.Split(',', StringSplitOptions.TrimEntries))
            _steps.Add((state, input), step);
    }
}
