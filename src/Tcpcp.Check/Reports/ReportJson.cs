using System.Text.Json;
using System.Text.Json.Serialization;

namespace Tcpcp.Check;

/// <summary>The JSON form of the report: flat, with units in the names.</summary>
internal sealed record JsonCapture(string Peer, string Verdict, long Contradictions, long Rst, long UnexpectedFin, long Packets,
    long Segments, long FragmentedSegments, long UnreadableSegments, long DroppedPackets, bool Incomplete, IReadOnlyList<string> Holes,
    IReadOnlyList<JsonConnection> Connections)
{
    public static JsonCapture Of(CaptureReport report) => new(report.Peer.ToString(), JsonNames.Of(report.Verdict), report.Contradictions,
        report.Connections.Sum(connection => connection.ServiceResets), report.Connections.Sum(connection => connection.UnexpectedFins),
        report.Packets, report.Segments, report.FragmentedSegments, report.UnreadableSegments, report.DroppedPackets,
        report.Holes.Count > 0, report.Holes, [.. report.Connections.Select(JsonConnection.Of)]);
}

internal sealed record JsonConnection(string FourTuple, long Contradictions, long Rst, long UnexpectedFin,
    IReadOnlyList<JsonFinding> Findings, double Begin, double End, bool Handshake, bool WindowJudged, bool ServiceFin, long PeerRst,
    bool Incomplete, long MissingServiceBytes, long MissingPeerBytes, long ComparedBytes, long NotComparedBytes, long TruncatedSegments,
    long LateSegments, long WindowClosures, long Undecided, long ZeroTimestampEchoes, long FlowLabelChanges, long MacChanges,
    JsonDirection Service, JsonDirection Peer, IReadOnlyList<JsonHandOver> HandOvers)
{
    public static JsonConnection Of(ConnectionReport report) => new(report.Connection.ToString(), report.Contradictions,
        report.ServiceResets, report.UnexpectedFins, [.. report.Findings.Select(JsonFinding.Of)], JsonNames.Seconds(report.Begin),
        JsonNames.Seconds(report.End), report.HasHandshake, report.IsWindowJudged, report.HasServiceFin, report.Peer.Resets,
        report.IsIncomplete, report.MissingServiceBytes, report.MissingPeerBytes, report.ComparedBytes, report.NotComparedBytes,
        report.TruncatedSegments, report.LateSegments, report.WindowClosures, report.Undecided, report.ZeroTimestampEchoes,
        report.FlowLabelChanges, report.MacChanges, JsonDirection.Of(report.Service), JsonDirection.Of(report.Peer),
        [.. report.HandOvers.Select(JsonHandOver.Of)]);
}

internal sealed record JsonFinding(string Kind, long Packet, double Time, string Message)
{
    public static JsonFinding Of(Contradiction finding) => new(JsonNames.Of(finding.Kind), finding.PacketNumber,
        JsonNames.Seconds(finding.Time), finding.Message);
}

internal sealed record JsonDirection(long Segments, long PayloadBytes, long StreamBytes, long RetransmittedSegments,
    long RetransmittedBytes, long GapSegments, long DuplicateAcks, long DuplicateSacks, long ZeroWindows, long Probes, long OversizeSegments,
    double LongestSilenceMs, double? LongestSilenceFrom)
{
    public static JsonDirection Of(DirectionFigures figures) => new(figures.Segments, figures.PayloadBytes, figures.StreamBytes,
        figures.RetransmittedSegments, figures.RetransmittedBytes, figures.GapSegments, figures.DuplicateAcks, figures.DuplicateSacks, figures.ZeroWindows,
        figures.Probes, figures.OversizeSegments, figures.LongestSilence.TotalMilliseconds,
        figures.LongestSilenceFrom is DateTimeOffset from ? JsonNames.Seconds(from) : null);
}

internal sealed record JsonHandOver(bool Detected, double Instant, string? OldMac, string? NewMac, double? GapMs, double ServiceSilenceMs,
    double PeerSilenceMs, long ServiceRetransmittedSegments, long PeerRetransmittedSegments)
{
    public static JsonHandOver Of(HandOver handOver) => new(handOver.IsDetected, JsonNames.Seconds(handOver.Instant), handOver.OldMac,
        handOver.NewMac, handOver.Gap?.TotalMilliseconds, handOver.ServiceSilence.TotalMilliseconds,
        handOver.PeerSilence.TotalMilliseconds, handOver.ServiceRetransmissions, handOver.PeerRetransmissions);
}

internal static class JsonNames
{
    public static string Of<T>(T value) where T : struct, Enum => JsonNamingPolicy.SnakeCaseLower.ConvertName(value.ToString());

    /// <summary>Seconds since 1970, exact to the microsecond.</summary>
    public static double Seconds(DateTimeOffset time) => (time - DateTimeOffset.UnixEpoch).Ticks / (double)TimeSpan.TicksPerSecond;
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, WriteIndented = true)]
[JsonSerializable(typeof(JsonCapture))]
internal sealed partial class ReportJsonContext : JsonSerializerContext;
