using Tcpcp.Core;
using Tcpcp.Lab;
using Tcpcp.Linux.Nftables;
using Tcpcp.Restore;

namespace Tcpcp.Tests.Congestion;

/// <summary>Every segment of the peer's is marked (RFC 3168): the service's host must echo it.</summary>
public sealed class KeptEcnTests(EcnLab lab) : IClassFixture<EcnLab>
{
    private const byte Ece = 0x40;

    [Theory]
    [InlineData(IPKind.IPv4, "cubic", true)]
    [InlineData(IPKind.IPv4, "bbr", true)]
    [InlineData(IPKind.IPv6, "cubic", true)]
    [InlineData(IPKind.V4Mapped, "cubic", true)]
    [InlineData(IPKind.IPv4, "cubic", false)]
    public async Task A_restored_connection_echoes_marks_if_it_keeps_them_and_else_none(IPKind kind, string algorithm, bool keeps)
    {
        Assert.Null(KeptCongestion.FindEcnObstacle());
        await using LivePair pair = LivePair.Connect(lab, kind, isCaptured: false);
        using Wiretap tap = pair.Tap();
        await pair.ExchangeAsync();
        await Until.True(() => tap.FromService.Any(IsEcho));

        ConnectionSnapshot snapshot = pair.Take();
        Assert.True(snapshot.Negotiated.Ecn);
        pair.Activate(pair.RestoreAt(lab.Destination, snapshot with { Congestion = snapshot.Congestion with { Algorithm = algorithm } }, keeps));
        await tap.BeginAfterAsync(lab.Destination);
        await pair.ExchangeAsync();
        await tap.SettleAsync(lab.Destination);
        Assert.Equal(keeps, tap.FromService.Any(IsEcho));
        Assert.Equal(algorithm, Capture.OptionReader.CongestionAlgorithm(pair.Service.Socket.SafeHandle));

        // And once more: what was kept is captured.
        snapshot = pair.Take();
        Assert.Equal(keeps, snapshot.Negotiated.Ecn);
        pair.Activate(pair.RestoreAt(lab.Origin, snapshot, keeps));
        await pair.ExchangeAsync();
    }

    private static bool IsEcho(SeenSegment segment) => (segment.Flags & Ece) != 0;
}

/// <summary>All hosts ask for ECN, and what the peer sends is marked as if a router on the way were congested.</summary>
public sealed class EcnLab : PassLab
{
    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        foreach (Host host in (Host[])[Peer, Origin, Destination])
            host.Run(() => Sysctl.Write("net/ipv4/tcp_ecn", "1"));
        Peer.Run(() => LibNftables.Run("""
            add table inet congestion
            add chain inet congestion out { type filter hook output priority 0; }
            add rule inet congestion out ip ecn ect0 ip ecn set ce
            add rule inet congestion out ip6 ecn ect0 ip6 ecn set ce
            """));
    }
}
