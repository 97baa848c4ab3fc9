using Tcpcp.Check.Tests.Wire;

namespace Tcpcp.Check.Tests;

/// <summary>What the capture lacks is not the service's fault, and no verdict either.</summary>
public sealed class HoleTests
{
    [Theory]
    [InlineData(4, true)] // a segment of the service
    [InlineData(5, true)]
    [InlineData(3, false)] // one of the peer
    [InlineData(6, false)]
    public void Acknowledged_bytes_that_were_not_captured_are_a_hole(int missing, bool ofService)
    {
        List<CapturedFrame> frames = [.. Transfer().Frames];
        frames.RemoveAt(missing);
        CaptureReport report = HealthyTests.Judge([.. frames]);
        Assert.Equal(Verdict.Incomplete, report.Verdict);
        Assert.Equal(0, report.Contradictions);
        Assert.Equal(ofService, report.Connections[0].MissingServiceBytes == 100);
        Assert.Equal(!ofService, report.Connections[0].MissingPeerBytes == 50);
        Assert.Single(report.Holes);
    }

    [Fact]
    public void What_the_peer_may_have_sent_in_a_hole_stays_undecided()
    {
        Conversation conversation = Transfer();
        conversation.Add(conversation.Segment(false, 101, 201) with { After = 5 })
            .Add(conversation.Segment(true, 201, 101) with { After = 50, TsEcr = null });
        List<CapturedFrame> frames = [.. conversation.Frames];
        frames.RemoveAt(frames.Count - 2); // the peer's bare acknowledgement, whose TSval is echoed
        Assert.Equal(1, HealthyTests.Judge([.. frames]).Contradictions);
        frames.RemoveAt(3);
        CaptureReport report = HealthyTests.Judge([.. frames]);
        Assert.Equal(0, report.Contradictions);
        Assert.True(report.Connections[0].Undecided > 0);
        Assert.Equal(Verdict.Incomplete, report.Verdict);
    }

    [Fact]
    public void Truncated_payload_is_not_compared()
    {
        Conversation conversation = RuleTests.Established();
        conversation.Add(conversation.Segment(true, 1001, 1001, 1000) with { CutOff = 600 })
            .Add(conversation.Segment(true, 1001, 1001, 1000) with { CutOff = 600 })
            .Add(conversation.Segment(true, 1001, 1001, 1000));
        ConnectionReport connection = conversation.Judge().Connections[0];
        Assert.Empty(connection.Findings);
        Assert.Equal(2, connection.TruncatedSegments);
        Assert.Equal(800, connection.ComparedBytes);
        Assert.Equal(1200, connection.NotComparedBytes);
        Assert.Equal(2000, connection.Service.StreamBytes);
    }

    [Fact]
    public void Difference_in_the_captured_part_of_a_truncated_segment_is_found()
    {
        Conversation conversation = RuleTests.Established();
        conversation.Add(conversation.Segment(true, 1001, 1001, 1000) with { CutOff = 600 })
            .Add(conversation.Segment(true, 1001, 1001) with { Data = new byte[1000] });
        Assert.Equal(ContradictionKind.RetransmissionDiffers, Assert.Single(conversation.Judge().Connections[0].Findings).Kind);
    }

    [Fact]
    public void Bytes_beyond_the_retained_ones_are_counted_as_not_compared()
    {
        Conversation conversation = new Conversation().Handshake();
        for (int i = 0; i < 100; i++)
            conversation.FromService(1 + (i * 1000), 1, 1000).FromPeer(1, 1001 + (i * 1000));
        conversation.FromService(1, 1, 1000).FromService(99_001, 1, 1000);
        ConnectionReport connection = conversation.Judge(options => options.RetainedBytesPerConnection = 32 << 10).Connections[0];
        Assert.Equal(1000, connection.NotComparedBytes);
        Assert.Equal(1000, connection.ComparedBytes);
        ConnectionReport withoutMemory = conversation.Judge(options => options.RetainedBytes = 0).Connections[0];
        Assert.Equal(2000, withoutMemory.NotComparedBytes);
        Assert.Empty(withoutMemory.Findings);
    }

    private static Conversation Transfer() => new Conversation().Handshake().FromPeer(1, 1, 50).FromService(1, 51, 100)
        .FromService(101, 51, 100)
        .FromPeer(51, 201, 50).FromService(201, 101).FromPeer(101, 201);
}
