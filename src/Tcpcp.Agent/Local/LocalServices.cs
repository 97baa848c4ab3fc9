using Tcpcp.Agent.Passing;
using Tcpcp.Core;

namespace Tcpcp.Agent.Local;

/// <summary>What the programs of this host get from the agent.</summary>
internal sealed record LocalServices
{
    /// <summary>Name of this agent.</summary>
    public required string Host { get; init; }

    /// <summary>Version of the agent's program.</summary>
    public required string Version { get; init; }

    /// <summary>Identity of the journal.</summary>
    public required Guid Incarnation { get; init; }

    /// <summary>Names of the agents that connections can be passed to.</summary>
    public required Func<IReadOnlyList<string>> Destinations { get; init; }

    /// <summary>Adds an application that takes connections; false if the name is taken.</summary>
    public required Func<IPassReceiver, bool> TryRegister { get; init; }

    /// <summary>Its name is free again.</summary>
    public required Action<IPassReceiver> Unregister { get; init; }

    /// <summary>Passes connections to the agent of that name. A name that is not known is a result, no exception.</summary>
    public required Func<PassRequest, string, CancellationToken, Task<PassResult>> PassAsync { get; init; }

    public required ILocalOperations Operations { get; init; }

    public required IKnownPasses KnownPasses { get; init; }
}
