using System.Globalization;
using Spectre.Console;
using Tcpcp.Check;

namespace Tcpcp.Cli.Check;

/// <summary>The report for people.</summary>
internal static class CheckTable
{
    /// <summary>Connections that are shown one by one; of more, only those with something to say.</summary>
    private const int AllShown = 50;

    public static void Write(CaptureReport report)
    {
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Out) });
        if (Console.IsOutputRedirected)
            console.Profile.Width = 240; // a file has no edge to wrap at
        WriteConnections(console, report);
        foreach (ConnectionReport connection in report.Connections)
            WriteFindings(console, connection);
        WriteHandOvers(console, report);
        foreach (string hole in report.Holes)
            console.MarkupLineInterpolated($"[yellow]Capture incomplete:[/] {hole}");
        WriteNotJudged(console, report);
        WriteVerdict(console, report);
    }

    private static void WriteConnections(IAnsiConsole console, CaptureReport report)
    {
        Table table = new();
        table.AddColumn("Connection", column => column.NoWrap());
        table.AddColumns("Contradictions", "RST", "FIN", "Service: bytes", "again", "Peer: bytes", "again", "Longest silence", "Late");
        foreach (ConnectionReport connection in report.Connections)
        {
            if (report.Connections.Count > AllShown && connection.Contradictions == 0 && !connection.IsIncomplete)
                continue;
            table.AddRow(Cell(connection.Connection.ToString()), Cell(connection.Contradictions), Cell(connection.ServiceResets),
                Cell(connection.UnexpectedFins), Cell(connection.Service.StreamBytes), Cell(connection.Service.RetransmittedBytes),
                Cell(connection.Peer.StreamBytes), Cell(connection.Peer.RetransmittedBytes),
                    Cell(Milliseconds(connection.Service.LongestSilence)),
                Cell(connection.LateSegments));
        }
        if (table.Rows.Count > 0)
            console.Write(table);
    }

    private static void WriteFindings(IAnsiConsole console, ConnectionReport connection)
    {
        foreach (Contradiction finding in connection.Findings)
            console.MarkupLineInterpolated(CultureInfo.InvariantCulture,
                $"[red]{finding.Kind}[/] packet {finding.PacketNumber} at {finding.Time:HH:mm:ss.ffffff}, {connection.Connection}: {finding.Message}");
        if (connection.Contradictions > connection.Findings.Count)
            console.MarkupLineInterpolated($"... and {connection.Contradictions - connection.Findings.Count} more of {connection.Connection}.");
    }

    private static void WriteHandOvers(IAnsiConsole console, CaptureReport report)
    {
        Table table = new();
        table.AddColumn("Hand-over of", column => column.NoWrap());
        table.AddColumns("at", "MAC", "gap", "Service silent", "Peer silent", "Service again", "Peer again");
        foreach (ConnectionReport connection in report.Connections)
        {
            foreach (HandOver handOver in connection.HandOvers)
                table.AddRow(Cell(connection.Connection.ToString()),
                    Cell(handOver.Instant.ToString("HH:mm:ss.ffffff", CultureInfo.InvariantCulture)),
                    Cell(handOver.IsDetected ? $"{handOver.OldMac} to {handOver.NewMac}" : "(given)"),
                    Cell(handOver.Gap is TimeSpan gap ? Milliseconds(gap) : ""), Cell(Milliseconds(handOver.ServiceSilence)),
                    Cell(Milliseconds(handOver.PeerSilence)), Cell(handOver.ServiceRetransmissions), Cell(handOver.PeerRetransmissions));
        }
        if (table.Rows.Count > 0)
            console.Write(table);
    }

    private static void WriteNotJudged(IAnsiConsole console, CaptureReport report)
    {
        int windows = report.Connections.Count(connection => !connection.IsWindowJudged);
        if (windows > 0)
            console.MarkupLineInterpolated(
                $"The window of {windows} connection(s) was not judged: the capture lacks the handshake. Give --window-scale if you know it.");
        long undecided = report.Connections.Sum(connection => connection.Undecided);
        if (undecided > 0)
            console.MarkupLineInterpolated($"{undecided} segment(s) refer to something that the peer may have sent in the holes of the capture.");
        long bytes = report.Connections.Sum(connection => connection.NotComparedBytes);
        if (bytes > 0)
            console.MarkupLineInterpolated($"{bytes} bytes that were sent again could not be compared with the first ones.");
    }

    private static void WriteVerdict(IAnsiConsole console, CaptureReport report)
    {
        switch (report.Verdict)
        {
            case Verdict.Clean:
                console.MarkupLineInterpolated(
                    $"[green]Nothing contradictory[/] was sent to {report.Peer}: {report.Connections.Count} connection(s), {report.Segments} segments.");
                break;
            case Verdict.Contradictory:
                console.MarkupLineInterpolated($"[red]{report.Contradictions} contradiction(s)[/] were sent to {report.Peer}.");
                break;
            default:
                console.MarkupLineInterpolated(
                    $"[yellow]No verdict:[/] nothing contradictory was found, but the capture has holes. Capture again, with a larger buffer (tcpdump -B 65536).");
                break;
        }
    }

    private static Text Cell(string text) => new(text);

    private static Text Cell(long number) => new(number.ToString(CultureInfo.InvariantCulture));

    private static string Milliseconds(TimeSpan time) => string.Create(CultureInfo.InvariantCulture, $"{time.TotalMilliseconds:0.0} ms");
}
