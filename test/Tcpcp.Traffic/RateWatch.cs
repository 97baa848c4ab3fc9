using System.Diagnostics;

namespace Tcpcp.Traffic;

/// <summary>How fast the peer receives, before and after a pass.</summary>
internal static class RateWatch
{
    private static readonly TimeSpan s_window = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan s_measured = TimeSpan.FromMilliseconds(700);
    private static readonly TimeSpan s_watched = TimeSpan.FromSeconds(2);

    /// <summary>The rates before a pass and after it, in bytes a second.</summary>
    public static async Task<(double Before, double After)> CompareAsync(BulkLab lab)
    {
        double before = await MeasureAsync(lab);
        await lab.PassAsync();
        return (before, await MeasureAsync(lab));
    }

    /// <summary>When the peer receives at 0.9 times the rate from before again.</summary>
    /// <param name="pause">Between freeze and activation.</param>
    /// <returns>From the activation to the beginning of the first 50 ms that have it; null: not within 2 s.</returns>
    public static async Task<(TimeSpan? Regained, TimeSpan Blackout, double Rate)> RegainAsync(BulkLab lab, TimeSpan pause)
    {
        double rate = await MeasureAsync(lab);
        for (double last = 0; rate > last * 1.05;) // it is still growing
            (last, rate) = (rate, await MeasureAsync(lab));
        using CancellationTokenSource stop = new();
        Task<List<(long Time, long Received)>> watch = Task.Factory.StartNew(() => Watch(lab, stop.Token), TaskCreationOptions.LongRunning);
        BulkPass pass = await lab.PassAsync(pause);
        await Task.Delay(s_watched, CancellationToken.None);
        await stop.CancelAsync();
        List<(long Time, long Received)> seen = await watch;
        int silenceEnd = FindEndOfLongestSilence(seen);
        TimeSpan? regained = FindRate(seen, silenceEnd, 0.9 * rate) is { } at ? Stopwatch.GetElapsedTime(seen[silenceEnd].Time, seen[at].Time) : null;
        return (regained, pass.Blackout!.Value, rate);
    }

    private static async Task<double> MeasureAsync(BulkLab lab)
    {
        (long started, long before) = (Stopwatch.GetTimestamp(), lab.Flow.Received);
        await Task.Delay(s_measured);
        return (lab.Flow.Received - before) / Stopwatch.GetElapsedTime(started).TotalSeconds;
    }

    // About each millisecond.
    private static List<(long Time, long Received)> Watch(BulkLab lab, CancellationToken stop)
    {
        List<(long, long)> seen = [];
        while (!stop.IsCancellationRequested)
        {
            seen.Add((Stopwatch.GetTimestamp(), lab.Flow.Received));
            Thread.Sleep(1);
        }

        return seen;
    }

    // The first bytes after the activation.
    private static int FindEndOfLongestSilence(List<(long Time, long Received)> seen)
    {
        (int end, long longest, int changed) = (0, 0, 0);
        for (int i = 1; i < seen.Count; i++)
        {
            if (seen[i].Received == seen[changed].Received)
                continue;
            if (seen[i].Time - seen[changed].Time > longest)
                (longest, end) = (seen[i].Time - seen[changed].Time, i);
            changed = i;
        }

        return end;
    }

    private static int? FindRate(List<(long Time, long Received)> seen, int from, double rate)
    {
        for (int i = from, j = from; i < seen.Count; i++)
        {
            while (j < seen.Count && Stopwatch.GetElapsedTime(seen[i].Time, seen[j].Time) < s_window)
                j++;
            if (j == seen.Count)
                return null;
            if ((seen[j].Received - seen[i].Received) / Stopwatch.GetElapsedTime(seen[i].Time, seen[j].Time).TotalSeconds >= rate)
                return i;
        }

        return null;
    }
}
