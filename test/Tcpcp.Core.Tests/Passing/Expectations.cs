namespace Tcpcp.Core.Tests.Passing;

/// <summary>
/// A table written as a table: the first line has the states, each other line an input and then the next state for each of them. <c>-</c> is
/// illegal, <c>=</c> is the same state.
/// </summary>
internal sealed class Expectations
{
    public const string Illegal = "-";
    public const string Same = "=";

    private readonly Dictionary<(string State, string Input), string> _cells = [];

    public Expectations(string table)
    {
        string[][] lines = [.. table.Split('\n').Select(line => line.Split('|', StringSplitOptions.TrimEntries))];
        foreach (string[] line in lines[1..])
        {
            if (line.Length != lines[0].Length)
                throw new FormatException($"The line of {line[0]} has {line.Length} cells, not {lines[0].Length}.");
            for (int column = 1; column < line.Length; column++)
                _cells.Add((lines[0][column], line[0]), line[column]);
        }
    }

    public IEnumerable<string> States => _cells.Keys.Select(cell => cell.State).Distinct(StringComparer.Ordinal);

    public IEnumerable<string> Inputs => _cells.Keys.Select(cell => cell.Input).Distinct(StringComparer.Ordinal);

    public string Of(string state, string input)
    {
        Assert.True(_cells.TryGetValue((state, input), out string? next), $"Nobody has said what {input} does in {state}: add it to the table of this test.");
        return next!;
    }
}
