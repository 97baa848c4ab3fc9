using System.Globalization;
using System.Net;
using System.Text.Json;

namespace Tcpcp.Check;

/// <summary>The judgement on a whole capture.</summary>
public sealed record CaptureReport
{
    /// <summary>The peer that was judged for.</summary>
    public required IPAddress Peer { get; init; }

    /// <summary>Packets in the file, of every kind.</summary>
    public required long Packets { get; init; }

    /// <summary>TCP segments of the peer's connections, both directions.</summary>
    public required long Segments { get; init; }

    /// <summary>IP fragments of TCP segments from or to the peer: not judged, and their bytes are missing.</summary>
    public required long FragmentedSegments { get; init; }

    /// <summary>TCP segments from or to the peer whose headers were cut off or malformed: not judged.</summary>
    public required long UnreadableSegments { get; init; }

    /// <summary>Packets that the capturing host lost, as the file says (pcapng only; tcpdump prints it to its standard error
    /// instead).</summary>
    public required long DroppedPackets { get; init; }

    /// <summary>The peer's connections in the order of their first segments; empty if the capture has none.</summary>
    public required IReadOnlyList<ConnectionReport> Connections { get; init; }

    /// <summary>Contradictions in all connections.</summary>
    public long Contradictions => Connections.Sum(connection => connection.Contradictions);

    /// <summary>Contradictory if there is a contradiction, else Incomplete if the capture has holes, else Clean.</summary>
    public Verdict Verdict => Contradictions > 0 ? Verdict.Contradictory : Holes.Count > 0 ? Verdict.Incomplete : Verdict.Clean;

    /// <summary>Why the capture is incomplete, a sentence each; empty if it is not.</summary>
    public IReadOnlyList<string> Holes
    {
        get
        {
            List<string> holes = [];
            Add(holes, DroppedPackets, "packets were lost by the capturing host");
            Add(holes, Connections.Sum(connection => connection.MissingServiceBytes),
                "bytes that the peer acknowledged are not in the capture");
            Add(holes, Connections.Sum(connection => connection.MissingPeerBytes),
                "bytes that the service acknowledged are not in the capture");
            Add(holes, FragmentedSegments, "IP fragments of TCP segments were not judged");
            Add(holes, UnreadableSegments, "TCP segments had headers that were cut off or malformed");
            return holes;
        }
    }

    /// <summary>The report as one JSON object with snake_case names; durations in milliseconds, instants as seconds since 1970.</summary>
    public string ToJson() => JsonSerializer.Serialize(JsonCapture.Of(this), ReportJsonContext.Default.JsonCapture);

    private static void Add(List<string> holes, long count, string what)
    {
        if (count > 0)
            holes.Add(string.Create(CultureInfo.InvariantCulture, $"{count} {what}."));
    }
}
