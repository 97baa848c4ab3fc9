using System.Net.Sockets;

namespace Tcpcp.Tests;

/// <summary>Ten periods of nothing; see <see cref="SilenceScenarios"/>.</summary>
public sealed class SilenceTests(SilenceScenarios scenarios) : IClassFixture<SilenceScenarios>
{
    [Fact]
    public async Task A_frozen_connection_with_keep_alive_is_silent_for_ten_periods_and_then_goes_on()
    {
        await scenarios.EndAsync();
        Assert.Empty(scenarios.FrozenWithKeepAlive.Tap.FromService);
        scenarios.FrozenWithKeepAlive.Frozen.Thaw();
        await scenarios.FrozenWithKeepAlive.Pair.ExchangeAsync();
    }

    [Fact]
    public async Task A_frozen_connection_with_data_in_flight_is_silent_for_ten_retransmission_times_and_then_goes_on()
    {
        await scenarios.EndAsync();
        (LivePair pair, Wiretap tap) = (scenarios.FrozenWithDataInFlight.Pair, scenarios.FrozenWithDataInFlight.Tap);
        Assert.Empty(tap.FromService);
        Assert.InRange(SocketState.Backoff(pair.Service.Socket), 2, 100); // the timer has fired
        scenarios.FrozenWithDataInFlight.Frozen.Thaw();
        await pair.ExchangeAsync();
    }

    [Fact]
    public async Task A_frozen_connection_whose_peer_has_closed_its_window_sends_no_probe_and_then_goes_on()
    {
        await scenarios.EndAsync();
        Assert.Empty(scenarios.FrozenWithClosedWindow.Tap.FromService);
        scenarios.FrozenWithClosedWindow.Frozen.Thaw();
        await scenarios.FrozenWithClosedWindow.Pair.ExchangeAsync();
    }

    [Fact]
    public async Task A_dormant_connection_with_data_in_flight_is_silent_for_ten_periods_and_then_goes_on()
    {
        await scenarios.EndAsync();
        Assert.Empty(scenarios.DormantWithDataInFlight.Tap.FromService);
        scenarios.DormantWithDataInFlight.Pair.Activate(scenarios.DormantWithDataInFlight.Dormant);
        await scenarios.DormantWithDataInFlight.Pair.ExchangeAsync();
    }

    [Fact]
    public async Task A_released_connection_answers_nothing_however_often_the_peer_sends()
    {
        await scenarios.EndAsync();
        Assert.True(scenarios.Released.Tap.PeerRetransmitted);
        Assert.Empty(scenarios.Released.Tap.FromService);
    }

    [Fact]
    public async Task Repair_mode_alone_does_not_stop_keep_alive_probes() =>
        await Until.True(() => scenarios.InRepairModeWithKeepAlive.Tap.FromService.Count > 0);

    [Fact]
    public async Task Repair_mode_alone_does_not_stop_retransmissions() =>
        await Until.True(() => scenarios.InRepairModeWithDataInFlight.Tap.FromService.Any(segment => segment.Length > 0));

    [Fact]
    public async Task Repair_mode_alone_does_not_stop_acknowledgements()
    {
        LivePair pair = scenarios.InRepairModeWithDataInFlight.Pair;
        pair.Peer.Socket.Send(new byte[1], SocketFlags.None);
        Core.SequenceNumber end = scenarios.InRepairModeWithDataInFlight.Tap.FromPeer[^1].End;
        await Until.True(() => scenarios.InRepairModeWithDataInFlight.Tap.FromService.Any(segment => segment.Acknowledgement == end));
    }
}
