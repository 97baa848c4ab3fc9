using Tcpcp.Check.Tests.Wire;

namespace Tcpcp.Check.Tests;

/// <summary>What healthy connections do, and what must not be taken for a contradiction.</summary>
public sealed class HealthyTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Transfer_and_close_both_ways_is_clean(bool isIPv6)
    {
        Conversation conversation = new Conversation(isIPv6).Handshake();
        for (int i = 0; i < 50; i++)
            conversation.FromPeer(1 + (i * 100), 1 + (i * 1000), 100).FromService(1 + (i * 1000), 101 + (i * 100), 1000);
        conversation.FromPeer(5001, 50001).FromService(50001, 5001, 0, "FA").FromPeer(5001, 50002, 0, "FA").FromService(50002, 5002);

        CaptureReport report = conversation.Judge(Strict);

        ConnectionReport connection = Assert.Single(report.Connections);
        Assert.Empty(connection.Findings);
        Assert.Equal(Verdict.Clean, report.Verdict);
        Assert.Equal(50_000, connection.Service.StreamBytes);
        Assert.Equal(5_000, connection.Peer.StreamBytes);
        Assert.True(connection is { HasHandshake: true, IsWindowJudged: true, HasServiceFin: true });
    }

    [Theory]
    [InlineData(uint.MaxValue - 1500, 5u)]
    [InlineData(5u, uint.MaxValue - 700)]
    [InlineData(uint.MaxValue, uint.MaxValue)]
    [InlineData(int.MaxValue - 1000u, int.MaxValue - 300u)]
    public void Sequence_numbers_may_wrap(uint serviceIss, uint peerIss)
    {
        Conversation conversation = new Conversation(serviceIss: serviceIss, peerIss: peerIss).Handshake();
        for (int i = 0; i < 10; i++)
            conversation.FromPeer(1 + (i * 300), 1 + (i * 1000), 300).FromService(1 + (i * 1000), 301 + (i * 300), 1000)
                .FromService(1 + (i * 1000), 301 + (i * 300), 1000);
        conversation.FromPeer(3001, 10001).FromService(10001, 3001, 0, "FA");

        ConnectionReport connection = conversation.Judge(Strict).Connections[0];

        Assert.Empty(connection.Findings);
        Assert.Equal(10_000, connection.Service.StreamBytes);
        Assert.Equal(10_000, connection.Service.RetransmittedBytes);
        Assert.Equal(10_000, connection.ComparedBytes);
    }

    [Fact]
    public void Timestamps_may_wrap()
    {
        Conversation conversation = new Conversation().SetServiceClock(uint.MaxValue - 5).Handshake();
        for (int i = 0; i < 20; i++)
            conversation.FromPeer(1 + (i * 10), 1 + (i * 10), 10).FromService(1 + (i * 10), 11 + (i * 10), 10);
        Assert.Equal(0, conversation.Judge(Strict).Contradictions);
    }

    [Fact]
    public void Loss_and_retransmission_are_figures()
    {
        // 1001 to 2000 is lost before the peer, SACKed around, sent again with more behind it.
        Conversation conversation = new Conversation().Handshake().FromPeer(1, 1, 100).FromService(1, 101, 1000)
            .FromService(2001, 101, 1000)
            .FromPeer(101, 1001);
        conversation.Add(conversation.Segment(false, 101, 1001) with { Sack = [(2001, 3001)] })
            .Add(conversation.Segment(false, 101, 1001) with { Sack = [(2001, 3001)] }).FromService(1001, 101, 1500)
            .Add(conversation.Segment(false, 101, 3001) with { Sack = [(2001, 2501)] });

        CaptureReport report = conversation.Judge(Strict);

        ConnectionReport connection = report.Connections[0];
        Assert.Equal(Verdict.Clean, report.Verdict);
        Assert.Equal(1, connection.Service.RetransmittedSegments);
        Assert.Equal(500, connection.Service.RetransmittedBytes);
        Assert.Equal(500, connection.ComparedBytes);
        Assert.Equal(2, connection.Peer.DuplicateAcks);
        Assert.Equal(1, connection.Peer.DuplicateSacks);
        Assert.Equal(3000, connection.Service.StreamBytes);
    }

    [Fact]
    public void Peers_retransmissions_and_the_services_duplicate_acknowledgements_are_figures()
    {
        Conversation conversation = new Conversation().Handshake().FromPeer(1, 1, 100).FromPeer(101, 1, 100).FromPeer(201, 1, 100)
            .FromService(1, 101);
        conversation.Add(conversation.Segment(true, 1, 101) with { Sack = [(201, 301)] }).FromPeer(101, 1, 100)
            .Add(conversation.Segment(true, 1, 301) with { Sack = [(101, 201)] });

        ConnectionReport connection = conversation.Judge(Strict).Connections[0];

        Assert.Empty(connection.Findings);
        Assert.Equal(1, connection.Peer.RetransmittedSegments);
        Assert.Equal(100, connection.Peer.RetransmittedBytes);
        Assert.Equal(1, connection.Service.DuplicateAcks);
        Assert.Equal(1, connection.Service.DuplicateSacks);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Segment_that_the_path_delivers_late_is_forgiven_unless_the_judgement_is_strict(bool isIPv6)
    {
        Conversation conversation = new Conversation(isIPv6).Handshake().FromPeer(1, 1, 100).FromService(1, 101, 1000)
            .Delay(later => later.FromPeer(101, 1, 100).FromService(1001, 201, 1000).FromService(2001, 201, 1000)).FromPeer(201, 3001);

        CaptureReport report = conversation.Judge();

        Assert.Empty(report.Connections[0].Findings);
        Assert.Equal(1, report.Connections[0].LateSegments);
        Assert.Equal(2, conversation.Judge(Strict).Contradictions); // the acknowledgement and the TSval
    }

    [Fact]
    public void Stale_copy_of_the_socket_is_not_taken_for_a_late_segment()
    {
        // The destination restored an old snapshot: another identification, a clock that goes on, the acknowledgement of before.
        Conversation conversation = new Conversation().Handshake().FromPeer(1, 1, 100).FromService(1, 101).FromPeer(101, 1, 100)
            .FromService(1, 201);
        conversation.Add(conversation.Segment(true, 1, 101) with { Identification = 40_000 });
        Assert.Equal(ContradictionKind.AcknowledgementSteppedBack, Assert.Single(conversation.Judge().Connections[0].Findings).Kind);
    }

    [Fact]
    public void Nothing_is_late_near_a_hand_over()
    {
        Conversation conversation = new Conversation().Handshake().FromPeer(1, 1, 100).FromService(1, 101, 1000)
            .Delay(later => later.FromPeer(101, 1, 100).FromService(1001, 201, 1000));
        DateTimeOffset instant = conversation.Now.AddMilliseconds(100);
        Assert.Equal(2, conversation.Judge(options => options.HandOvers = [instant]).Contradictions);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void Keep_alive_probe_with_or_without_a_garbage_byte_is_no_retransmission(int length)
    {
        Conversation conversation = RuleTests.Established();
        conversation.Add(conversation.Segment(true, 1000, 1001) with { Data = new byte[length], After = 2000 }).FromPeer(1001, 1001)
            .Add(conversation.Segment(true, 1000, 1001) with { Data = new byte[length], After = 2000 }).FromPeer(1001, 1001)
                .FromService(1001, 1001, 10);

        ConnectionReport connection = conversation.Judge(Strict).Connections[0];

        Assert.Empty(connection.Findings);
        Assert.Equal(2, connection.Service.Probes);
        Assert.Equal(0, connection.Service.RetransmittedSegments);
        Assert.Equal(1010, connection.Service.StreamBytes);
    }

    [Fact]
    public void Peers_keep_alive_probes_are_counted_apart()
    {
        Conversation conversation = RuleTests.Established().FromPeer(1000, 1001).FromService(1001, 1001).FromPeer(1000, 1001, 1)
            .FromService(1001, 1001);
        ConnectionReport connection = conversation.Judge(Strict).Connections[0];
        Assert.Empty(connection.Findings);
        Assert.Equal(2, connection.Peer.Probes);
        Assert.Equal(0, connection.Peer.RetransmittedSegments);
    }

    [Fact]
    public void Zero_windows_and_probes_of_both_kinds_are_clean()
    {
        Conversation conversation = RuleTests.Established();
        // The peer closes: Linux probes with an old empty segment, RFC 9293 with one byte beyond the edge, which is data.
        for (int i = 0; i < 4; i++)
            conversation.FromService(1001 + (i * 32_000), 1001, 32_000);
        conversation.Add(conversation.Segment(false, 1001, 129_001) with { Window = 0 })
            .FromService(129_000, 1001).FromService(129_001, 1001, 1).Add(conversation.Segment(false, 1001, 129_001) with { Window = 0 })
            .FromPeer(1001, 129_002).FromService(129_002, 1001, 999).FromPeer(1001, 130_001);
        // The service closes: its right edge stays where it is.
        for (int i = 0; i < 4; i++)
            conversation.FromPeer(1001 + (i * 32_000), 130_001, 32_000);
        conversation.Add(conversation.Segment(true, 130_001, 129_001) with { Window = 0 })
            .FromPeer(129_000, 130_001).Add(conversation.Segment(true, 130_001, 129_001) with { Window = 0 }).FromService(130_001, 129_001);

        ConnectionReport connection = conversation.Judge(Strict).Connections[0];

        Assert.Empty(connection.Findings);
        Assert.Equal(1, connection.Service.Probes);
        Assert.Equal(2, connection.Peer.ZeroWindows);
        Assert.Equal(2, connection.Service.ZeroWindows);
        Assert.Equal(1, connection.Peer.Probes);
    }

    [Fact]
    public void Linux_out_of_receive_memory_closes_the_window_and_is_forgiven_unless_the_judgement_is_strict()
    {
        Conversation conversation = RuleTests.Established().FromPeer(1001, 1001, 500);
        conversation.Add(conversation.Segment(true, 1001, 1001) with { Window = 0 })
            .Add(conversation.Segment(true, 1001, 1001) with { Window = 3 })
            .FromPeer(1001, 1001, 300).Add(conversation.Segment(true, 1001, 1301) with { Window = 3 });
        ConnectionReport connection = conversation.Judge().Connections[0];
        Assert.Empty(connection.Findings);
        Assert.Equal(1, connection.WindowClosures);
        Assert.Equal(1, conversation.Judge(Strict).Contradictions);
    }

    [Fact]
    public void Window_of_the_SYN_is_not_scaled_and_may_be_rounded()
    {
        Conversation conversation = new Conversation { SynWindow = 65_160 }.Handshake().FromPeer(1, 1, 10);
        // 254 bytes to the left, which is more than a unit of 128
        conversation.Add(conversation.Segment(true, 1, 11) with { Window = 507 });
        Assert.Equal(1, conversation.Judge(Strict).Contradictions);
        Conversation rounded = new Conversation { SynWindow = 65_160 }.Handshake().FromPeer(1, 1, 10);
        rounded.Add(rounded.Segment(true, 1, 11) with { Window = 508 });
        Assert.Equal(0, rounded.Judge(Strict).Contradictions);
    }

    [Fact]
    public void Reused_port_is_a_new_connection()
    {
        Conversation first = new Conversation().Handshake().FromService(1, 1, 10).FromPeer(1, 11, 0, "FA").FromService(11, 2, 0, "FA")
            .FromPeer(2, 12);
        Conversation second = new Conversation(serviceIss: 90_000, peerIss: 4_000_000_000).Handshake().FromService(1, 1, 20)
            .FromPeer(1, 21);
        CaptureReport report = Judge([.. first.Frames, .. second.Frames]);
        Assert.Equal([10L, 20L], report.Connections.Select(connection => connection.Service.StreamBytes));
        Assert.Equal(0, report.Contradictions);
    }

    [Fact]
    public void Reused_port_is_a_new_connection_even_where_the_capture_lacks_the_end_of_the_first()
    {
        Conversation first = new Conversation().Handshake().FromService(1, 1, 10);
        Conversation second = new Conversation(serviceIss: 90_000, peerIss: 4_000_000_000).Handshake().FromService(1, 1, 20)
            .FromPeer(1, 21);
        CaptureReport report = Judge([.. first.Frames, .. second.Frames]);
        Assert.Equal(2, report.Connections.Count);
        Assert.True(report.Connections[1].IsWindowJudged);
        Assert.Equal(0, report.Contradictions);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(5)]
    [InlineData(8)]
    [InlineData(13)]
    public void Capture_may_begin_in_the_middle(int missing)
    {
        Conversation conversation = new Conversation().Handshake();
        for (int i = 0; i < 10; i++)
            conversation.FromPeer(1 + (i * 300), 1 + (i * 1000), 300).FromService(1 + (i * 1000), 301 + (i * 300), 1000)
                .FromService(1 + (i * 1000), 301 + (i * 300), 1000);
        conversation.FromPeer(3001, 10001);
        CaptureReport report = Judge([.. conversation.Frames.Skip(missing)]);
        Assert.Equal(Verdict.Clean, report.Verdict);
        Assert.Equal(missing < 2, report.Connections[0].IsWindowJudged);
    }

    [Fact]
    public void Window_is_judged_in_the_middle_when_the_scale_is_given()
    {
        Conversation conversation = RuleTests.Established();
        conversation.Add(conversation.Segment(true, 1001, 1001) with { Window = 900 });
        CaptureReport unknown = Judge([.. conversation.Frames.Skip(3)]);
        CaptureReport given = Judge([.. conversation.Frames.Skip(3)], options => options.ServiceWindowScale = 7);
        Assert.Equal(0, unknown.Contradictions);
        Assert.Equal(ContradictionKind.WindowShrank, Assert.Single(given.Connections[0].Findings).Kind);
    }

    [Fact]
    public void Time_wait_may_answer_with_other_TTL_and_window()
    {
        Conversation conversation = RuleTests.Established().FromService(1001, 1001, 0, "FA").FromPeer(1001, 1002, 0, "FA")
            .FromService(1002, 1002)
            .FromPeer(1001, 1002, 0, "FA");
        conversation.Add(conversation.Segment(true, 1002, 1002) with { Ttl = 255, Tos = 0x20, Window = 500 });
        Assert.Equal(0, conversation.Judge(Strict).Contradictions);
    }

    [Fact]
    public void Restored_socket_may_echo_zero_until_the_peers_next_segment()
    {
        Conversation conversation = RuleTests.Established();
        conversation.Add(conversation.Segment(true, 1001, 1001, 10) with { TsEcr = 0 });
        ConnectionReport connection = conversation.Judge(Strict).Connections[0];
        Assert.Empty(connection.Findings);
        Assert.Equal(1, connection.ZeroTimestampEchoes);
    }

    [Fact]
    public void Flow_label_may_change_and_super_segments_are_figures()
    {
        Conversation conversation = RuleTests.Established(isIPv6: true);
        conversation.Add(conversation.Segment(true, 1001, 1001, 20_000) with { FlowLabel = 99 });
        ConnectionReport connection = conversation.Judge(Strict).Connections[0];
        Assert.Empty(connection.Findings);
        Assert.Equal(1, connection.FlowLabelChanges);
        Assert.Equal(1, connection.Service.OversizeSegments);
    }

    [Fact]
    public void Reset_from_the_peer_is_a_figure()
    {
        ConnectionReport connection = RuleTests.Established().FromPeer(1001, 1001, 0, "R").Judge(Strict).Connections[0];
        Assert.Empty(connection.Findings);
        Assert.Equal(1, connection.Peer.Resets);
    }

    internal static CaptureReport Judge(CapturedFrame[] frames, Action<JudgeOptionsBuilder>? configure = null)
    {
        JudgeOptionsBuilder options = new() { Peer = new Conversation().Peer };
        configure?.Invoke(options);
        using MemoryStream file = new(PcapFile.Write(frames));
        return CaptureJudge.Judge(file, options.Build());
    }

    private static void Strict(JudgeOptionsBuilder options) => options.IsStrict = true;
}
