using System.Diagnostics;
using System.Globalization;
using Tcpcp.Agent.Passing;
using Tcpcp.Check;
using Tcpcp.Cli.Agents;
using Tcpcp.Core;
using Tcpcp.Lab.Capture;
using Tcpcp.Linux.Processes;
using Tcpcp.Samples.FileServer;

namespace Tcpcp.Cli.Demo;

/// <summary>How the demo is run.</summary>
/// <param name="MegaBytes">Size of the file in 10^6 bytes.</param>
/// <param name="BytesPerSecond">Limit of the download or upload; null: none.</param>
/// <param name="Passes">How often the connection is passed, there and back in turn.</param>
/// <param name="KeepCapture">Where to leave the peer's capture; null: nowhere.</param>
internal sealed record DemoOptions(int MegaBytes, ulong? BytesPerSecond, int Passes, string? KeepCapture)
{
    /// <summary>Over IPv6.</summary>
    public bool IPv6 { get; init; }

    /// <summary>curl sends the file.</summary>
    public bool Upload { get; init; }

    /// <summary>Per cent of the packets that the peer's link loses, in each direction.</summary>
    public int LossPercent { get; init; }

    public long Bytes => MegaBytes * 1_000_000L;
}

/// <summary>One download or upload by curl whose connection is passed there and back, and what the peer saw of it.</summary>
internal sealed class DemoRun
{
    private static readonly TimeSpan s_passTime = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan s_transferTime = TimeSpan.FromSeconds(45);

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
        using DemoFiles files = DemoFiles.Create(options.Upload);
        return await new DemoRun(options, files, say).RunAsync(cancellationToken);
    }

    private async Task<DemoReport> RunAsync(CancellationToken cancellationToken)
    {
        _say($"Writing a file of {_options.MegaBytes} MB with random bytes");
        _files.WriteSent(_options.Bytes);
        _say("Making three hosts: a peer with curl, and two with an agent and a file server that share one service address");
        await using DemoHosts hosts = await DemoHosts.CreateAsync(_files, _options);
        PacketCapture capture = hosts.Peer.StartCapture(_files.Capture);

        _say($"curl {(_options.Upload ? "uploads" : "downloads")} the file; its connection is passed meanwhile");
        long began = Stopwatch.GetTimestamp();
        await using ChildProcess curl = hosts.Peer.Start("curl",
            ["--silent", "--show-error", "--fail", .. CurlArguments(), hosts.UrlOf(DemoFiles.FileName).AbsoluteUri]);
        await PassAsync(hosts, curl, cancellationToken);
        int exit = await EndOfAsync(curl, cancellationToken);
        TimeSpan took = Stopwatch.GetElapsedTime(began);
        await capture.StopAsync();
        if (exit != 0)
            _say($"curl failed with code {exit}: {curl.ErrorOutput!.Text.Trim()}");

        _say("Judging the peer's capture");
        if (_options.KeepCapture is { } path)
            File.Copy(_files.Capture, path, overwrite: true);
        CaptureReport judged = CaptureJudge.Judge(_files.Capture, new JudgeOptions { Peer = hosts.PeerAddress, IsStrict = true });
        bool equal = exit == 0 && await DemoFiles.HashAsync(_files.Sent, cancellationToken) == await DemoFiles.HashAsync(_files.Received, cancellationToken);
        return Report(hosts, judged, equal, took, began);
    }

    private async Task<int> EndOfAsync(ChildProcess curl, CancellationToken cancellationToken)
    {
        try
        {
            return await curl.Exit.WaitAsync(s_transferTime, cancellationToken);
        }
        catch (TimeoutException)
        {
            if (_options.KeepCapture is { } path)
                File.Copy(_files.Capture, path, overwrite: true);
            throw TooSlow();
        }
    }

    private DemoException TooSlow() => new(string.Create(CultureInfo.InvariantCulture,
        $"curl is not far enough after {s_transferTime.TotalSeconds} s and {_passes} passes: it has {_files.ReceivedBytes:N0} of {_options.Bytes:N0} bytes. ") +
        (_options.LossPercent > 0 ? "With losses, take a smaller file (--size)." : "Take a smaller file (--size), or a higher --rate."));

    // The servers pace what they send; what curl sends it has to pace itself.
    private IEnumerable<string> CurlArguments() => _options switch
    {
        { Upload: false } => ["--output", _files.Received],
        { BytesPerSecond: { } rate } => ["--upload-file", _files.Sent, "--limit-rate", rate.ToString(CultureInfo.InvariantCulture)],
        _ => ["--upload-file", _files.Sent],
    };

    private async Task PassAsync(DemoHosts hosts, ChildProcess curl, CancellationToken cancellationToken)
    {
        for (int pass = 0; pass < _options.Passes; pass++)
        {
            // The first at about the middle, the others evenly in what is left, but for the end.
            double fraction = 0.45 + 0.45 * pass / _options.Passes;
            if (!await ReachesAsync((long)(_options.Bytes * fraction), curl, cancellationToken))
                return;
            ServerEvent passed = await hosts.Servers[pass % 2].PassToAsync(hosts.Servers[(pass + 1) % 2], s_passTime);
            if (passed.Failure == PassFailure.NotPassable && curl.Exit.IsCompleted)
                return; // curl was faster
            if (passed.Failure != PassFailure.None)
                throw new DemoException($"Pass {pass + 1} failed ({passed.Failure}, owner {passed.Owner}): {passed.Detail}");
            _passes++;
        }
    }

    private async Task<bool> ReachesAsync(long bytes, ChildProcess curl, CancellationToken cancellationToken)
    {
        using PeriodicTimer timer = new(TimeSpan.FromMilliseconds(1));
        long began = Stopwatch.GetTimestamp();
        while (await timer.WaitForNextTickAsync(cancellationToken))
        {
            if (_files.ReceivedBytes >= bytes)
                return true;
            if (curl.Exit.IsCompleted)
                return false;
            if (Stopwatch.GetElapsedTime(began) > s_transferTime)
                throw TooSlow();
        }

        return false;
    }

    private DemoReport Report(DemoHosts hosts, CaptureReport judged, bool equal, TimeSpan took, long began)
    {
        List<(DemoServer Server, PassEvent Event)> steps =
        [
            .. hosts.Servers.SelectMany(server => server.Steps.Select(line => (server, line))).OrderBy(step => step.line.MonotonicNanoseconds),
        ];
        return new DemoReport(
            equal, _passes,
            [.. steps.Where(step => step.Event.BlackoutNanoseconds is not null).Select(step => Math.Round(step.Event.BlackoutNanoseconds!.Value / 1000.0, 1))],
            judged.Connections.Sum(connection => connection.ServiceResets),
            judged.Connections.Sum(connection => connection.UnexpectedFins),
            judged.Contradictions,
            judged.Connections.Sum(RetransmittedSegments))
        {
            CaptureComplete = judged.Verdict != Verdict.Incomplete && judged.Connections.Count == 1,
            IPv6 = _options.IPv6,
            Upload = _options.Upload,
            LossPercent = _options.LossPercent,
            Bytes = _options.Bytes,
            DownloadSeconds = Math.Round(took.TotalSeconds, 3),
            LongestSilenceUs = judged.Connections.Count == 0 ? 0 : Math.Round(judged.Connections.Max(c => c.Service.LongestSilence).TotalMicroseconds, 1),
            Findings = [.. judged.Holes, .. SmallCaptureQueue(judged), .. judged.Connections.SelectMany(connection => connection.Findings).Select(finding => finding.Message)],
            Timeline = [.. steps.Select(step => Entry(step.Server, step.Event, began))],
        };
    }

    private static string[] SmallCaptureQueue(CaptureReport judged) => judged.DroppedPackets > 0 && OrdinaryUser.IsInside
        ? ["The capture's queue of an ordinary user is small. Take a lower --rate, or allow a larger one: sysctl -w net.core.rmem_max=268435456"]
        : [];

    // Of those of the servers that the network lost, the peer sees the second copy only.
    private static long RetransmittedSegments(ConnectionReport connection) =>
        connection.Service.RetransmittedSegments + connection.Service.GapSegments + connection.Peer.RetransmittedSegments;

    private static TimelineEntry Entry(DemoServer server, PassEvent step, long began)
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
        (PassAction.SendingRecorded, _) => "writes down that the snapshot leaves",
        (PassAction.Sent, _) => "sends the snapshot",
        (PassAction.Received, _) => "has the snapshot",
        (PassAction.Restored, _) => "has restored the connection, dormant",
        (PassAction.Accepted, _) => "accepts: it owns the connection now",
        (PassAction.Activating, _) => "writes down that the connection may live",
        (PassAction.Woken, _) => "leaves repair mode",
        (PassAction.Replayed, _) => "replays what was held",
        (PassAction.Activated, _) => "activates the connection",
        (PassAction.Broken, _) => "could not go on: the connection is reset",
        (PassAction.Released, _) => "closes its copy silently, gives the address up",
        (PassAction.Done, _) => "is done",
        _ => action.ToString(),
    };
}
