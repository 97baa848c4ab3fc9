using Tcpcp.Check.Tests.Wire;

namespace Tcpcp.Check.Tests;

/// <summary>For each rule a capture that breaks it, and a good twin that differs only in that.</summary>
public sealed class RuleTests
{
    // Each case: the kind, and what to add after 1000 bytes each way; the flag says whether to break the rule.
    private static readonly Dictionary<string, (ContradictionKind Kind, Action<Conversation,
        bool> Add)> s_cases = new(StringComparer.Ordinal)
    {
        ["an RST"] = (ContradictionKind.Reset, (c, bad) => c.FromService(1001, 1001, 0, bad ? "RA" : "A")),
        ["a FIN before data that was sent"] = (ContradictionKind.UnexpectedFin, (c, bad) => c.FromService(bad ? 901 : 1001, 1001, 0, "FA")),
        ["data beyond a FIN"] = (ContradictionKind.UnexpectedFin,
            (c, bad) => c.FromService(1001, 1001, 0, "FA").FromService(bad ? 1001 : 501, 1001, 500)),
        ["a FIN at another place in its retransmission"] = (ContradictionKind.UnexpectedFin,
            (c, bad) => c.FromService(1001, 1001, 100, "FA").FromService(bad ? 1001 : 1101, 1001, 0, "FA")),
        ["a SYN inside the connection"] = (ContradictionKind.UnexpectedSyn,
            (c, bad) => c.Add(c.Segment(true, bad ? 5000 : 1001, 1001, 0, bad ? "S" : "A"))),
        ["an acknowledgement that steps back"] = (ContradictionKind.AcknowledgementSteppedBack,
            (c, bad) => c.FromService(1001, bad ? 901 : 1001)),
        ["an acknowledgement of unsent data"] = (ContradictionKind.AcknowledgedUnsentData, (c, bad) =>
            c.FromService(1001, bad ? 1002 : 1001)),
        ["a window whose right edge moves left"] = (ContradictionKind.WindowShrank,
            (c, bad) => c.Add(c.Segment(true, 1001, 1001) with { Window = bad ? (ushort)999 : (ushort)1000 })),
        ["a zero window that takes back room"] = (ContradictionKind.WindowShrank,
            (c, bad) => c.Add(c.Segment(true, 1001, 1001) with { Window = bad ? (ushort)0 : (ushort)1000 })),
        ["data beyond the peer's window"] = (ContradictionKind.SentBeyondWindow,
            (c, bad) => c.Add(c.Segment(false, 1001, 1001) with { Window = 1000 }).FromService(1001 + 127_000, 1001, bad ? 1100 : 1000)),
        ["a retransmission that differs"] = (ContradictionKind.RetransmissionDiffers,
            (c, bad) => c.Add(c.Segment(true, 501, 1001, 500) with { Data = bad ? new byte[500] : Conversation.Bytes(501, 500) })),
        ["a retransmission that differs in its last byte"] = (ContradictionKind.RetransmissionDiffers,
            (c, bad) => c.Add(c.Segment(true, 901, 1001) with { Data = [.. Conversation.Bytes(901, 99), bad
                ? (byte)~Conversation.Bytes(1000, 1)[0] : Conversation.Bytes(1000, 1)[0]] })),
        ["a TSval that steps back"] = (ContradictionKind.TimestampSteppedBack,
            (c, bad) => c.Add(c.Segment(true, 1001, 1001, 10) with { TsVal = c.ServiceClock - (bad ? 9u : 0u) })),
        ["a TSecr that the peer never sent"] = (ContradictionKind.EchoedUnsentTimestamp,
            (c, bad) => c.FromPeer(1001, 1001).Add(c.Segment(true, 1001, 1001) with { TsEcr = bad ? 91_000 : 90_003u })),
        ["a segment without timestamps"] = (ContradictionKind.OptionsChanged,
            (c, bad) => c.Add(c.Segment(true, 1001, 1001, 10) with { HasTimestamps = !bad })),
        ["an MSS option without SYN"] = (ContradictionKind.OptionsChanged, (c, bad) =>
            c.Add(c.Segment(true, 1001, 1001) with { Mss = bad ? 1460 : 0 })),
        ["a window scale option without SYN"] = (ContradictionKind.OptionsChanged,
            (c, bad) => c.Add(c.Segment(true, 1001, 1001) with { WindowScale = bad ? 7 : -1 })),
        ["a SACK-permitted option without SYN"] = (ContradictionKind.OptionsChanged,
            (c, bad) => c.Add(c.Segment(true, 1001, 1001) with { SackPermitted = bad })),
        ["a SACK block beyond what the peer sent"] = (ContradictionKind.SackOfUnsentData,
            (c, bad) => c.FromPeer(2001, 1001, 500).FromPeer(1001, 1001, 1000)
                .Add(c.Segment(true, 1001, 1001) with { Sack = [(2001, bad ? 2502 : 2501)] })),
        ["a reversed SACK block"] = (ContradictionKind.SackOfUnsentData,
            (c, bad) => c.Add(c.Segment(true, 1001, 1001) with { Sack = [bad ? (900, 800) : (800, 900)] })),
        ["another TTL"] = (ContradictionKind.TtlChanged, (c, bad) =>
            c.Add(c.Segment(true, 1001, 1001, 1) with { Ttl = bad ? (byte)63 : (byte)64 })),
        ["another DSCP"] = (ContradictionKind.DscpChanged, (c, bad) =>
            c.Add(c.Segment(true, 1001, 1001, 1) with { Tos = bad ? (byte)0x10 : (byte)3 })),
    };

    public static TheoryData<string, bool> Cases()
    {
        TheoryData<string, bool> data = [];
        foreach (string name in s_cases.Keys)
        {
            data.Add(name, false);
            data.Add(name, true);
        }
        return data;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Contradiction_is_found(string name, bool isIPv6)
    {
        (ContradictionKind kind, Action<Conversation, bool> add) = s_cases[name];
        Conversation conversation = Established(isIPv6);
        add(conversation, true);

        CaptureReport report = conversation.Judge();

        Contradiction finding = Assert.Single(Assert.Single(report.Connections).Findings);
        Assert.Equal(kind, finding.Kind);
        Assert.Equal(conversation.Frames.Count, finding.PacketNumber);
        Assert.Equal(conversation.Now, finding.Time);
        Assert.Equal(Verdict.Contradictory, report.Verdict);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Good_twin_has_none(string name, bool isIPv6)
    {
        Conversation conversation = Established(isIPv6);
        s_cases[name].Add(conversation, false);

        CaptureReport report = conversation.Judge(options => options.IsStrict = true);

        Assert.Empty(Assert.Single(report.Connections).Findings);
        Assert.Equal(0, report.Contradictions);
    }

    [Fact]
    public void Every_kind_has_a_case() =>
        Assert.Equal(Enum.GetValues<ContradictionKind>().Order(), s_cases.Values.Select(item => item.Kind).Distinct().Order());

    [Fact]
    public void Sack_blocks_need_a_handshake_that_permitted_them()
    {
        Conversation conversation = new Conversation { HasSack = false }.Handshake().FromPeer(101, 1, 100).FromPeer(1, 1, 50);
        conversation.Add(conversation.Segment(true, 1, 51) with { Sack = [(101, 201)] });
        Assert.Equal(ContradictionKind.OptionsChanged, Assert.Single(conversation.Judge().Connections[0].Findings).Kind);
    }

    [Fact]
    public void Timestamps_need_a_handshake_that_negotiated_them()
    {
        Conversation conversation = new Conversation { HasTimestamps = false }.Handshake().FromPeer(1, 1, 50);
        conversation.Add(conversation.Segment(true, 1, 51) with { HasTimestamps = true });
        Assert.Equal(ContradictionKind.OptionsChanged, Assert.Single(conversation.Judge().Connections[0].Findings).Kind);
    }

    [Theory]
    [InlineData(1000, 0)]
    [InlineData(1001, 1)]
    public void Expected_length_decides_about_the_FIN(long expected, int contradictions)
    {
        Conversation conversation = Established().FromService(1001, 1001, 0, "FA").FromService(1001, 1001, 0, "FA");
        Assert.Equal(contradictions, conversation.Judge(options => options.ExpectedBytes = expected).Connections[0].UnexpectedFins);
    }

    [Fact]
    public void DSCP_may_change_where_the_application_does_it()
    {
        Conversation conversation = Established();
        conversation.Add(conversation.Segment(true, 1001, 1001, 1) with { Tos = 0x10 });
        Assert.Equal(0, conversation.Judge(options => options.DscpMayChange = true).Contradictions);
    }

    [Fact]
    public void Acknowledgement_of_unsent_data_stays_one_when_the_peer_sends_that_data_later()
    {
        Conversation conversation = Established().FromService(1001, 1101).FromPeer(1001, 1001, 100);
        Assert.Equal(ContradictionKind.AcknowledgedUnsentData, Assert.Single(conversation.Judge().Connections[0].Findings).Kind);
    }

    [Fact]
    public void Findings_are_limited_and_the_count_is_not()
    {
        Conversation conversation = Established();
        for (int i = 0; i < 20; i++)
            conversation.FromService(1001, 1001, 0, "RA");
        CaptureReport report = conversation.Judge(options => options.MaxFindings = 5);
        Assert.Equal(5, report.Connections[0].Findings.Count);
        Assert.Equal(20, report.Contradictions);
        Assert.Equal(20, report.Connections[0].ServiceResets);
    }

    internal static Conversation Established(bool isIPv6 = false) =>
        new Conversation(isIPv6).Handshake().FromPeer(1, 1, 1000).FromService(1, 1001, 1000).FromPeer(1001, 1001);
}
