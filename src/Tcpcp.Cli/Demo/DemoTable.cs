using System.Globalization;
using Spectre.Console;

namespace Tcpcp.Cli.Demo;

/// <summary>The report for a person.</summary>
internal static class DemoTable
{
    private const int ReadableWidth = 130;

    public static void Print(DemoReport report)
    {
        if (Console.IsOutputRedirected)
            AnsiConsole.Profile.Width = ReadableWidth; // there is no terminal to fit
        Table timeline = new Table().Border(TableBorder.Simple).AddColumn(new TableColumn("ms").RightAligned()).AddColumn("who").AddColumn("what").AddColumn("");
        foreach (TimelineEntry entry in report.Timeline)
            timeline.AddRow(Number(entry.Time.TotalMilliseconds), entry.Host, Markup.Escape(entry.What), $"[grey]{Markup.Escape(entry.Detail)}[/]");
        AnsiConsole.Write(timeline);

        Table summary = new Table().Border(TableBorder.None).HideHeaders().AddColumn("").AddColumn("");
        summary.AddRow(report.Upload ? "upload" : "download", string.Create(CultureInfo.InvariantCulture,
            $"{report.Bytes:N0} bytes in {report.DownloadSeconds:F2} s over {(report.IPv6 ? "IPv6" : "IPv4")}, SHA-256 {(report.Sha256Equal ? "equal" : "DIFFERENT")}"));
        if (report.LossPercent > 0)
            summary.AddRow("the network lost", string.Create(CultureInfo.InvariantCulture, $"{report.LossPercent} % of the packets in each direction"));
        summary.AddRow("passes", string.Create(CultureInfo.InvariantCulture, $"{report.Passes}"));
        summary.AddRow("blackouts", string.Join(", ", report.BlackoutUs.Select(value => string.Create(CultureInfo.InvariantCulture, $"{value:F0} us"))));
        summary.AddRow("the peer saw", string.Create(CultureInfo.InvariantCulture,
            $"{report.Rst} RST, {report.UnexpectedFin} unexpected FIN, {report.Contradictions} contradictions, {report.RetransmittedSegments} retransmitted segments"));
        summary.AddRow("longest silence", string.Create(CultureInfo.InvariantCulture, $"{report.LongestSilenceUs:F0} us"));
        AnsiConsole.Write(summary);
        foreach (string finding in report.Findings)
            AnsiConsole.MarkupLineInterpolated($"[red]{finding}[/]");
        AnsiConsole.MarkupLine(report.Succeeded
            ? $"[green]The peer noticed nothing{(report.LossPercent > 0 ? " but the network's losses" : "")}.[/]"
            : report.CaptureComplete ? "[red]The peer noticed.[/]" : "[yellow]The capture is incomplete: no verdict.[/]");
    }

    private static string Number(double value) => value.ToString("F3", CultureInfo.InvariantCulture);
}
