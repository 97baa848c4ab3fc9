namespace Tcpcp.Traffic;

/// <summary>What the peer felt of one pass.</summary>
/// <param name="Blackout">From the divert to the activation; null: it was refused.</param>
/// <param name="Again">What its TCP had to do again.</param>
/// <param name="Explanation">What the hosts' TCP has counted meanwhile.</param>
internal sealed record BulkPass(TimeSpan? Blackout, PeerCounters Again, string Explanation)
{
    public override string ToString() => $"blackout {Blackout?.TotalMilliseconds:f1} ms, {Again.Resent} resent, {Again.Probes} probes, {Again.TimeOuts} timers: {Explanation}";
}
