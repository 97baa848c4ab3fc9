namespace Tcpcp.Explorer.Tests;

/// <summary>What a host's kernel and application do by themselves, and what an agent does that belongs to no pass.</summary>
internal sealed class Host(Model model)
{
    public void Expand(Steps steps, int host)
    {
        World from = steps.From;
        bool isClosed = from.Gate(host) != 0;
        if (from.Socket(host) == SocketState.Frozen && from.ApplicationHolds(host) != 0 && from.AgentHolds(host) == 0 && from.MustClose(host) == 0
            && model.IsBusy(from, host))
        {
            World world = steps.Fork();
            steps.Say($"{host}: the application returns its descriptor");
            world.AgentHolds(host) = 1;
            steps.Take();
        }
        if (from.MustClose(host) != 0)
        {
            World world = steps.Fork();
            steps.Say($"{host}: the application closes its descriptor");
            world.MustClose(host) = 0;
            world.ApplicationHolds(host) = 0;
            ForgetWhatItWasTold(world, host);
            Reap(world, host);
            steps.Take();
        }
        if (from.Socket(host) != SocketState.None && !isClosed && from.PeerPosition < model.Scenario.Emissions && from.Position(host) == from.PeerPosition
            && from.Ended == 0 && (from.Socket(host) == SocketState.Live || model.Route(from).Host == host))
        {
            World world = steps.Fork();
            world.PeerPosition++;
            world.Position(host)++;
            steps.Say($"{host}: {from.Socket(host)} socket emits, the peer is at {world.PeerPosition}");
            steps.Take();
        }
        if (isClosed)
            OpenLeftGate(steps, host);
        for (int pass = 0; pass < model.Passes; pass++)
        {
            // The agent has lost its journal; the application remembers.
            if (model.Scenario.OriginOf(pass) == host && from.Told(pass) != 0 && from.OriginJournal(pass) == 0 && !model.IsOpenAtOrigin(from, pass)
                && from.ApplicationHolds(host) != 0 && from.MustClose(host) == 0)
            {
                World world = steps.Fork();
                model.Origin.RecoverFromApplication(world, pass);
                steps.Say($"O{host} pass {pass}: the application says what it was told -> {model.Origins[world.Origin(pass)].State}");
                steps.Take();
            }
        }
    }

    /// <summary>A socket lives as long as somebody holds a descriptor; behind a gate it goes silently.</summary>
    public static void Reap(World world, int host)
    {
        if (world.AgentHolds(host) != 0 || world.ApplicationHolds(host) != 0 || world.Socket(host) == SocketState.None)
            return;
        if (world.Socket(host) == SocketState.Live)
            world.Ended = 1;
        Destroy(world, host);
    }

    public static void Destroy(World world, int host)
    {
        world.Socket(host) = SocketState.None;
        world.Position(host) = 0;
        world.FrozenBy(host) = 0;
        world.CameBy(host) = 0;
        world.MustClose(host) = 0;
        world.AgentHolds(host) = 0;
        world.ApplicationHolds(host) = 0;
    }

    public void OpenGate(World world, int host, int pass)
    {
        if (world.Gate(host) == pass + 1 || !model.Rules.GateBelongsToPass)
            world.Gate(host) = 0;
    }

    /// <summary>The application's memory of passes that it was the origin of.</summary>
    public void ForgetWhatItWasTold(World world, int host)
    {
        for (int pass = 0; pass < model.Passes; pass++)
        {
            if (model.Scenario.OriginOf(pass) == host)
                world.Told(pass) = 0;
        }
    }

    // What an agent does at its start, and looking after its host: gates that belong to no open pass.
    private void OpenLeftGate(Steps steps, int host)
    {
        World from = steps.From;
        bool isReached = model.Route(from).Host == host || Network.HasRedirectTo(from, host);
        string? why = null;
        if (from.Gate(host) == World.ClosedSinceBoot)
        {
            if (from.Ended != 0 || !isReached && !IsAnyOpen(from))
                why = "it has learnt what is open";
        }
        else
        {
            int pass = from.Gate(host) - 1;
            bool isDestination = model.Scenario.DestinationOf(pass) == host;
            bool isOpen = isDestination ? model.IsOpenAtDestination(from, pass) : model.IsOpenAtOrigin(from, pass);
            bool isOpenThere = isDestination ? model.IsOpenAtOrigin(from, pass) || from.Told(pass) != 0 : model.IsOpenAtDestination(from, pass);
            if (isOpen || !isDestination && from.Told(pass) != 0)
                return;
            if (from.Socket(host) == SocketState.None && (from.Ended != 0 || !isReached && !isOpenThere))
                why = "no socket stands behind it, and no packet comes";
            else if (isDestination && from.Socket(host) == SocketState.Live)
                why = "a socket out of repair mode stands behind it, so Accepted was on record";
        }
        if (why is null)
            return;
        World world = steps.Fork();
        world.Gate(host) = 0;
        steps.Say($"{host}: opens a gate that was left: {why}");
        steps.Take();
    }

    private bool IsAnyOpen(World world)
    {
        for (int pass = 0; pass < model.Passes; pass++)
        {
            if (model.IsOpenAtOrigin(world, pass) || model.IsOpenAtDestination(world, pass) || world.Told(pass) != 0)
                return true;
        }
        return false;
    }
}
