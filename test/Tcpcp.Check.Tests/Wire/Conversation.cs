using System.Net;

namespace Tcpcp.Check.Tests.Wire;

/// <summary>Builds both ends' segments of one connection, with clocks and counters that go on as in a healthy kernel.</summary>
internal sealed class Conversation(bool isIPv6 = false, uint serviceIss = 1_000_000, uint peerIss = 7_000_000)
{
    private static readonly DateTimeOffset s_begin = DateTimeOffset.FromUnixTimeSeconds(1_764_000_000);

    private readonly List<CapturedFrame> _frames = [];
    private double _now;
    private uint _serviceTs = 500_000;
    private uint _peerTs = 90_000;
    private uint _serviceSent;
    private uint _peerSent;
    private ushort _serviceId = 100;
    private ushort _peerId = 200;

    public IPAddress Service { get; init; } = IPAddress.Parse(isIPv6 ? "2001:db8::1" : "192.0.2.1");
    public IPAddress Peer { get; init; } = IPAddress.Parse(isIPv6 ? "2001:db8::9" : "192.0.2.9");
    public ushort ServicePort { get; init; } = 80;
    public ushort PeerPort { get; init; } = 51514;
    public bool HasTimestamps { get; init; } = true;
    public bool HasSack { get; init; } = true;
    public int WindowScale { get; init; } = 7;
    public ushort SynWindow { get; init; } = 64000;

    public IReadOnlyList<CapturedFrame> Frames => _frames;

    public uint ServiceClock => _serviceTs;

    public DateTimeOffset Now => s_begin.AddTicks((long)(_now * TimeSpan.TicksPerMillisecond));

    /// <summary>The byte that stands at an offset of every stream.</summary>
    public static byte[] Bytes(long offset, int length)
    {
        byte[] bytes = new byte[length];
        for (int i = 0; i < length; i++)
            bytes[i] = (byte)(((offset + i) * 167) >> 3);
        return bytes;
    }

    public Conversation Handshake()
    {
        TestSegment syn = new()
        {
            Flags = "S", Mss = 1460, WindowScale = WindowScale, SackPermitted = HasSack, HasTimestamps = HasTimestamps, Window = SynWindow,
        };
        return Add(syn with { FromService = false, TsEcr = 0 }).Add(syn with { Flags = "SA", Ack = 1 }).FromPeer(1, 1);
    }

    public Conversation FromService(long seq, long ack, int length = 0, string flags = "A") => Add(Segment(true, seq, ack, length, flags));

    public Conversation FromPeer(long seq, long ack, int length = 0, string flags = "A") => Add(Segment(false, seq, ack, length, flags));

    public TestSegment Segment(bool fromService, long seq, long ack, int length = 0, string flags = "A") => new()
    {
        FromService = fromService, Seq = seq, Ack = ack, Data = Bytes(seq, length), Flags = flags, HasTimestamps = HasTimestamps,
    };

    public Conversation Add(TestSegment segment)
    {
        _now += segment.After;
        uint elapsed = (uint)Math.Ceiling(segment.After);
        _serviceTs = unchecked(_serviceTs + elapsed);
        _peerTs = unchecked(_peerTs + elapsed);
        bool fromService = segment.FromService;
        bool hasAck = segment.Flags.Contains('A', StringComparison.Ordinal);
        uint tsVal = segment.TsVal ?? (fromService ? _serviceTs : _peerTs);
        (_serviceSent, _peerSent) = fromService ? (tsVal, _peerSent) : (_serviceSent, tsVal);
        ResolvedSegment resolved = new(segment,
            unchecked((fromService ? serviceIss : peerIss) + (uint)segment.Seq),
            hasAck ? Absolute(!fromService, segment.Ack) : 0,
            tsVal,
            segment.TsEcr ?? (hasAck ? (fromService ? _peerSent : _serviceSent) : 0),
            [.. segment.Sack.Select(block => (Absolute(!fromService, block.Left), Absolute(!fromService, block.Right)))],
            segment.Identification ?? (fromService ? _serviceId++ : _peerId++));
        byte[] frame = FrameBuilder.Ethernet(this, resolved);
        _frames.Add(new CapturedFrame(Now, frame[..^segment.CutOff], frame.Length));
        return this;
    }

    /// <summary>The last segment arrives only after the ones that follow now.</summary>
    public Conversation Delay(Action<Conversation> overtaking)
    {
        CapturedFrame late = _frames[^1];
        _frames.RemoveAt(_frames.Count - 1);
        overtaking(this);
        _frames.Add(late with { Time = Now });
        return this;
    }

    public Conversation SetServiceClock(uint value)
    {
        _serviceTs = value;
        return this;
    }

    public CaptureReport Judge(Action<JudgeOptionsBuilder>? configure = null)
    {
        JudgeOptionsBuilder options = new() { Peer = Peer };
        configure?.Invoke(options);
        using MemoryStream file = new(PcapFile.Write(_frames));
        return CaptureJudge.Judge(file, options.Build());
    }

    private uint Absolute(bool ofService, long relative) => unchecked((ofService ? serviceIss : peerIss) + (uint)relative);
}

internal sealed record CapturedFrame(DateTimeOffset Time, byte[] Data, int OriginalLength);

internal sealed record ResolvedSegment(TestSegment Segment, uint Sequence, uint Acknowledgement, uint TsVal, uint TsEcr,
    (uint Left, uint Right)[] Sack, ushort Identification);

internal sealed class JudgeOptionsBuilder
{
    public required IPAddress Peer { get; set; }
    public int? PeerPort { get; set; }
    public long? ExpectedBytes { get; set; }
    public DateTimeOffset[] HandOvers { get; set; } = [];
    public int? ServiceWindowScale { get; set; }
    public bool IsStrict { get; set; }
    public bool DscpMayChange { get; set; }
    public int RetainedBytesPerConnection { get; set; } = 64 << 20;
    public long RetainedBytes { get; set; } = 1 << 30;
    public int MaxFindings { get; set; } = 100;

    public JudgeOptions Build() => new()
    {
        Peer = Peer, PeerPort = PeerPort, ExpectedBytes = ExpectedBytes, HandOvers = HandOvers, ServiceWindowScale = ServiceWindowScale,
        IsStrict = IsStrict, DscpMayChange = DscpMayChange, RetainedBytesPerConnection = RetainedBytesPerConnection,
        RetainedBytes = RetainedBytes, MaxFindings = MaxFindings,
    };
}
