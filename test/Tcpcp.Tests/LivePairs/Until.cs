using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Tcpcp.Tests;

/// <summary>Waits on conditions.</summary>
internal static class Until
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(20);

    /// <summary>Asks again until the condition holds; fails with its text after 20 s or the limit that is given.</summary>
    public static async Task True(Func<bool> condition, TimeSpan? limit = null, Func<string>? state = null,
        [CallerArgumentExpression(nameof(condition))] string what = "")
    {
        long started = Stopwatch.GetTimestamp();
        while (!condition())
        {
            if (Stopwatch.GetElapsedTime(started) > (limit ?? s_limit))
                Assert.Fail($"Not within {(limit ?? s_limit).TotalSeconds} s: {what}. {state?.Invoke()}");
            await Task.Delay(1);
        }
    }
}
