using System.Net;

namespace Tcpcp.Check;

/// <summary>Who the peer is, and what the caller knows that the capture cannot tell.</summary>
public sealed class JudgeOptions
{
    /// <summary>The peer's address: the host on which the capture was taken. v4-mapped addresses mean IPv4.</summary>
    public required IPAddress Peer { get; init; }

    /// <summary>
    /// The peer's port; default null: any. Needed only where both ends have the peer's address (loopback). Without it the peer is then the
    /// end that sent the SYN, or, where that is missing, the end with the higher port.
    /// </summary>
    public int? PeerPort { get; init; }

    /// <summary>
    /// Length in bytes of the stream that the service sends in each connection; default null: unknown. A FIN elsewhere is then unexpected.
    /// It can be judged only where the capture has the service's SYN.
    /// </summary>
    public long? ExpectedBytes { get; init; }

    /// <summary>
    /// When connections were handed over; default none. The report has the silences around each. Hand-overs that change the service's MAC
    /// address are found without this.
    /// </summary>
    public IReadOnlyList<DateTimeOffset> HandOvers { get; init; } = [];

    /// <summary>
    /// The service's window scale (RFC 7323, 2.2; 0 to 14) for connections whose handshake the capture lacks; default null: the window of
    /// these is not judged.
    /// </summary>
    public int? ServiceWindowScale { get; init; }

    /// <summary>
    /// Default false: two things that healthy connections show are counted as figures and not as contradictions. A segment that fits in
    /// between those before it (by acknowledgement, TSval and IPv4 identification) was delivered late by the path, so its older numbers are
    /// no step back. A zero window that takes back announced room while data of the peer is in flight is Linux out of receive memory.
    /// Neither is forgiven within 200 ms of a hand-over. True forgives nothing: for the lab, where the path keeps the order (one queue, one
    /// CPU).
    /// </summary>
    public bool IsStrict { get; init; }

    /// <summary>Default false. True where the application itself changes the DSCP on the way, as sshd does after the login.</summary>
    public bool DscpMayChange { get; init; }

    /// <summary>
    /// Most bytes of one connection that are kept to compare retransmissions with, from 4 MiB below what the peer has acknowledged; default
    /// 64 MiB. Bytes that come again later than that are counted as not compared.
    /// </summary>
    public int RetainedBytesPerConnection { get; init; } = 64 << 20;

    /// <summary>Most bytes kept for all connections together; default 1 GiB. Closed connections give theirs up first.</summary>
    public long RetainedBytes { get; init; } = 1L << 30;

    /// <summary>Contradictions of a connection that are kept with their messages; default 100. The counts have all of them.</summary>
    public int MaxFindings { get; init; } = 100;
}
