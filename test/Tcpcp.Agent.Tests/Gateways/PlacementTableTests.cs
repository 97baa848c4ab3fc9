using Tcpcp.Core;
using Tcpcp.Linux.Switching;

namespace Tcpcp.Agent.Tests.Gateways;

public class PlacementTableTests
{
    private static readonly string[] s_names = [.. Enumerable.Range(1, 10).Select(number => $"host-{number}")];

    [Fact]
    public void Every_backend_has_about_as_many_slots_as_the_others()
    {
        int[] table = PlacementTable.Make(s_names, GatewaySwitch.Slots);
        Assert.All(Enumerable.Range(0, s_names.Length), backend =>
            Assert.InRange(table.Count(one => one == backend), GatewaySwitch.Slots / s_names.Length, (GatewaySwitch.Slots / s_names.Length) + 1));
    }

    [Fact]
    public void The_order_of_the_configuration_does_not_matter()
    {
        string[] reversed = [.. s_names.Reverse()];
        Assert.Equal(Names(s_names), Names(reversed));
    }

    [Fact]
    public void Where_a_backend_goes_few_slots_of_the_others_change()
    {
        string[] before = Names(s_names);
        string[] after = Names(s_names[1..]);
        int moved = before.Zip(after).Count(pair => pair.First != s_names[0] && pair.First != pair.Second);
        Assert.InRange(moved, 0, GatewaySwitch.Slots / 20);
    }

    [Fact]
    public void Without_backends_no_slot_has_one() => Assert.All(PlacementTable.Make([], 7), one => Assert.Equal(-1, one));

    private static string[] Names(string[] backends) => [.. PlacementTable.Make(backends, GatewaySwitch.Slots).Select(one => backends[one])];
}
