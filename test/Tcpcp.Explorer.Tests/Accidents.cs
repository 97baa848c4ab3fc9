namespace Tcpcp.Explorer.Tests;

/// <summary>The faults of hosts, agents and applications. Each may happen in any world as long as the scenario allows one more.</summary>
internal sealed class Accidents(Model model)
{
    public bool Allows(World world, Fault kind)
    {
        if ((model.Scenario.Kinds & kind) == Fault.None)
            return false;
        int all = 0;
        for (int faults = world.Faults; faults != 0; faults >>= 2)
            all += faults & 3;
        int ofKind = world.Faults >> 2 * System.Numerics.BitOperations.TrailingZeroCount((uint)kind) & 3;
        return all < model.Scenario.Faults && ofKind < model.Scenario.OfAKind;
    }

    public bool AllowsAny(World world)
    {
        int all = 0;
        for (int faults = world.Faults; faults != 0; faults >>= 2)
            all += faults & 3;
        return all < model.Scenario.Faults;
    }

    public void Expand(Steps steps)
    {
        World from = steps.From;
        for (int host = 0; host < model.Scenario.Hosts; host++)
        {
            if (Allows(from, Fault.AgentKilled))
            {
                Kill(steps.Fork(), host);
                steps.Say($"{host}: the agent is killed and starts again");
                steps.TakeFault(Fault.AgentKilled);
            }
            if (Allows(from, Fault.HostReboots))
            {
                Reboot(steps.Fork(), host);
                steps.Say($"{host}: the host reboots");
                steps.TakeFault(Fault.HostReboots);
            }
            if (Allows(from, Fault.JournalLost))
            {
                LoseJournal(steps.Fork(), host);
                steps.Say($"{host}: the agent starts again, its journal is lost");
                steps.TakeFault(Fault.JournalLost);
            }
            if (from.ApplicationLives(host) != 0 && Allows(from, Fault.ApplicationDies))
            {
                World world = steps.Fork();
                world.ApplicationLives(host) = 0;
                world.ApplicationHolds(host) = 0;
                world.MustClose(host) = 0;
                model.Host.ForgetWhatItWasTold(world, host);
                Host.Reap(world, host);
                EndIfForgotten(world, host);
                steps.Say($"{host}: the application dies");
                steps.TakeFault(Fault.ApplicationDies);
            }
        }
        if (!Allows(from, Fault.OperatorAbandons))
            return;
        for (int pass = 0; pass < model.Passes; pass++)
        {
            if (model.Origins[from.Origin(pass)] is { IsIdle: true, State: Core.Passing.OriginState.InDoubt })
            {
                model.Origin.Abandon(steps.Fork(), pass, steps);
                steps.TakeFault(Fault.OperatorAbandons);
            }
        }
    }

    private void Kill(World world, int host)
    {
        world.AgentHolds(host) = 0;
        for (int pass = 0; pass < model.Passes; pass++)
        {
            if (model.Scenario.OriginOf(pass) == host)
                model.Origin.Recover(world, pass);
            if (model.Scenario.DestinationOf(pass) == host)
                model.Destination.Recover(world, pass);
        }
        Host.Reap(world, host);
        EndIfForgotten(world, host);
    }

    // The owner has no socket, and nothing that would make it again.
    private void EndIfForgotten(World world, int host)
    {
        if (world.Owner == host && world.Socket(host) == SocketState.None && !model.IsBusy(world, host))
            world.Ended = 1;
    }

    private void Reboot(World world, int host)
    {
        if (world.Owner == host)
            world.Ended = 1;
        Host.Destroy(world, host);
        world.Epoch(host) = 0;
        world.Gate(host) = model.Rules.QuietAfterBoot && world.Ended == 0 ? World.ClosedSinceBoot : (byte)0;
        model.Host.ForgetWhatItWasTold(world, host);
        ForgetPasses(world, host);
    }

    private void LoseJournal(World world, int host)
    {
        world.AgentHolds(host) = 0;
        for (int pass = 0; pass < model.Passes; pass++)
        {
            // Nobody knows what a dormant copy is without its record: the application is told to close it.
            if (model.Scenario.DestinationOf(pass) != host || world.Socket(host) != SocketState.Frozen || world.FrozenBy(host) != pass + 1)
                continue;
            world.MustClose(host) = world.ApplicationHolds(host);
            if (world.Owner == host)
                world.Ended = 1;
        }
        Host.Reap(world, host);
        ForgetPasses(world, host);
        EndIfForgotten(world, host);
    }

    private void ForgetPasses(World world, int host)
    {
        world.Incarnation(host)++;
        world.Tickets(host) = 0;
        for (int pass = 0; pass < model.Passes; pass++)
        {
            if (model.Scenario.OriginOf(pass) == host)
            {
                world.OriginJournal(pass) = 0;
                model.Origin.Recover(world, pass);
            }
            if (model.Scenario.DestinationOf(pass) == host)
            {
                world.DestinationJournal(pass) = 0;
                world.Recorded(pass) = 0;
                model.Destination.Recover(world, pass);
            }
        }
    }
}
