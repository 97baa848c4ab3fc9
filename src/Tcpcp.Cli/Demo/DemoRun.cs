using System.Diagnostics;
using System.Globalization;
using Tcpcp.Agent.Passing;
using Tcpcp.Check;
using Tcpcp.Core;
using Tcpcp.Lab.Capture;
using Tcpcp.Linux.Processes;
using Tcpcp.Samples.FileServer;

namespace Tcpcp.Cli.Demo;

/// <summary>How the demo is run.</summary>
/// <param name="MegaBytes">Size of the file in 10^6 bytes.</param>
/// <param name="BytesPerSecond">Limit of the download; null: none.</param>
/// <param name="Passes">How often the connection is passed, there and back in turn.</param>
/// <param name="KeepCapture">Where to leave the peer's capture; null: nowhere.</param>
internal sealed record DemoOptions(int MegaBytes, ulong? BytesPerSecond, int Passes, string? KeepCapture);

/// <summary>One download by curl whose connection is passed there and back, and what the peer saw of it.</summary>
internal sealed class DemoRun
{
    private static readonly TimeSpan s_passTime = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan s_downloadTime = TimeSpan.FromSeconds(50);

    private readonly DemoOptions _options;
    private readonly DemoFiles _files;
    private readonly Action<string> _say;
    private int _passes;

    private DemoRun(DemoOptions options, DemoFiles files, Action<string> say)
    {
        _options = options;
        _files = files;
        _say = say;
    }

    /// <param name="say">Told what is being done.</param>
    public static async Task<DemoReport> RunAsync(DemoOptions options, Action<string> say, CancellationToken cancellationToken)
    {
        using DemoFiles files = DemoFiles.Create();
        return await new DemoRun(options, files, say).RunAsync(cancellationToken);
    }

    private async Task<DemoReport> RunAsync(CancellationToken cancellationToken)
    {
        _say($"Writing a file of {_options.MegaBytes} MB with random bytes");
        _files.WriteServed(_options.MegaBytes * 1_000_000L);
        _say("Making three hosts: a peer with curl, and two file servers that share one service address");
        await using DemoHosts hosts = await DemoHosts.CreateAsync(_files.Root, _options.BytesPerSecond);
        PacketCapture capture = hosts.Peer.StartCapture(_files.Capture);

        _say("curl downloads the file; its connection is passed meanwhile");
        long began = Stopwatch.GetTimestamp();
        await using ChildProcess curl = hosts.Peer.Start("curl",
            ["--silent", "--show-error", "--fail", "--output", _files.Download, DemoHosts.UrlOf(DemoFiles.FileName).AbsoluteUri]);
        await PassAsync(hosts, curl, cancellationToken);
        int exit = await curl.Exit.WaitAsync(s_downloadTime, cancellationToken);
        TimeSpan took = Stopwatch.GetElapsedTime(began);
        await capture.StopAsync();
        if (exit != 0)
            _say($"curl failed with code {exit}: {curl.ErrorOutput!.Text.Trim()}");

        _say("Judging the peer's capture");
        if (_options.KeepCapture is { } path)
            File.Copy(_files.Capture, path, overwrite: true);
        CaptureReport judged = CaptureJudge.Judge(_files.Capture, new JudgeOptions { Peer = hosts.Peer.IPv4, IsStrict = true });
        bool equal = exit == 0 && await DemoFiles.HashAsync(_files.Served, cancellationToken) == await DemoFiles.HashAsync(_files.Download, cancellationToken);
        return Report(hosts, judged, equal, took, began);
    }

    private async Task PassAsync(DemoHosts hosts, ChildProcess curl, CancellationToken cancellationToken)
    {
        for (int pass = 0; pass < _options.Passes; pass++)
        {
            // The first at about the middle, the others evenly in what is left, but for the end.
            double fraction = 0.45 + 0.45 * pass / _options.Passes;
            if (!await ReachesAsync((long)(_options.MegaBytes * 1_000_000L * fraction), curl, cancellationToken))
                return;
            ServerEvent passed = await hosts.Servers[pass % 2].PassToAsync(hosts.Servers[(pass + 1) % 2], s_passTime);
            if (passed.Failure != PassFailure.None)
                throw new DemoException($"Pass {pass + 1} failed ({passed.Failure}, owner {passed.Owner}): {passed.Detail}");
            _passes++;
        }
    }

    private async Task<bool> ReachesAsync(long bytes, ChildProcess curl, CancellationToken cancellationToken)
    {
        using PeriodicTimer timer = new(TimeSpan.FromMilliseconds(1));
        FileInfo download = new(_files.Download);
        while (await timer.WaitForNextTickAsync(cancellationToken))
        {
            download.Refresh();
            if (download.Exists && download.Length >= bytes)
                return true;
            if (curl.Exit.IsCompleted)
                return false;
        }

        return false;
    }

    private DemoReport Report(DemoHosts hosts, CaptureReport judged, bool equal, TimeSpan took, long began)
    {
        List<(DemoServer Server, ServerEvent Event)> steps =
        [
            .. hosts.Servers.SelectMany(server => server.Events.Select(line => (server, line))).Where(step => step.line.Action is not null)
                .OrderBy(step => step.line.MonotonicNanoseconds),
        ];
        return new DemoReport(
            equal, _passes,
            [.. steps.Where(step => step.Event.BlackoutNanoseconds is not null).Select(step => Math.Round(step.Event.BlackoutNanoseconds!.Value / 1000.0, 1))],
            judged.Connections.Sum(connection => connection.ServiceResets),
            judged.Connections.Sum(connection => connection.UnexpectedFins),
            judged.Contradictions,
            judged.Connections.Sum(connection => connection.Service.RetransmittedSegments))
        {
            CaptureComplete = judged.Verdict != Verdict.Incomplete && judged.Connections.Count == 1,
            Bytes = _options.MegaBytes * 1_000_000L,
            DownloadSeconds = Math.Round(took.TotalSeconds, 3),
            LongestSilenceUs = judged.Connections.Count == 0 ? 0 : Math.Round(judged.Connections.Max(c => c.Service.LongestSilence).TotalMicroseconds, 1),
            Findings = [.. judged.Holes, .. judged.Connections.SelectMany(connection => connection.Findings).Select(finding => finding.Message)],
            Timeline = [.. steps.Select(step => Entry(step.Server, step.Event, began))],
        };
    }

    private static TimelineEntry Entry(DemoServer server, ServerEvent step, long began)
    {
        TimeSpan time = TimeSpan.FromMicroseconds((step.MonotonicNanoseconds - Stopwatch.GetElapsedTime(0, began).TotalNanoseconds) / 1000);
        string detail = step.BlackoutNanoseconds is { } blackout
            ? string.Create(CultureInfo.InvariantCulture, $"blackout {blackout / 1000.0:F0} us")
            : step.Detail ?? "";
        return new TimelineEntry(time, server.Host.Name, Words(step.Action!.Value, step.Side!.Value), detail);
    }

    private static string Words(PassAction action, PassSide side) => (action, side) switch
    {
        (PassAction.Offered, _) => "offers the connection",
        (PassAction.Ready, _) => "is ready: gate closed, hold armed",
        (PassAction.Begun, _) => "begins the pass",
        (PassAction.Quiesced, _) => "application stands still",
        (PassAction.Diverted, _) => "takes the service address: packets come here and are held",
        (PassAction.Frozen, _) => "freezes the connection: gate closed, repair mode on",
        (PassAction.Captured, _) => "captures the kernel's state",
        (PassAction.Sent, _) => "sends the snapshot",
        (PassAction.Received, _) => "has the snapshot",
        (PassAction.Restored, _) => "has restored the connection, dormant",
        (PassAction.Accepted, _) => "accepts: it owns the connection now",
        (PassAction.Replayed, _) => "replays what was held",
        (PassAction.Activated, _) => "activates the connection",
        (PassAction.Released, _) => "closes its copy silently, gives the address up",
        (PassAction.Done, _) => "is done",
        _ => action.ToString(),
    };
}
