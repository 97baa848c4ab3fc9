namespace Tcpcp.Check.Judgement;

/// <summary>Running counts of one direction; times in nanoseconds.</summary>
internal sealed class EndpointFigures
{
    public long Segments { get; set; }
    public long PayloadBytes { get; set; }
    public long RetransmittedSegments { get; set; }
    public long RetransmittedBytes { get; set; }
    public long GapSegments { get; set; }
    public long DuplicateAcks { get; set; }
    public long DuplicateSacks { get; set; }
    public long ZeroWindows { get; set; }
    public long Probes { get; set; }
    public long Resets { get; set; }
    public long OversizeSegments { get; set; }
    public long LongestSilence { get; set; }
    public long LongestSilenceFrom { get; set; }
}
