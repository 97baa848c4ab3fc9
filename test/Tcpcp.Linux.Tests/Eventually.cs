using System.Diagnostics;

namespace Tcpcp.Linux.Tests;

/// <summary>Waits on conditions.</summary>
internal static class Eventually
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(20);

    /// <summary>Asks again until the value is the expected one; fails with the last one.</summary>
    public static async Task Equal<T>(T expected, Func<T> actual)
    {
        Stopwatch time = Stopwatch.StartNew();
        T last;
        while (!EqualityComparer<T>.Default.Equals(last = actual(), expected))
        {
            if (time.Elapsed > s_limit)
                Assert.Equal(expected, last);
            await Task.Delay(5);
        }
    }
}
