using System.Globalization;
using Tcpcp.EndToEnd.Tests.Agents;

namespace Tcpcp.EndToEnd.Tests.Chaos;

/// <summary>
/// Random connections, passed at random between three hosts to which random things happen: not a byte is wrong, nothing hangs, nothing has two owners, and only what a
/// death explains may end. <c>./test.sh --chaos MINUTES</c> runs it for so long (<c>TCPCP_CHAOS_MINUTES</c>), with a seed of its own or with <c>TCPCP_CHAOS_SEED</c>,
/// which repeats a run; else three short runs are made.
/// </summary>
[Collection(HeavyTests.Name)]
public sealed class ChaosTests(LabCertificates certificates, ITestOutputHelper output)
{
    private static readonly TimeSpan s_short = TimeSpan.FromSeconds(8);
    private static readonly TimeSpan s_round = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan s_patientRound = TimeSpan.FromSeconds(150);
    private const int PatientEvery = 8;
    private const int RelaySeed = 51;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(RelaySeed)]
    public async Task Only_what_a_death_explains_ends_and_no_byte_is_wrong(int ownSeed)
    {
        string minutes = Environment.GetEnvironmentVariable("TCPCP_CHAOS_MINUTES") ?? "";
        if (minutes.Length == 0)
        {
            await RunAsync(ChaosSetting.Draw(ownSeed, isPatient: false), s_short);
            return;
        }

        Assert.SkipWhen(ownSeed != 1, "One long run is enough.");
        int seed = Environment.GetEnvironmentVariable("TCPCP_CHAOS_SEED") is { Length: > 0 } given ? int.Parse(given, CultureInfo.InvariantCulture) : Random.Shared.Next();
        DateTime end = DateTime.UtcNow + TimeSpan.FromMinutes(double.Parse(minutes, CultureInfo.InvariantCulture));
        do
        {
            bool isPatient = seed % PatientEvery == 0 && end - DateTime.UtcNow > s_patientRound;
            await RunAsync(ChaosSetting.Draw(seed++, isPatient), isPatient ? s_patientRound : s_round);
        }
        while (DateTime.UtcNow < end);
    }

    private async Task RunAsync(ChaosSetting setting, TimeSpan time)
    {
        await using ChaosRun run = await ChaosRun.StartAsync(certificates, setting);
        string summary = await run.RunAsync(time);
        output.WriteLine(summary);
        Console.WriteLine(summary);
    }
}
