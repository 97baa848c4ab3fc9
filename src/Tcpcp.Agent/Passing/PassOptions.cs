using Tcpcp.Agent.Hold;
using Tcpcp.Core;
using Tcpcp.Linux.Switching;

namespace Tcpcp.Agent.Passing;

/// <summary>The bounds of a pass, and what switches its packets.</summary>
internal sealed record PassOptions
{
    /// <summary>How long the destination keeps an offer open. Default 10 s.</summary>
    public TimeSpan OfferLifetime { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long the origin waits for an answer before anything was sent. Default 2 s.</summary>
    public TimeSpan AnswerTime { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>How long the origin waits for the verdict before it asks again. Default 2 s.</summary>
    public TimeSpan DecisionTime { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>How long the origin waits for the send queue to drain before it diverts. Default 30 ms. An optimisation: what is left is carried.</summary>
    public TimeSpan QuiesceTime { get; init; } = TimeSpan.FromMilliseconds(30);

    /// <summary>How long packets of a connection are held. Default 5 s.</summary>
    public TimeSpan HoldTime { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How many bytes are held for a connection; more is dropped and the peer sends it again. Default 16 MiB.</summary>
    public int HoldBytes { get; init; } = 16 << 20;

    /// <summary>First pause between two questions about a verdict; it doubles up to <see cref="ResolveBackOffMax"/>. Default 50 ms.</summary>
    public TimeSpan ResolveBackOff { get; init; } = TimeSpan.FromMilliseconds(50);

    /// <summary>Longest pause between two questions. Default 5 s.</summary>
    public TimeSpan ResolveBackOffMax { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long a pass may be in doubt before it is given up: its connections are closed silently. Default null: never.</summary>
    public TimeSpan? AbandonAfter { get; init; }

    /// <summary>How often an owner compares its connections with all that others forward to it. Default 60 s. Ends of connections are told at once; this finds those that were missed.</summary>
    public TimeSpan CompareForwarded { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>What switches packets. Default <see cref="SwitchChoice.Automatic"/>: BPF, or nftables where it is not to be had.</summary>
    public SwitchChoice PacketSwitch { get; init; } = SwitchChoice.Automatic;

    /// <summary>What packets are held by. Default <see cref="HoldChoice.Automatic"/>: a TAP, or a veth pair where it is not to be had.</summary>
    public HoldChoice Hold { get; init; } = HoldChoice.Automatic;

    /// <summary>What congestion control of connections that come starts from. Default: as a new connection, with the captured algorithm.</summary>
    public CongestionStart Congestion { get; init; } = CongestionStart.Default;

    /// <summary>What becomes of explicit congestion notification. Default: connections that have it go on without.</summary>
    public EcnPolicy Ecn { get; init; } = EcnPolicy.Drop;

    /// <summary>Limit of each queue of a snapshot in bytes. Default 64 MiB.</summary>
    public int MaxQueueBytes { get; init; } = SnapshotValidator.DefaultMaxQueueBytes;
}
