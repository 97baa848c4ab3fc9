using System.Globalization;
using Spectre.Console;

namespace Tcpcp.Cli.Connections;

/// <summary>One connection for people.</summary>
internal static class ConnectionDetailsTable
{
    private const int FieldColumns = 3;

    public static void Write(ConnectionDetailsReport report, int unreadableProcesses)
    {
        IAnsiConsole console = PeopleConsole.Create();
        ConnectionReport connection = report.Socket;
        Table summary = new Table().Border(TableBorder.None).HideHeaders().AddColumn("").AddColumn("");
        void Row(string name, string? value)
        {
            if (!string.IsNullOrEmpty(value))
                summary.AddRow(ConnectionTable.Cell(name), ConnectionTable.Cell(value));
        }

        Row("connection", connection.Connection);
        Row("family", connection.Family);
        Row("state",
            connection.State + (report.ReceiveShutdown ? ", receiving shut down" : "") + (report.SendShutdown ? ", sending shut down" : ""));
        Row("can be passed", connection.NotPassableBecause is { } reason ? $"no: {reason}" : "yes, as far as its state shows");
        Row("held by", ConnectionTable.Owners(connection));
        Row("user", Number(connection.UserId));
        Row("unread", $"{Number(connection.UnreadBytes)} bytes");
        Row("unacknowledged", $"{Number(connection.UnacknowledgedBytes)} bytes");
        Row("timer", report.Timer.Kind == "none" ? "none" : string.Create(CultureInfo.InvariantCulture,
            $"{report.Timer.Kind}, ends in {report.Timer.ExpiresMs:0} ms, {report.Timer.Attempts} attempts"));
        Row("agreed options", string.Join(", ", report.Options));
        Row("congestion control", report.Congestion);
        Row("mark", connection.Mark is { } mark ? string.Create(CultureInfo.InvariantCulture, $"0x{mark:x8}") : "(needs CAP_NET_ADMIN)");
        Row("TOS", report.Tos is { } tos ? Number(tos) : null);
        Row("traffic class", report.TrafficClass is { } trafficClass ? Number(trafficClass) : null);
        Row("upper layer", report.UpperLayer);
        Row("TCP-MD5", report.Md5Keys ? "keys are set" : null);
        Row("inode, cookie", string.Create(CultureInfo.InvariantCulture, $"{connection.Inode}, {report.Cookie}"));
        console.Write(summary);
        WriteFields(console, "tcp_info", report.TcpInfo, TcpInfoFields.UnitOf);
        WriteFields(console, "memory", report.Memory, field => field == "drops" ? "" : "bytes");
        ConnectionTable.WriteUnreadable(console, unreadableProcesses);
    }

    private static void WriteFields(IAnsiConsole console, string title, Dictionary<string, ulong>? fields, Func<string, string> unit)
    {
        if (fields is null)
            return;
        Table table = new Table().Border(TableBorder.Simple).Title(title, Style.Plain);
        for (int column = 0; column < FieldColumns; column++)
            table.AddColumn("field").AddColumn(new TableColumn("value").RightAligned()).AddColumn("");
        foreach (KeyValuePair<string, ulong>[] row in fields.Chunk(FieldColumns))
            table.AddRow(row.SelectMany(field => new[]
            {
                ConnectionTable.Cell(field.Key),
                ConnectionTable.Cell(Number(field.Value)),
                ConnectionTable.Cell(unit(field.Key)),
            }));
        console.Write(table);
    }

    private static string Number(ulong value) => value.ToString(CultureInfo.InvariantCulture);
}
