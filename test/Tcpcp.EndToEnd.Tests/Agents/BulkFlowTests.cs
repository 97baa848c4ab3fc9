using Tcpcp.Check;
using Tcpcp.Core;
using Tcpcp.Traffic;

namespace Tcpcp.EndToEnd.Tests.Agents;

/// <summary>A connection with 55 MB/s in both directions, whose ends know every byte, with each mechanism. <c>./bench.sh blackout all</c> does more of each.</summary>
public sealed class BulkFlowTests
{
    private const int Passes = 4;
    private const int Attempts = 3; // another program on this machine's processors can only make it slower

    private static readonly TimeSpan s_shortestRto = TimeSpan.FromMilliseconds(200); // TCP_RTO_MIN
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(40);
    private static readonly TimeSpan s_soon = TimeSpan.FromMilliseconds(200);

    public static TheoryData<Mechanism, bool> Paths => [.. from mechanism in Enum.GetValues<Mechanism>() from ipv6 in (bool[])[false, true] select (mechanism, ipv6)];

    [Theory, MemberData(nameof(Paths))]
    public async Task The_peer_takes_nothing_for_lost_whether_the_pass_is_quick_or_not(Mechanism mechanism, bool ipv6)
    {
        await using BulkLab lab = await BulkLab.StartAsync(Command.Path, mechanism, ipv6);
        List<BulkPass> passes = [];
        foreach (int milliseconds in (int[])[0, 20, 100])
        {
            for (int i = 0; i < Passes; i++)
                passes.Add(await lab.PassAsync(TimeSpan.FromMilliseconds(milliseconds)));
        }

        // A machine that stands still for longer than that lets the peer's timer fire, whatever the pass does.
        Assert.All(passes, pass => Assert.True(pass.Again.IsNoLoss || pass.Blackout > s_shortestRto, $"{pass}"));
        await AssertCleanAsync(lab);
    }

    [Theory, MemberData(nameof(Paths))]
    public async Task What_is_refused_after_the_divert_goes_on_at_the_origin_and_nothing_is_left(Mechanism mechanism, bool ipv6)
    {
        await using BulkLab lab = await BulkLab.StartAsync(Command.Path, mechanism, ipv6);
        for (int home = 0; home < 2; home++)
        {
            Assert.Equal(PassFailure.RefusedByApplication, (await lab.RefuseAsync(BulkRefusal.ByApplication)).Result.Failure);
            Assert.Equal(PassFailure.RestoreRefusedByKernel, (await lab.RefuseAsync(BulkRefusal.ByKernel)).Result.Failure);
            await lab.PassAsync();
        }

        await AssertCleanAsync(lab);
    }

    [Fact]
    public async Task Where_packets_are_lost_overtaken_and_doubled_nothing_contradictory_is_sent_and_every_byte_arrives()
    {
        await using BulkLab lab = await BulkLab.StartAsync(Command.Path, Mechanism.Forward, ipv6: false, BulkOptions.Faulty);
        for (int i = 0; i < 10; i++)
            await lab.PassAsync();
        await AssertCleanAsync(lab);
    }

    [Fact]
    public async Task A_sender_whose_peer_has_a_small_buffer_is_as_fast_after_a_pass_as_before()
    {
        await using BulkLab lab = await BulkLab.StartAsync(Command.Path, Mechanism.Forward, ipv6: false, BulkOptions.SmallBuffer);
        (double before, double after) = await RateWatch.CompareAsync(lab);
        for (int attempt = 1; attempt < Attempts && after < 0.9 * before; attempt++)
            (before, after) = await RateWatch.CompareAsync(lab);
        Assert.True(after >= 0.9 * before, $"{before / 1e6:f1} MB/s before, {after / 1e6:f1} after");
        await AssertCleanAsync(lab);
    }

    [Fact]
    public async Task BBR_is_at_its_rate_again_soon_after_a_pause_on_a_path_of_20_ms()
    {
        await using BulkLab lab = await BulkLab.StartAsync(Command.Path, Mechanism.Forward, ipv6: false, BulkOptions.FarBbr);
        (TimeSpan? regained, TimeSpan blackout, double rate) = await RateWatch.RegainAsync(lab, s_pause);
        for (int attempt = 1; attempt < Attempts && (regained is null || regained > s_soon); attempt++)
            (regained, blackout, rate) = await RateWatch.RegainAsync(lab, s_pause);
        Assert.True(regained <= s_soon, $"At {rate / 1e6:f1} MB/s again after {regained?.TotalMilliseconds:f0} ms; blackout {blackout.TotalMilliseconds:f0} ms");
        await AssertCleanAsync(lab);
    }

    private static async Task AssertCleanAsync(BulkLab lab)
    {
        ConnectionReport report = await lab.FinishAsync();
        Assert.Equal([], report.Findings.Select(finding => finding.Message));
        Assert.Equal((0, 0), (report.ServiceResets, report.UnexpectedFins));
    }
}
