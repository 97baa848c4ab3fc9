using System.Globalization;
using Tcpcp.EndToEnd.Tests.Agents;

namespace Tcpcp.EndToEnd.Tests.Chaos;

/// <summary>
/// Random connections, passed at random between three hosts to which random things happen: not a byte is wrong, nothing hangs, and only what a death explains may end.
/// <c>TCPCP_CHAOS_MINUTES</c> says how long, <c>TCPCP_CHAOS_SEED</c> repeats a run.
/// </summary>
public sealed class ChaosTests(LabCertificates certificates, ITestOutputHelper output)
{
    private static readonly TimeSpan s_short = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan s_round = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task Only_what_a_death_explains_ends_and_no_byte_is_wrong()
    {
        TimeSpan all = Environment.GetEnvironmentVariable("TCPCP_CHAOS_MINUTES") is { Length: > 0 } minutes
            ? TimeSpan.FromMinutes(double.Parse(minutes, CultureInfo.InvariantCulture)) : s_short;
        int seed = Environment.GetEnvironmentVariable("TCPCP_CHAOS_SEED") is { Length: > 0 } given ? int.Parse(given, CultureInfo.InvariantCulture)
            : all == s_short ? 1 : Random.Shared.Next();
        DateTime end = DateTime.UtcNow + all;
        do
        {
            TimeSpan left = end - DateTime.UtcNow;
            await using ChaosRun run = await ChaosRun.StartAsync(certificates, seed++);
            string summary = await run.RunAsync(left < s_round ? left : s_round);
            output.WriteLine(summary);
            Console.WriteLine(summary);
        }
        while (DateTime.UtcNow < end);
    }
}
