using System.Globalization;
using Tcpcp.EndToEnd.Tests.Agents;

namespace Tcpcp.EndToEnd.Tests.Chaos;

/// <summary>
/// Random connections, passed at random between three hosts to which random things happen: not a byte is wrong, nothing hangs, and only what a death explains may end.
/// <c>./test.sh --chaos MINUTES</c> runs it: <c>TCPCP_CHAOS_MINUTES</c> says how long, <c>TCPCP_CHAOS_SEED</c> repeats a run.
/// </summary>
public sealed class ChaosTests(LabCertificates certificates, ITestOutputHelper output)
{
    private static readonly TimeSpan s_round = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task Only_what_a_death_explains_ends_and_no_byte_is_wrong()
    {
        string minutes = Environment.GetEnvironmentVariable("TCPCP_CHAOS_MINUTES") ?? "";
        Assert.SkipWhen(minutes.Length == 0, "It runs with ./test.sh --chaos MINUTES.");
        int seed = Environment.GetEnvironmentVariable("TCPCP_CHAOS_SEED") is { Length: > 0 } given ? int.Parse(given, CultureInfo.InvariantCulture) : Random.Shared.Next();
        DateTime end = DateTime.UtcNow + TimeSpan.FromMinutes(double.Parse(minutes, CultureInfo.InvariantCulture));
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
