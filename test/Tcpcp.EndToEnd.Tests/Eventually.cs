using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Tcpcp.EndToEnd.Tests;

/// <summary>Waits on conditions.</summary>
internal static class Eventually
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(30);

    public static Task True(Func<bool> condition, [CallerArgumentExpression(nameof(condition))] string what = "") => True(() => Task.FromResult(condition()), what);

    public static async Task True(Func<Task<bool>> condition, [CallerArgumentExpression(nameof(condition))] string what = "")
    {
        long started = Stopwatch.GetTimestamp();
        using PeriodicTimer timer = new(TimeSpan.FromMilliseconds(2));
        while (!await condition())
        {
            Assert.True(Stopwatch.GetElapsedTime(started) < s_limit, $"Not within {s_limit.TotalSeconds} s: {what}");
            await timer.WaitForNextTickAsync();
        }
    }
}
