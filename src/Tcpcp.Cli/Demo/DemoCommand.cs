using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Spectre.Console;
using Tcpcp.Lab;

namespace Tcpcp.Cli.Demo;

/// <summary><c>tcpcp demo</c>: the whole thing on one machine, in network namespaces.</summary>
internal static class DemoCommand
{
    public static Command Create()
    {
        Option<bool> json = new("--json") { Description = "Print one JSON object and nothing else on standard output." };
        Option<int?> size = Number("--size", "Size of the file in MB [default: 256; with --loss 3 and more 64, 11 and more 1].", null, 10_000);
        Option<int?> rate = Number(
            "--rate", "Limit of the download or upload in MB a second, 0: none [default: 64; with --loss 3 and more 16, 11 and more 1].", null, 100_000, 0);
        Option<int?> passes = Number("--passes", "How often the connection is passed, there and back in turn; 0: not at all.", 2, 1000, smallest: 0);
        Option<bool> ipv6 = new("--ipv6") { Description = "Over IPv6." };
        Option<bool> upload = new("--upload") { Description = "curl sends the file (PUT), and --rate limits curl." };
        Option<int?> loss = Number("--loss", "Per cent of the packets that the network loses, in each direction; near 20 TCP itself may not be done within a minute.", 0, 20, smallest: 0);
        Option<string?> keep = new("--capture") { Description = "Leave the peer's capture in this file (pcapng)." };
        Command command = new("demo",
            "Passes a real download or upload by curl from one host to another in the middle of the file, then back, and judges it from the peer's own " +
            "packets.\n\nExamples:\n  tcpcp demo\n  tcpcp demo --json\n  tcpcp demo --ipv6 --upload --loss 2\n" +
            "  tcpcp demo --passes 10 --rate 0 --capture peer.pcapng")
        {
            json, size, rate, passes, ipv6, upload, loss, keep,
        };
        command.SetAction((parsed, cancellationToken) =>
        {
            int lossPercent = parsed.GetValue(loss) ?? 0;
            // A connection that loses much is slow, whatever passes it: the file is one that goes through within a minute.
            (int standardSize, int standardRate) = lossPercent switch
            {
                > 10 => (1, 1),
                > 2 => (64, 16),
                _ => (256, 64),
            };
            int megaBytesPerSecond = parsed.GetValue(rate) ?? standardRate;
            DemoOptions options = new(
                parsed.GetValue(size) ?? standardSize, megaBytesPerSecond > 0 ? (ulong)megaBytesPerSecond * 1_000_000 : null, parsed.GetValue(passes) ?? 0,
                parsed.GetValue(keep))
            {
                IPv6 = parsed.GetValue(ipv6),
                Upload = parsed.GetValue(upload),
                LossPercent = lossPercent,
            };
            return RunAsync(options, parsed.GetValue(json), cancellationToken);
        });
        return command;
    }

    private static Option<int?> Number(string name, string description, int? standard, int largest, int smallest = 1)
    {
        Option<int?> option = new(name) { Description = description };
        if (standard is not null)
            option.DefaultValueFactory = _ => standard;
        option.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && int.TryParse(result.Tokens[0].Value, NumberStyles.Integer, CultureInfo.InvariantCulture, out int value)
                && (value < smallest || value > largest))
                result.AddError(string.Create(CultureInfo.InvariantCulture, $"{name} is {smallest} to {largest}."));
        });
        return option;
    }

    private static async Task<int> RunAsync(DemoOptions options, bool json, CancellationToken cancellationToken)
    {
        try
        {
            if (!LabRequirements.AreMet && !OrdinaryUser.IsInside)
                return await OrdinaryUser.RunAgainAsync(cancellationToken);
            Action<string> say = json ? Console.Error.WriteLine : line => AnsiConsole.MarkupLineInterpolated($"[grey]{line}[/]");
            DemoReport report = await DemoRun.RunAsync(options, say, cancellationToken);
            if (json)
                Console.WriteLine(JsonSerializer.Serialize(report, DemoReportContext.Default.DemoReport));
            else
                DemoTable.Print(report);
            return report.Succeeded && report.Passes == options.Passes ? ExitCode.Done : ExitCode.Failed;
        }
        catch (Exception e) when (e is DemoException or LabUnavailableException or IOException or UnauthorizedAccessException or DllNotFoundException)
        {
            await Console.Error.WriteLineAsync($"tcpcp demo: {FailureAdvice.Add(e)}");
            return ExitCode.Failed;
        }
        catch (OperationCanceledException)
        {
            await Console.Error.WriteLineAsync("tcpcp demo: interrupted; the hosts are gone.");
            return ExitCode.Failed;
        }
    }
}
