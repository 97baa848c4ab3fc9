using System.Net.Sockets;
using Tcpcp.Lab;

namespace Tcpcp.Traffic;

/// <summary>What a bulk flow is like.</summary>
internal sealed record BulkOptions
{
    /// <summary>What the service sends.</summary>
    public double ServiceBytesPerSecond { get; init; } = BulkApplication.DefaultBytesPerSecond;

    /// <summary>What the peer sends.</summary>
    public double PeerBytesPerSecond { get; init; } = BulkApplication.DefaultBytesPerSecond;

    /// <summary>The agents' policy for congestion control.</summary>
    public string Congestion { get; init; } = "default";

    /// <summary>The service's congestion control; default null: that of the kernel.</summary>
    public string? Algorithm { get; init; }

    /// <summary>The peer is at its far end; default null: it is on the switch. The capture is taken at the near end then, where the order is that of the senders.</summary>
    public LongPath? Path { get; init; }

    /// <summary>Whether what the peer sees is captured. Default true; a capture cannot follow a gigabyte a second for long.</summary>
    public bool IsCaptured { get; init; } = true;

    /// <summary>Settings of the peer's socket, before it connects.</summary>
    public Action<Socket>? Prepare { get; init; }

    /// <summary>1 % of the packets are lost, 1 % are overtaken, and 0.5 % are doubled.</summary>
    public static BulkOptions Faulty { get; } = new()
    {
        ServiceBytesPerSecond = 5e6,
        PeerBytesPerSecond = 5e6,
        Path = new LongPath(TimeSpan.FromMilliseconds(1), 100_000_000, 1_000_000)
        {
            Faults = new PathFaults(Loss: 0.01, Reordering: 0.01, Duplication: 0.005, Lateness: TimeSpan.FromMilliseconds(3), Seed: 1),
        },
    };

    /// <summary>The service sends as fast as it can to a peer with a receive buffer of 64 KiB.</summary>
    public static BulkOptions SmallBuffer { get; } = new()
    {
        ServiceBytesPerSecond = 10e9,
        PeerBytesPerSecond = 0,
        Prepare = socket => socket.ReceiveBufferSize = 64 << 10,
    };

    /// <summary>The service sends with BBR as fast as a path of 20 ms and 200 Mbit/s carries, and its congestion state is kept.</summary>
    public static BulkOptions FarBbr { get; } = new()
    {
        ServiceBytesPerSecond = 10e9,
        PeerBytesPerSecond = 0,
        Congestion = "keep",
        Algorithm = "bbr",
        Path = new LongPath(TimeSpan.FromMilliseconds(10), 25_000_000, 500_000),
    };
}
