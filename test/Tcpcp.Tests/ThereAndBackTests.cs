using Tcpcp.Check;
using Tcpcp.Lab;

namespace Tcpcp.Tests;

public sealed class ThereAndBackTests(PassLab lab) : IClassFixture<PassLab>
{
    private const int ThereAndBack = 50;

    [Theory]
    [InlineData(IPKind.IPv4, 4_000_000)]
    [InlineData(IPKind.IPv4, 40_000_000)]
    [InlineData(IPKind.IPv6, 4_000_000)]
    [InlineData(IPKind.IPv6, 40_000_000)]
    [InlineData(IPKind.V4Mapped, 4_000_000)]
    public async Task A_hundred_passes_there_and_back_under_traffic_in_both_directions_contradict_nothing(IPKind kind, long bytesPerSecond)
    {
        await using LivePair pair = LivePair.Connect(lab, kind);
        using Traffic peer = Traffic.Start(pair.Peer, bytesPerSecond);
        using Traffic service = Traffic.Start(pair.Service, bytesPerSecond);
        for (int i = 0; i < ThereAndBack; i++)
        {
            foreach (Host host in (Host[])[lab.Destination, lab.Origin])
            {
                (long atPeer, long atService) = (pair.Peer.Received, pair.Service.Received);
                await Until.True(() => pair.Peer.Received > atPeer + 10_000 && pair.Service.Received > atService + 10_000);
                service.Pause();
                pair.PassTo(host);
                service.Resume();
            }
        }

        service.Pause();
        peer.Pause();
        await pair.ExchangeAsync();
        ConnectionReport report = await pair.JudgeAsync();
        Assert.Equal(2 * ThereAndBack, report.MacChanges);
    }
}
