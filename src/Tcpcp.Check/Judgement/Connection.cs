using Tcpcp.Check.Judgement.Rules;
using Tcpcp.Check.Packets;
using Tcpcp.Core;

namespace Tcpcp.Check.Judgement;

/// <summary>One connection of the capture: both ends' state, and the rules that the service's segments are held against.</summary>
internal sealed class Connection
{
    private readonly JudgeOptions _options;
    private readonly ChunkPool _pool;
    private readonly Rule[] _rules;
    private readonly RetransmissionRule _retransmission;
    private readonly SentHistory _history = new();
    private bool _isMarkedClosed;

    public Connection(FourTuple fourTuple, JudgeOptions options, ChunkPool pool, IReadOnlyList<long> handOvers)
    {
        FourTuple = fourTuple;
        _options = options;
        _pool = pool;
        Findings = new FindingLog(fourTuple, options.MaxFindings);
        HandOvers = new HandOverWatch(handOvers);
        Bytes = new SentBytes(pool, options.RetainedBytesPerConnection);
        _retransmission = new RetransmissionRule(this, Bytes);
        _rules =
        [
            new AcknowledgementRule(this), ReceiveWindow = new ReceiveWindowRule(this), new SendWindowRule(this),
            new FinRule(this, options.ExpectedBytes),
            Timestamps = new TimestampRule(this), new OptionsRule(this), new SackRule(this),
            IpHeader = new IpHeaderRule(this, options.DscpMayChange),
        ];
    }

    public FourTuple FourTuple { get; }

    public Endpoint Service { get; } = new();

    public Endpoint Peer { get; } = new();

    public FindingLog Findings { get; }

    public SentBytes Bytes { get; }

    public HandOverWatch HandOvers { get; }

    public ReceiveWindowRule ReceiveWindow { get; }

    public TimestampRule Timestamps { get; }

    public IpHeaderRule IpHeader { get; }

    public long LateSegments { get; private set; }

    public long Undecided { get; private set; }

    public long TruncatedSegments { get; private set; }

    public long FirstTime { get; private set; } = -1;

    public long LastTime => Math.Max(Service.LastTime ?? 0, Peer.LastTime ?? 0);

    /// <summary>A SYN that did not belong to this connection; an answer to it begins another one.</summary>
    public (bool FromService, SynFacts Syn)? StraySyn { get; set; }

    /// <summary>Reset, or both FINs seen: a SYN on the same four-tuple begins another connection.</summary>
    public bool IsClosed => Service.Figures.Resets + Peer.Figures.Resets > 0
        || (Service.Sent.FinOffset is not null && Peer.Sent.FinOffset is not null);

    /// <summary>The service's window scale as negotiated (RFC 7323, 2.2); null if the capture cannot tell.</summary>
    public int? ServiceScale => ScaleOf(Service, Peer) ?? _options.ServiceWindowScale;

    /// <summary>The peer's window scale; null if the capture cannot tell.</summary>
    public int? PeerScale => ScaleOf(Peer, Service);

    /// <summary>The SYN-ACK, whose options are those negotiated; null if the capture lacks it.</summary>
    public SynFacts? SynAnswer => Service.Syn is { IsAnswer: true } ? Service.Syn : Peer.Syn is { IsAnswer: true } ? Peer.Syn : null;

    public void Take(in Segment segment, bool fromService, long packetNumber, long time)
    {
        if (FirstTime < 0)
            FirstTime = time;
        Endpoint sender = fromService ? Service : Peer;
        if (segment.Payload.Length < segment.PayloadLength)
            TruncatedSegments++;
        if (segment.PayloadLength > 0 && (fromService ? Peer : Service).Syn is { Mss: > 0 } syn && segment.PayloadLength > syn.Mss)
            sender.Figures.OversizeSegments++;
        Moment moment = Locate(segment, fromService, packetNumber, time);
        HandOvers.Observe(segment.SourceMac, fromService, time, Service, Peer);
        if (segment.Has(TcpFlags.Rst))
            TakeReset(segment, fromService, moment);
        else if (fromService)
            TakeFromService(segment, moment);
        else
            TakeFromPeer(segment, moment);
        if (IsClosed && !_isMarkedClosed)
        {
            _isMarkedClosed = true;
            _pool.MarkClosed(Bytes);
        }
    }

    /// <summary>A SYN from the service inside this connection, which is open.</summary>
    public void ReportSyn(in Segment segment, long packetNumber, long time) =>
        Findings.Add(ContradictionKind.UnexpectedSyn, Locate(segment, fromService: true, packetNumber, time),
            $"SYN with sequence number {segment.Sequence} inside an open connection.");

    /// <summary>False in a strict judgement, and near a hand-over: there nothing is put down to the path or to a lack of memory.</summary>
    public bool MayForgive(long time) => !_options.IsStrict && !HandOvers.IsNear(time);

    /// <summary>The capture is over. Where it has holes, nothing can be said about what the peer never sent.</summary>
    public void Finish(bool captureHasDrops)
    {
        foreach (Rule rule in _rules)
            rule.Finish();
        if (captureHasDrops || Service.Sent.UnseenAcknowledged + Peer.Sent.UnseenAcknowledged > 0)
            Undecided = Findings.WithdrawWhatNeedsAllPackets();
    }

    private void TakeReset(in Segment segment, bool fromService, in Moment moment)
    {
        Endpoint sender = fromService ? Service : Peer;
        sender.Figures.Resets++;
        if (fromService)
            Findings.Add(ContradictionKind.Reset, moment, $"RST with sequence number {segment.Sequence}.");
        sender.Take(segment, moment, fromService ? Peer : Service, null);
    }

    private void TakeFromService(in Segment segment, in Moment moment)
    {
        foreach (Rule rule in _rules)
            rule.FromService(segment, moment);
        if (moment.IsLate)
            LateSegments++;
        else
            _history.Remember(segment, moment);
        if (Service.Take(segment, moment, Peer, ServiceScale))
            HandOvers.CountRetransmission(fromService: true, moment.Time);
        _retransmission.FromService(segment, moment);
        if (!segment.Has(TcpFlags.Ack))
            return;
        // What the service acknowledges was sent; that the capture has not seen it is the rule's affair once the stream is certain.
        if (!Peer.Sent.IsCertain)
            Peer.Sent.ClaimSent(moment.Acknowledgement);
        Peer.Sent.TakeAcknowledgement(moment.Acknowledgement);
    }

    private void TakeFromPeer(in Segment segment, in Moment moment)
    {
        foreach (Rule rule in _rules)
            rule.FromPeer(segment, moment);
        // At the peer nothing of its own is missing or out of order: a sequence number ahead is a hole in the capture.
        if (!segment.Has(TcpFlags.Syn))
            Peer.Sent.ClaimSent(moment.Sequence);
        if (Peer.Take(segment, moment, Service, PeerScale))
            HandOvers.CountRetransmission(fromService: false, moment.Time);
        if (!segment.Has(TcpFlags.Ack))
            return;
        Service.Sent.ClaimSent(moment.Acknowledgement);
        Service.Sent.TakeAcknowledgement(moment.Acknowledgement);
        _retransmission.FromPeer(segment, moment);
    }

    private Moment Locate(in Segment segment, bool fromService, long packetNumber, long time)
    {
        Endpoint sender = fromService ? Service : Peer;
        Endpoint other = fromService ? Peer : Service;
        long sequence = sender.Sent.Unwrap(segment.Sequence);
        long acknowledgement = other.Sent.Unwrap(segment.Acknowledgement);
        long payloadFrom = sequence + (segment.Has(TcpFlags.Syn) ? 1 : 0);
        return new Moment
        {
            PacketNumber = packetNumber,
            Time = time,
            Sequence = sequence,
            PayloadFrom = payloadFrom,
            PayloadTo = payloadFrom + segment.PayloadLength,
            Acknowledgement = acknowledgement,
            IsProbe = IsProbe(segment, sequence, sender, other),
            IsLate = fromService && IsLate(segment, acknowledgement, payloadFrom, time),
        };
    }

    private static bool IsProbe(in Segment segment, long sequence, Endpoint sender, Endpoint other) => segment.PayloadLength <= 1
        && !segment.Has(TcpFlags.Syn | TcpFlags.Fin | TcpFlags.Rst) && other.AckMax == sequence + 1
        && (segment.PayloadLength == 0 || sender.Sent.End == sequence + 1);

    private bool IsLate(in Segment segment, long acknowledgement, long payloadFrom, long time)
    {
        if (!segment.Has(TcpFlags.Ack))
            return false;
        bool isOlder = acknowledgement < Service.AckMax || (segment.Options.HasTimestamps && Service.TsVal is uint latest
            && unchecked((int)(segment.Options.TsVal - latest)) < 0);
        return isOlder && MayForgive(time) && _history.FitsBetween(segment, acknowledgement,
            Service.Sent.HasUnseenIn(payloadFrom, payloadFrom + segment.PayloadLength));
    }

    private static int? ScaleOf(Endpoint own, Endpoint other) => (own.Syn, other.Syn) switch
    {
        ({ WindowScale: < 0 }, _) or (_, { WindowScale: < 0, IsAnswer: true }) => 0,
        ({ WindowScale: int scale }, { WindowScale: int offered }) => offered < 0 ? 0 : scale,
        ({ WindowScale: int scale, IsAnswer: true }, null) => scale,
        _ => null,
    };
}
