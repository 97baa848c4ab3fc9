using Tcpcp.Check.Tests.Wire;

namespace Tcpcp.Check.Tests;

public sealed class HandOverTests
{
    [Fact]
    public void Change_of_the_services_MAC_address_is_a_hand_over()
    {
        Conversation conversation = RuleTests.Established();
        conversation.FromPeer(1001, 1001, 100).FromPeer(1001, 1001, 100)
            .Add(conversation.Segment(true, 1001, 1101, 100) with { Mac = 2, After = 40 }).FromPeer(1101, 1101)
            .Add(conversation.Segment(true, 1001, 1101, 100) with { Mac = 2, After = 150 })
            .Add(conversation.Segment(true, 1001, 1101, 100) with { Mac = 2, After = 150 });

        ConnectionReport connection = conversation.Judge().Connections[0];

        HandOver handOver = Assert.Single(connection.HandOvers);
        Assert.Empty(connection.Findings);
        Assert.True(handOver.IsDetected);
        Assert.Equal(("02:00:00:00:00:01", "02:00:00:00:00:02"), (handOver.OldMac, handOver.NewMac));
        Assert.Equal(TimeSpan.FromMilliseconds(43), handOver.Gap);
        Assert.Equal(TimeSpan.FromMilliseconds(151), handOver.ServiceSilence);
        Assert.Equal(TimeSpan.FromMilliseconds(41), handOver.PeerSilence);
        Assert.Equal(1, handOver.PeerRetransmissions);
        Assert.Equal(1, handOver.ServiceRetransmissions); // the second comes 301 ms after it
        Assert.Equal(TimeSpan.FromMilliseconds(151), connection.Service.LongestSilence);
    }

    [Fact]
    public void Silence_is_measured_around_a_hand_over_that_the_caller_names()
    {
        Conversation conversation = RuleTests.Established();
        conversation.Add(conversation.Segment(true, 1001, 1001, 100) with { After = 500 });
        DateTimeOffset begin = conversation.Now;
        conversation.Add(conversation.Segment(true, 1101, 1001, 100) with { After = 30 })
            .Add(conversation.Segment(true, 1201, 1001, 100) with { After = 400 })
                .Add(conversation.Segment(true, 1301, 1001, 100) with { After = 900 });

        ConnectionReport connection = conversation.Judge(options =>
            options.HandOvers = [begin.AddMilliseconds(210), begin.AddSeconds(60)]).Connections[0];

        Assert.Equal([TimeSpan.FromMilliseconds(400), TimeSpan.Zero], connection.HandOvers.Select(handOver => handOver.ServiceSilence));
        Assert.All(connection.HandOvers, handOver => Assert.False(handOver.IsDetected));
        Assert.Equal(TimeSpan.FromMilliseconds(900), connection.Service.LongestSilence);
        Assert.Equal(begin.AddMilliseconds(430), connection.Service.LongestSilenceFrom);
    }
}
