using Tcpcp.Check.Judgement;
using Tcpcp.Core;

namespace Tcpcp.Check;

/// <summary>What the peer saw of one connection. A new SYN on a four-tuple whose connection is over begins another report.</summary>
public sealed record ConnectionReport
{
    /// <summary>The connection, service end first.</summary>
    public required FourTuple Connection { get; init; }

    /// <summary>Time of the first segment; UTC.</summary>
    public required DateTimeOffset Begin { get; init; }

    /// <summary>Time of the last segment; UTC.</summary>
    public required DateTimeOffset End { get; init; }

    /// <summary>All contradictions, also those that are not kept in <see cref="Findings"/>.</summary>
    public required long Contradictions { get; init; }

    /// <summary>RSTs from the service; contradictions all of them.</summary>
    public required long ServiceResets { get; init; }

    /// <summary>Contradictions of the kind <see cref="ContradictionKind.UnexpectedFin"/>.</summary>
    public required long UnexpectedFins { get; init; }

    /// <summary>The first contradictions, at most <see cref="JudgeOptions.MaxFindings"/>, in the order of the capture.</summary>
    public required IReadOnlyList<Contradiction> Findings { get; init; }

    /// <summary>False if the capture begins in the middle: it lacks the SYN of one end or both.</summary>
    public required bool HasHandshake { get; init; }

    /// <summary>
    /// False if the service's window scale is unknown (no handshake, and no <see cref="JudgeOptions.ServiceWindowScale"/>): then the right
    /// edge of its window was not judged.
    /// </summary>
    public required bool IsWindowJudged { get; init; }

    /// <summary>True if a FIN of the service was captured.</summary>
    public required bool HasServiceFin { get; init; }

    /// <summary>Bytes that the peer acknowledged and the capture lacks; not the service's fault, but no verdict about them.</summary>
    public required long MissingServiceBytes { get; init; }

    /// <summary>Bytes of the peer that the service acknowledged and the capture lacks.</summary>
    public required long MissingPeerBytes { get; init; }

    /// <summary>Bytes that the service sent again and that were compared with the first ones.</summary>
    public required long ComparedBytes { get; init; }

    /// <summary>Bytes that the service sent again after the first ones had been let go, or that the snapshot length cut off.</summary>
    public required long NotComparedBytes { get; init; }

    /// <summary>Segments whose payload the snapshot length cut off: only their headers were judged.</summary>
    public required long TruncatedSegments { get; init; }

    /// <summary>Segments of the service that the path delivered late; see <see cref="JudgeOptions.IsStrict"/>.</summary>
    public required long LateSegments { get; init; }

    /// <summary>Times that the service, out of receive memory, closed its window; see <see cref="JudgeOptions.IsStrict"/>.</summary>
    public required long WindowClosures { get; init; }

    /// <summary>
    /// Would-be contradictions that say "the peer never sent that", in a connection of which the capture lacks segments: the peer may have
    /// sent it there. Not counted in <see cref="Contradictions"/>.
    /// </summary>
    public required long Undecided { get; init; }

    /// <summary>Segments of the service after the handshake that echo TSecr 0, as a restored socket does until the peer's next
    /// segment.</summary>
    public required long ZeroTimestampEchoes { get; init; }

    /// <summary>Changes of the service's IPv6 flow label (RFC 6437); legal, but they may change the path.</summary>
    public required long FlowLabelChanges { get; init; }

    /// <summary>Changes of the service's MAC address; the first 1000 are in <see cref="HandOvers"/>.</summary>
    public required long MacChanges { get; init; }

    /// <summary>Hand-overs, in order of time.</summary>
    public required IReadOnlyList<HandOver> HandOvers { get; init; }

    /// <summary>What the service sent.</summary>
    public required DirectionFigures Service { get; init; }

    /// <summary>What the peer sent.</summary>
    public required DirectionFigures Peer { get; init; }

    /// <summary>True if the capture lacks bytes of this connection that were acknowledged.</summary>
    public bool IsIncomplete => MissingServiceBytes > 0 || MissingPeerBytes > 0;

    internal static ConnectionReport Of(Connection connection) => new()
    {
        Connection = connection.FourTuple,
        Begin = UnixTime.ToDateTime(Math.Max(0, connection.FirstTime)),
        End = UnixTime.ToDateTime(connection.LastTime),
        Contradictions = connection.Findings.Total,
        ServiceResets = connection.Service.Figures.Resets,
        UnexpectedFins = connection.Findings.CountOf(ContradictionKind.UnexpectedFin),
        Findings = connection.Findings.Kept,
        HasHandshake = connection.Service.Syn is not null && connection.Peer.Syn is not null,
        IsWindowJudged = connection.ServiceScale is not null,
        HasServiceFin = connection.Service.Sent.FinOffset is not null,
        MissingServiceBytes = connection.Service.Sent.UnseenAcknowledged,
        MissingPeerBytes = connection.Peer.Sent.UnseenAcknowledged,
        ComparedBytes = connection.Bytes.Compared,
        NotComparedBytes = connection.Bytes.NotCompared,
        TruncatedSegments = connection.TruncatedSegments,
        LateSegments = connection.LateSegments,
        WindowClosures = connection.ReceiveWindow.Closures,
        Undecided = connection.Undecided,
        ZeroTimestampEchoes = connection.Timestamps.ZeroEchoes,
        FlowLabelChanges = connection.IpHeader.FlowLabelChanges,
        MacChanges = connection.HandOvers.MacChanges,
        HandOvers = connection.HandOvers.Report(),
        Service = DirectionFigures.Of(connection.Service),
        Peer = DirectionFigures.Of(connection.Peer),
    };
}
