using CsCheck;

namespace Tcpcp.Core.Tests.Snapshot;

public class SnapshotValidatorTests
{
    private static readonly ConnectionSnapshot s_good = Examples.Snapshot;

    // One entry breaks one rule of a snapshot that is good otherwise; the text must name it.
    private static readonly Dictionary<string, (ConnectionSnapshot Snapshot, string Fault)> s_faults = new(StringComparer.Ordinal)
    {
        ["no connection"] = (s_good with { Connection = default }, "names no connection"),
        ["local port"] = (s_good with { Connection = Between("192.0.2.1", 0, "192.0.2.9", 1) }, "a port is 0"),
        ["peer port"] = (s_good with { Connection = Between("192.0.2.1", 1, "192.0.2.9", 0) }, "a port is 0"),
        ["mapped IPv6"] = (s_good with { IsV4Mapped = true, Connection = Between("2001:db8::1", 1, "2001:db8::9", 2) }, "v4-mapped"),
        ["local 0.0.0.0"] = (s_good with { Connection = Between("0.0.0.0", 1, "192.0.2.9", 2) }, "0.0.0.0 cannot be the end"),
        ["peer 0.0.0.0"] = (s_good with { Connection = Between("192.0.2.1", 1, "0.0.0.0", 2) }, "0.0.0.0 cannot be the end"),
        ["peer broadcast"] = (s_good with { Connection = Between("192.0.2.1", 1, "255.255.255.255", 2) }, "255.255.255.255 cannot be the end"),
        ["local ::"] = (s_good with { Connection = Between("::", 1, "2001:db8::9", 2) }, ":: cannot be the end"),
        ["peer ::"] = (s_good with { Connection = Between("2001:db8::1", 1, "::", 2) }, ":: cannot be the end"),
        ["local multicast"] = (s_good with { Connection = Between("224.0.0.1", 1, "192.0.2.9", 2) }, "224.0.0.1 is a multicast"),
        ["peer multicast"] = (s_good with { Connection = Between("192.0.2.1", 1, "239.255.255.255", 2) }, "239.255.255.255 is a multicast"),
        ["IPv6 multicast"] = (s_good with { Connection = Between("2001:db8::1", 1, "ff02::1", 2) }, "ff02::1 is a multicast"),
        ["same ends"] = (s_good with { Connection = Between("192.0.2.1", 1, "192.0.2.1", 1) }, "both ends are the same"),

        ["unacknowledged FIN flag"] = (s_good with { FinWritten = true }, "state Established and the own FIN"),
        ["own FIN missing"] = (s_good with { State = TcpState.FinWait1 }, "state FinWait1 and the own FIN"),
        ["peer FIN flag"] = (s_good with { FinReceived = true }, "state Established and the peer's FIN"),
        ["peer FIN missing"] = (s_good with { State = TcpState.CloseWait }, "state CloseWait and the peer's FIN"),
        ["data behind an acknowledged FIN"] = (s_good with { State = TcpState.FinWait2, FinWritten = true }, "state FinWait2 and the send queue"),
        ["write_seq too small"] = (s_good with { WriteSeq = s_good.WriteSeq - 1 }, "the send queue has 3 + 2 bytes, the sequence numbers say 4"),
        ["write_seq without FIN"] = (
            s_good with { State = TcpState.FinWait1, FinWritten = true }, "the send queue has 3 + 2 bytes, the sequence numbers say 4"),
        ["write_seq before SND.UNA"] = (s_good with { WriteSeq = s_good.SndUna - 1 }, "the sequence numbers say -1"),
        ["SND.NXT too small"] = (s_good with { SndNxt = s_good.SndNxt - 1 }, "3 bytes are in flight, the sequence numbers say 2"),
        ["SND.NXT too great"] = (s_good with { SndNxt = s_good.SndNxt + 1 }, "3 bytes are in flight, the sequence numbers say 4"),
        ["FIN sent before data"] = (
            s_good with { State = TcpState.FinWait1, FinWritten = true, WriteSeq = s_good.WriteSeq + 1, SndNxt = s_good.SndNxt + 1 },
            "3 bytes are in flight, the sequence numbers say 4"),

        ["send window"] = (WithWindow(window => window with { SndWnd = 1073725441, MaxWindow = 1073725441 }), "a window is larger"),
        ["largest window"] = (WithWindow(window => window with { MaxWindow = 1073725441 }), "a window is larger"),
        ["receive window"] = (WithWindow(window => window with { RcvWnd = 1073725441 }), "a window is larger"),
        ["window above the largest"] = (WithWindow(window => window with { MaxWindow = 64239 }), "the largest window offered (64239)"),
        ["rcv_wup"] = (WithWindow(window => window with { RcvWup = s_good.RcvNxt + 1 }), "rcv_wup > RCV.NXT"),
        ["right edge"] = (WithWindow(window => window with { RcvWnd = 2 }), "more was received than the window allowed"),

        ["send scale"] = (WithNegotiated(negotiated => negotiated with { SndWscale = 15 }), "window scale is greater than 14"),
        ["receive scale"] = (WithNegotiated(negotiated => negotiated with { RcvWscale = 15 }), "window scale is greater than 14"),
        ["scale without scaling"] = (WithNegotiated(negotiated => negotiated with { WindowScaling = false }), "window scaling is off"),
        ["MSS 0"] = (WithNegotiated(negotiated => negotiated with { MssClamp = 0 }), "the peer's MSS is 0"),
        ["MSS 65536"] = (WithNegotiated(negotiated => negotiated with { MssClamp = 65536 }), "the peer's MSS is 65536"),
        ["send MSS 0"] = (WithNegotiated(negotiated => negotiated with { SendMss = 0 }), "the send MSS is 0"),
        ["send MSS 65536"] = (WithNegotiated(negotiated => negotiated with { SendMss = 65536 }), "the send MSS is 65536"),

        ["keep-alive time"] = (WithOptions(options => options with { KeepAliveTime = TimeSpan.FromSeconds(32768) }), "keep-alive"),
        ["negative keep-alive time"] = (WithOptions(options => options with { KeepAliveTime = TimeSpan.FromSeconds(-1) }), "keep-alive"),
        ["keep-alive interval"] = (WithOptions(options => options with { KeepAliveInterval = TimeSpan.FromSeconds(32768) }), "keep-alive"),
        ["negative keep-alive interval"] = (WithOptions(options => options with { KeepAliveInterval = TimeSpan.FromSeconds(-1) }), "keep-alive"),
        ["keep-alive probes"] = (WithOptions(options => options with { KeepAliveProbes = 128 }), "keep-alive"),
        ["negative keep-alive probes"] = (WithOptions(options => options with { KeepAliveProbes = -1 }), "keep-alive"),
        ["user timeout"] = (WithOptions(options => options with { UserTimeout = TimeSpan.FromMilliseconds(2147483648) }), "user timeout"),
        ["negative user timeout"] = (WithOptions(options => options with { UserTimeout = TimeSpan.FromMilliseconds(-1) }), "user timeout"),
        ["linger"] = (WithOptions(options => options with { Linger = TimeSpan.FromSeconds(2147483648) }), "linger time"),
        ["negative linger"] = (WithOptions(options => options with { Linger = TimeSpan.FromSeconds(-1) }), "linger time"),
        ["TTL 256"] = (WithOptions(options => options with { TimeToLive = 256 }), "time to live is 256"),
        ["negative TTL"] = (WithOptions(options => options with { TimeToLive = -2 }), "time to live is -2"),
        ["send buffer"] = (WithOptions(options => options with { SendBufferBytes = -1 }), "buffer size is negative"),
        ["receive buffer"] = (WithOptions(options => options with { ReceiveBufferBytes = -1 }), "buffer size is negative"),

        ["long algorithm"] = (WithCongestion(congestion => congestion with { Algorithm = new string('a', 16) }), "congestion control algorithm"),
        ["algorithm path"] = (WithCongestion(congestion => congestion with { Algorithm = "../../cubic" }), "congestion control algorithm"),
        ["algorithm with zero"] = (WithCongestion(congestion => congestion with { Algorithm = "cubic\0" }), "congestion control algorithm"),
        ["congestion start"] = (WithCongestion(congestion => congestion with { Start = (CongestionStart)3 }), "start of congestion control"),
    };

    public static TheoryData<string> FaultNames => [.. s_faults.Keys];

    [Fact]
    public void A_possible_snapshot_is_valid() => Generators.Snapshot.Sample(snapshot => Assert.Null(SnapshotValidator.FindFault(snapshot)));

    [Fact]
    public void The_example_is_valid() => Assert.Null(SnapshotValidator.FindFault(s_good));

    [Theory]
    [MemberData(nameof(FaultNames))]
    public void A_fault_is_named(string name)
    {
        (ConnectionSnapshot snapshot, string fault) = s_faults[name];
        Assert.Contains(fault, SnapshotValidator.FindFault(snapshot), StringComparison.Ordinal);
        InvalidSnapshotException refused = Assert.Throws<InvalidSnapshotException>(() => SnapshotValidator.ThrowIfInvalid(snapshot));
        Assert.Contains(fault, refused.Message, StringComparison.Ordinal);
        Assert.Contains(snapshot.Connection.ToString(), refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(TcpState.None)]
    [InlineData(TcpState.SynSent)]
    [InlineData(TcpState.SynReceived)]
    [InlineData(TcpState.TimeWait)]
    [InlineData(TcpState.Closed)]
    [InlineData(TcpState.Listen)]
    [InlineData((TcpState)12)]
    [InlineData((TcpState)(-1))]
    public void A_state_that_cannot_be_passed_is_named(TcpState state) => Assert.Equal(
        $"a connection in state {state} cannot be passed.", SnapshotValidator.FindFault(s_good with { State = state }));

    [Fact]
    public void A_send_queue_above_the_limit_is_named_with_its_size()
    {
        Assert.Null(SnapshotValidator.FindFault(s_good, maxQueueBytes: 5));
        Assert.Equal("the send queue has 5 bytes, the limit is 4.", SnapshotValidator.FindFault(s_good, maxQueueBytes: 4));
    }

    [Fact]
    public void A_receive_queue_above_the_limit_is_named_with_its_size() => Assert.Equal(
        "the receive queue has 6 bytes, the limit is 5.", SnapshotValidator.FindFault(s_good with { Unread = "abcdef"u8.ToArray() }, maxQueueBytes: 5));

    [Fact]
    public void Queues_and_windows_may_lie_across_the_wrap()
    {
        Assert.Null(SnapshotValidator.FindFault(s_good with
        {
            SndUna = new SequenceNumber(uint.MaxValue),
            SndNxt = new SequenceNumber(2),
            WriteSeq = new SequenceNumber(4),
            RcvNxt = new SequenceNumber(1),
            Window = s_good.Window with { RcvWup = new SequenceNumber(uint.MaxValue - 1), RcvWnd = 3 },
        }));
    }

    private static FourTuple Between(string local, int localPort, string peer, int peerPort) => new(
        new System.Net.IPEndPoint(System.Net.IPAddress.Parse(local), localPort), new System.Net.IPEndPoint(System.Net.IPAddress.Parse(peer), peerPort));

    private static ConnectionSnapshot WithWindow(Func<RepairWindow, RepairWindow> change) => s_good with { Window = change(s_good.Window) };

    private static ConnectionSnapshot WithNegotiated(Func<NegotiatedOptions, NegotiatedOptions> change) =>
        s_good with { Negotiated = change(s_good.Negotiated) };

    private static ConnectionSnapshot WithOptions(Func<TcpSocketOptions, TcpSocketOptions> change) => s_good with { Options = change(s_good.Options) };

    private static ConnectionSnapshot WithCongestion(Func<CongestionState, CongestionState> change) =>
        s_good with { Congestion = change(s_good.Congestion) };
}
