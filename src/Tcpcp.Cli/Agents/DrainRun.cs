using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using Spectre.Console;
using Tcpcp.Client;
using Tcpcp.Core;

namespace Tcpcp.Cli.Agents;

/// <summary>Passes connections and shows how it goes. Ctrl-C takes no new ones; those under way end.</summary>
/// <param name="isPart">Of a command that does more: that there is nothing to do is no failure.</param>
internal sealed class DrainRun(AgentClient agent, DrainOrder order, bool json, bool isPart = false)
{
    private readonly long _started = Stopwatch.GetTimestamp();
    private readonly List<PassReport> _stayed = [];
    private readonly Dictionary<string, PassReport> _addresses = []; // the last word on each
    private int _passed;
    private int _inDoubt;
    private DrainProgress? _last;

    /// <summary>What does not move now is tried again later, and not spoken of.</summary>
    public bool IsFirst { get; init; }

    /// <summary>Whether Ctrl-C came.</summary>
    public bool WasStopped { get; private set; }

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
        WasStopped = stop.IsCancellationRequested;
        if (!json)
            Summarize();
        bool someStay = _stayed.Count > 0 || _addresses.Values.Any(address => !HasMoved(address));
        return _inDoubt > 0 ? ExitCode.InDoubt : someStay || (_passed + _addresses.Count == 0 && !isPart) ? ExitCode.Failed : ExitCode.Done;
    }

    private async Task ReadAsync(Action<DrainProgress> show, CancellationToken stop)
    {
        await foreach (DrainProgress progress in agent.DrainAsync(order, stop))
        {
            _last = progress;
            PassReport report = PassReport.Of(progress);
            if (report.Address is { } address && (HasMoved(report) || !IsFirst))
                _addresses[address] = report;
            else if (report.Address is not null)
                continue;
            else if (progress.Result.Succeeded)
                _passed++;
            else if (progress.Result.Owner == ConnectionOwner.InDoubt)
                _inDoubt++;
            else
                _stayed.Add(report);
            if (json)
                Console.WriteLine(JsonSerializer.Serialize(report, AgentJson.Default.PassReport));
            show(progress);
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
                task.Description = string.Create(CultureInfo.InvariantCulture, $"{progress.Done} of {progress.Total}, {Rate:F0}/s");
            }, stop);
        });

    private static bool HasMoved(PassReport address) => address.Failure == nameof(PassFailure.None);

    private double Rate => _passed / Math.Max(0.001, Stopwatch.GetElapsedTime(_started).TotalSeconds);

    private void Summarize()
    {
        IAnsiConsole console = PeopleConsole.Create();
        if (_passed + _stayed.Count + _inDoubt > 0 || !isPart)
            SummarizePasses(console);
        foreach (PassReport address in _addresses.Values)
        {
            console.MarkupLineInterpolated(CultureInfo.InvariantCulture,
                $"{(HasMoved(address) ? $"{address.Address} moved to {address.Destination}.{(address.Detail is { Length: > 0 } staying ? $" {staying} Their packets come by way of {address.Destination}: this host must stay up for them." : "")}" : $"{address.Address} stays: {address.Detail}")}");
        }

        if (_inDoubt > 0)
            console.MarkupLine("[red]'tcpcp resolve' lists what is in doubt.[/]");
    }

    private void SummarizePasses(IAnsiConsole console)
    {
        foreach (PassReport stayed in _stayed)
            console.MarkupLineInterpolated(CultureInfo.InvariantCulture, $"[yellow]{stayed.Connection ?? stayed.Application}[/]: {stayed.Failure}: {stayed.Detail}");
        string rest = _last is { } last && last.Total > last.Done ? string.Create(CultureInfo.InvariantCulture, $", {last.Total - last.Done} not begun") : "";
        string passed = _passed == 1 && _last is { } only ? $"1 passed to {only.Destination}" : string.Create(CultureInfo.InvariantCulture, $"{_passed} passed ({Rate:F0}/s)");
        console.MarkupLineInterpolated(CultureInfo.InvariantCulture,
            $"{(WasStopped ? "Stopped: " : "")}{passed}, {_stayed.Count} not passed, {_inDoubt} in doubt{rest}.");
        if (_passed + _stayed.Count + _inDoubt + _addresses.Count == 0)
            console.MarkupLine("There was nothing to pass.");
    }
}
