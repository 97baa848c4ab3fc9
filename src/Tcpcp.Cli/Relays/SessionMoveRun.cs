using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using Spectre.Console;
using Tcpcp.Core.Wire;
using Tcpcp.Relay.Control;

namespace Tcpcp.Cli.Relays;

/// <summary>Moves sessions and shows how it goes. Ctrl-C takes no new ones; those under way end.</summary>
/// <param name="mayBeNothing">That there is no session to move is no failure.</param>
internal sealed class SessionMoveRun(RelayClient relay, MoveSessions order, bool json, bool mayBeNothing)
{
    private readonly long _started = Stopwatch.GetTimestamp();
    private readonly List<SessionReport> _stayed = [];
    private int _passed;
    private int _inDoubt;

    /// <returns>The exit code.</returns>
    public async Task<int> RunAsync()
    {
        using CancellationTokenSource stop = new();
        using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, signal =>
        {
            signal.Cancel = true;
            stop.Cancel();
        });
        if (json || Console.IsOutputRedirected)
            await ReadAsync(_ => { }, stop.Token);
        else
            await ShowAsync(stop.Token);
        if (!json)
            Summarize(stop.IsCancellationRequested);
        return _inDoubt > 0 ? ExitCode.InDoubt : _stayed.Count > 0 || stop.IsCancellationRequested || (_passed == 0 && !mayBeNothing) ? ExitCode.Failed : ExitCode.Done;
    }

    private async Task ReadAsync(Action<SessionReport> show, CancellationToken stop)
    {
        await foreach (RelayMessage message in relay.AskAsync(new RelayMessage { MoveSessions = order }, stop))
        {
            if (message.Moved is not { } moved)
                continue;
            SessionReport report = SessionReport.Of(moved);
            if (moved.Failure.Length == 0)
                _passed++;
            else if (moved.Owner == PassOwner.InDoubt)
                _inDoubt++;
            else
                _stayed.Add(report);
            if (json)
                Console.WriteLine(JsonSerializer.Serialize(report, RelayJson.Default.SessionReport));
            show(report);
        }
    }

    private Task ShowAsync(CancellationToken stop) => PeopleConsole.Create().Progress()
        .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn())
        .StartAsync(async context =>
        {
            ProgressTask task = context.AddTask("Passing");
            await ReadAsync(progress =>
            {
                task.MaxValue = Math.Max(1, progress.Total);
                task.Value = progress.Done;
                task.Description = string.Create(CultureInfo.InvariantCulture, $"{progress.Done} of {progress.Total} sessions, {Rate:F0}/s");
            }, stop);
        });

    private double Rate => _passed / Math.Max(0.001, Stopwatch.GetElapsedTime(_started).TotalSeconds);

    private void Summarize(bool wasStopped)
    {
        IAnsiConsole console = PeopleConsole.Create();
        foreach (SessionReport stayed in _stayed)
            console.MarkupLineInterpolated(CultureInfo.InvariantCulture, $"[yellow]{stayed.Client} to {stayed.Server}[/]: {stayed.Failure}: {stayed.Detail}");
        console.MarkupLineInterpolated(CultureInfo.InvariantCulture,
            $"{(wasStopped ? "Stopped: " : "")}{_passed} sessions passed to {order.Destination} ({Rate:F0}/s), {_stayed.Count} not passed, {_inDoubt} in doubt.");
        if (_inDoubt > 0)
            console.MarkupLine("[red]'tcpcp resolve' lists what is in doubt.[/]");
    }
}
