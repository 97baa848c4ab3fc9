using System.Text.Json.Serialization;

namespace Tcpcp.Cli.Demo;

/// <summary>What the demo found; <c>--json</c> prints it with snake_case names.</summary>
/// <param name="Sha256Equal">The peer received exactly the bytes of the file.</param>
/// <param name="Passes">Passes that succeeded.</param>
/// <param name="BlackoutUs">Of each pass: from the divert to the activation, in microseconds.</param>
/// <param name="Rst">RSTs that the peer saw.</param>
/// <param name="UnexpectedFin">FINs that the peer saw where the stream does not end.</param>
/// <param name="Contradictions">Contradictions in the peer's capture.</param>
/// <param name="RetransmittedSegments">Segments that were sent again, by the servers or by the peer, as far as the peer can see it.</param>
internal sealed record DemoReport(
    bool Sha256Equal, int Passes, IReadOnlyList<double> BlackoutUs, long Rst, long UnexpectedFin, long Contradictions, long RetransmittedSegments)
{
    /// <summary>The peer's capture has every packet: a verdict is possible.</summary>
    public required bool CaptureComplete { get; init; }

    /// <summary>The connection is one of IPv6.</summary>
    [JsonPropertyName("ipv6")]
    public required bool IPv6 { get; init; }

    /// <summary>The peer sent the file; else the servers did.</summary>
    public required bool Upload { get; init; }

    /// <summary>Per cent of the packets that the network lost, in each direction.</summary>
    public required int LossPercent { get; init; }

    /// <summary>Bytes of the file.</summary>
    public required long Bytes { get; init; }

    /// <summary>How long the download or the upload took.</summary>
    public required double DownloadSeconds { get; init; }

    /// <summary>Longest time in which the peer received nothing, in microseconds.</summary>
    public required double LongestSilenceUs { get; init; }

    /// <summary>What contradicted what, in words.</summary>
    public required IReadOnlyList<string> Findings { get; init; }

    [JsonIgnore]
    public IReadOnlyList<TimelineEntry> Timeline { get; init; } = [];

    public bool Succeeded => Sha256Equal && Rst == 0 && UnexpectedFin == 0 && Contradictions == 0 && CaptureComplete;
}

/// <summary>One line of the timeline.</summary>
/// <param name="Time">Since the beginning of the download.</param>
internal sealed record TimelineEntry(TimeSpan Time, string Host, string What, string Detail);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(DemoReport))]
internal sealed partial class DemoReportContext : JsonSerializerContext;
