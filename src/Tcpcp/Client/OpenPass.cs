using Tcpcp.Core;

namespace Tcpcp.Client;

/// <summary>The side of a pass that a host has.</summary>
public enum HostRole
{
    /// <summary>It had the connections.</summary>
    Origin,

    /// <summary>It gets them.</summary>
    Destination,
}

/// <summary>A pass that an agent has not forgotten yet.</summary>
/// <param name="Pass">Its name.</param>
/// <param name="Role">This host's side.</param>
/// <param name="State">A state of the tables in docs/architecture.md.</param>
/// <param name="Connections">Its connections.</param>
/// <param name="Application">Name of the application at the destination.</param>
/// <param name="OtherHost">Name of the other host's agent.</param>
/// <param name="Age">Time since it began.</param>
/// <param name="KernelTimeLeft">Time until the kernel's own timers end the frozen sockets; null if that is not known.</param>
/// <param name="Detail">One sentence for a person; may be empty.</param>
public sealed record OpenPass(PassId Pass, HostRole Role, string State, IReadOnlyList<FourTuple> Connections, string Application, string OtherHost,
    TimeSpan Age, TimeSpan? KernelTimeLeft, string Detail);

/// <summary>What an operator does about a pass in doubt.</summary>
public enum SettleWay
{
    /// <summary>Asks the destination again, now.</summary>
    AskAgain,

    /// <summary>Gives the connections up: the copies are closed silently, and never thawed.</summary>
    Abandon,

    /// <summary>The operator vouches that the destination is dead and stays so: the connections go on here. If that is wrong, they have two owners.</summary>
    DestinationIsDead,
}
