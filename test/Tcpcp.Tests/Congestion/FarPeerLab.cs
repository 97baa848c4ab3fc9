using Tcpcp.Lab;

namespace Tcpcp.Tests.Congestion;

/// <summary>The peer is 100 ms away, behind 200 Mbit/s with a queue of one round trip.</summary>
public sealed class FarPeerLab : PassLab
{
    public const long BytesPerSecond = 25_000_000;

    public static TimeSpan RoundTrip { get; } = TimeSpan.FromMilliseconds(100);

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        foreach (Host host in (Host[])[Peer, Origin, Destination])
        {
            host.Run(() =>
            {
                Sysctl.Write("net/ipv4/tcp_rmem", "4096 131072 16777216");
                Sysctl.Write("net/ipv4/tcp_wmem", "4096 131072 16777216");
            });
        }

        Peer.MoveFarAway(new LongPath(RoundTrip / 2, BytesPerSecond, (long)(BytesPerSecond * RoundTrip.TotalSeconds)));
    }
}
