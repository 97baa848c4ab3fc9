using System.Diagnostics;

namespace Tcpcp.Lab.Tests;

/// <summary>Waits on conditions.</summary>
internal static class Eventually
{
    /// <summary>Asks again until nothing is left; fails with what is left.</summary>
    public static async Task Empty<T>(Func<IReadOnlyList<T>> left, TimeSpan limit)
    {
        Stopwatch time = Stopwatch.StartNew();
        while (left() is { Count: > 0 } rest)
        {
            if (time.Elapsed > limit)
                Assert.Empty(rest);
            await Task.Delay(10);
        }
    }
}
