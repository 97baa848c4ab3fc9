namespace Tcpcp.Explorer.Tests;

/// <summary>What must be so in every world, and at every end.</summary>
internal sealed class Properties(Model model)
{
    public Breach Of(World world)
    {
        if (world.Breach != 0)
            return (Breach)world.Breach;
        int emitters = 0;
        int route = model.Route(world).Host;
        for (int host = 0; host < model.Scenario.Hosts; host++)
        {
            if (world.Gate(host) != 0)
                continue;
            SocketState socket = world.Socket(host);
            if (socket == SocketState.Live)
                emitters++;
            if (socket != SocketState.None && world.Position(host) != world.PeerPosition)
                return Breach.Contradiction;
            if (socket == SocketState.None && route == host && world.Ended == 0)
                return Breach.ResetToThePeer;
        }
        return emitters > 1 ? Breach.TwoEmit : Breach.None;
    }

    /// <summary>Whether it is good that nothing can happen any more.</summary>
    public bool IsGoodEnd(World world)
    {
        for (int host = 0; host < model.Scenario.Hosts; host++)
        {
            if (world.Gate(host) != 0 || world.Socket(host) == SocketState.Frozen || model.IsBusy(world, host))
                return false;
        }
        return world.Ended != 0 || world.Socket(world.Owner) == SocketState.Live && model.Route(world).Host == world.Owner;
    }

    public string Describe(World world)
    {
        List<string> lines = [];
        for (int host = 0; host < model.Scenario.Hosts; host++)
        {
            lines.Add($"host {host}: socket {world.Socket(host)} at {world.Position(host)}, gate {world.Gate(host)}, held by agent {world.AgentHolds(host)} "
                + $"and application {world.ApplicationHolds(host)}");
        }
        for (int pass = 0; pass < model.Passes; pass++)
            lines.Add($"pass {pass}: {model.Origins[world.Origin(pass)].State}, {model.Destinations[world.Destination(pass)].State}");
        (int route, ulong number) = model.Route(world);
        lines.Add($"packets go to {route} (#{number}), the peer is at {world.PeerPosition}, owner {world.Owner}{(world.Ended != 0 ? ", ended" : "")}"
            + $"; under way: {Network.Describe(world)}");
        return string.Join('\n', lines.Select(line => "    " + line));
    }
}
