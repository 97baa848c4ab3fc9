using Tcpcp.Check.Packets;

namespace Tcpcp.Check.Judgement;

/// <summary>One end of a connection: what it has sent, what it said about the other end's stream, and its figures.</summary>
internal sealed class Endpoint
{
    private const long NearRetransmission = 200_000_000;

    private readonly Queue<long> _recentRetransmissions = new();
    private ushort _lastWindow;

    public SentStream Sent { get; } = new();

    /// <summary>The options of the SYN; null if the capture lacks it.</summary>
    public SynFacts? Syn { get; private set; }

    /// <summary>Highest acknowledgement, as an offset in the other end's stream; null before the first.</summary>
    public long? AckMax { get; private set; }

    /// <summary>Latest TSval, modulo 2^32; null before the first.</summary>
    public uint? TsVal { get; private set; }

    /// <summary>Furthest right edge of the announced window, as an offset in the other end's stream; null while the scale is
    /// unknown.</summary>
    public long? RightEdge { get; private set; }

    /// <summary>True while <see cref="RightEdge"/> is that of a SYN, whose window has no scale.</summary>
    public bool RightEdgeIsOfSyn { get; private set; }

    public EndpointFigures Figures { get; } = new();

    /// <summary>Capture time of the last segment in nanoseconds; null before the first.</summary>
    public long? LastTime { get; private set; }

    /// <summary>Retransmissions of the 200 ms before <paramref name="time"/>.</summary>
    public int RecentRetransmissions(long time)
    {
        int count = 0;
        foreach (long at in _recentRetransmissions)
            count += at >= time - NearRetransmission ? 1 : 0;
        return count;
    }

    /// <summary>The announced edge moved left; judge what follows by this one, so that one step is one contradiction.</summary>
    public void MoveRightEdge(long edge)
    {
        RightEdge = edge;
        RightEdgeIsOfSyn = false;
    }

    /// <summary>Takes over a SYN that was seen before it was known which connection it belongs to.</summary>
    public void Adopt(SynFacts syn)
    {
        Syn = syn;
        Sent.TakeSyn(Sent.Unwrap(syn.Sequence));
    }

    /// <summary>Takes over what a segment of this end says. Returns true if it carried bytes that had been seen before.</summary>
    public bool Take(in Segment segment, in Moment moment, Endpoint other, int? scale)
    {
        TakeTime(moment.Time);
        Figures.Segments++;
        Figures.PayloadBytes += segment.PayloadLength;
        if (segment.Has(TcpFlags.Rst))
            return false; // its numbers are those of the segment it answers, or none
        bool isRetransmission = TakeSequence(segment, moment);
        if (segment.Has(TcpFlags.Ack))
            TakeAcknowledgement(segment, moment, other, scale);
        if (segment.Options.HasTimestamps && (TsVal is not uint last || unchecked((int)(segment.Options.TsVal - last)) > 0))
            TsVal = segment.Options.TsVal;
        return isRetransmission;
    }

    private void TakeTime(long time)
    {
        if (LastTime is long last && time - last > Figures.LongestSilence)
        {
            Figures.LongestSilence = time - last;
            Figures.LongestSilenceFrom = last;
        }
        LastTime = LastTime is long latest ? Math.Max(latest, time) : time;
    }

    private bool TakeSequence(in Segment segment, in Moment moment)
    {
        if (segment.Has(TcpFlags.Syn))
        {
            Syn ??= SynFacts.Of(segment);
            Sent.TakeSyn(moment.Sequence);
        }
        if (moment.IsProbe)
        {
            Figures.Probes++;
            Sent.Overlap.Clear();
            return false;
        }
        Sent.BeginAt(moment.PayloadFrom);
        bool isBelowEnd = moment.PayloadTo > moment.PayloadFrom && moment.PayloadFrom < Sent.End;
        long again = Sent.TakeData(moment.PayloadFrom, moment.PayloadTo);
        if (isBelowEnd && again < moment.PayloadTo - moment.PayloadFrom)
            Figures.GapSegments++;
        if (segment.Has(TcpFlags.Fin))
            Sent.TakeFin(moment.PayloadTo);
        if (again == 0)
            return false;
        Figures.RetransmittedSegments++;
        Figures.RetransmittedBytes += again;
        while (_recentRetransmissions.TryPeek(out long oldest) && oldest < moment.Time - NearRetransmission)
            _recentRetransmissions.Dequeue();
        _recentRetransmissions.Enqueue(moment.Time);
        return true;
    }

    private void TakeAcknowledgement(in Segment segment, in Moment moment, Endpoint other, int? scale)
    {
        bool isSyn = segment.Has(TcpFlags.Syn);
        bool isBare = segment.PayloadLength == 0 && !isSyn && !segment.Has(TcpFlags.Fin) && !moment.IsProbe;
        // RFC 5681, 2: the same acknowledgement and window again, without data, while data is outstanding.
        if (isBare && AckMax == moment.Acknowledgement && segment.Window == _lastWindow && other.Sent.End > moment.Acknowledgement)
            Figures.DuplicateAcks++;
        if (IsDuplicateSack(segment.Options, segment.Acknowledgement))
            Figures.DuplicateSacks++;
        if (segment.Window == 0 && !isSyn)
            Figures.ZeroWindows++;
        _lastWindow = segment.Window;
        AckMax = AckMax is long max ? Math.Max(max, moment.Acknowledgement) : moment.Acknowledgement;
        if (EdgeOf(segment, moment, scale) is long edge && (RightEdge is not long furthest || edge > furthest))
        {
            RightEdge = edge;
            RightEdgeIsOfSyn = isSyn;
        }
    }

    /// <summary>The right edge of the window in this segment (RFC 9293, 3.8.6); a SYN's window is never scaled (RFC 7323, 2.2).</summary>
    public static long? EdgeOf(in Segment segment, in Moment moment, int? scale) =>
        segment.Has(TcpFlags.Syn) ? moment.Acknowledgement + segment.Window
        : scale is int shift ? moment.Acknowledgement + ((long)segment.Window << shift) : null;

    // RFC 2883: the first block reports a duplicate if it lies below the acknowledgement, or inside the second block.
    private static bool IsDuplicateSack(in TcpOptions options, uint acknowledgement)
    {
        if (options.SackBlockCount == 0)
            return false;
        (uint left, uint right) = options.SackBlock(0);
        if (unchecked((int)(right - acknowledgement)) <= 0)
            return true;
        if (options.SackBlockCount == 1)
            return false;
        (uint outerLeft, uint outerRight) = options.SackBlock(1);
        return unchecked((int)(left - outerLeft) >= 0 && (int)(outerRight - right) >= 0);
    }
}
