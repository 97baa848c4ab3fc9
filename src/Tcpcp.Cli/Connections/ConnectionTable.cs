using System.Globalization;
using Spectre.Console;

namespace Tcpcp.Cli.Connections;

/// <summary>Connections for people.</summary>
internal static class ConnectionTable
{
    public static void Write(IReadOnlyList<ConnectionReport> reports, int unreadableProcesses)
    {
        IAnsiConsole console = PeopleConsole.Create();
        Table table = new Table().Border(TableBorder.Simple);
        table.AddColumn("Connection (LOCAL-PEER)", column => column.NoWrap());
        table.AddColumns("State", "Unread", "Unacknowledged", "Held by", "Can be passed");
        foreach (ConnectionReport report in reports)
        {
            table.AddRow(Cell(report.Connection), Cell(report.State), Cell(report.UnreadBytes), Cell(report.UnacknowledgedBytes),
                Cell(Owners(report)), Cell(report.NotPassableBecause is { } reason ? $"no: {reason}" : "yes"));
        }

        if (reports.Count > 0)
            console.Write(table);
        else
            console.WriteLine("No connections.");
        WriteUnreadable(console, unreadableProcesses);
    }

    /// <summary>One owner a line.</summary>
    public static string Owners(ConnectionReport report) => report.Owners.Count > 0 ? string.Join('\n', report.Owners) : "(not seen)";

    public static void WriteUnreadable(IAnsiConsole console, int processes)
    {
        if (processes > 0)
            console.MarkupLineInterpolated(CultureInfo.InvariantCulture,
                $"[yellow]The descriptors of {processes} processes are not yours to see:[/] run as root to see who holds the others.");
    }

    public static Text Cell(string text) => new(text);

    private static Text Cell(uint number) => new(number.ToString(CultureInfo.InvariantCulture));
}
