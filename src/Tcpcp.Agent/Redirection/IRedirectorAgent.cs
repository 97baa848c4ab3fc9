using Tcpcp.Core;

namespace Tcpcp.Agent.Redirection;

/// <summary>An order to a third party that moves packets.</summary>
/// <param name="From">The host that had them before.</param>
/// <param name="To">The host that gets them.</param>
/// <param name="Number">Of this redirection.</param>
/// <param name="IsSettled">The pass is over.</param>
internal sealed record RedirectOrder(IReadOnlyList<FourTuple> Connections, OtherHost From, OtherHost To, ulong Number, bool IsSettled = false)
{
    /// <summary>It takes a divert back.</summary>
    public bool IsUndo => Number % 2 != 0; // Core.Passing.PassTerms
}

/// <summary>A connection that lives on a host.</summary>
/// <param name="Number">Of the redirection that brought it there, or back; 0: there was none, or it is not known any more.</param>
internal readonly record struct OwnedConnection(FourTuple Connection, ulong Number);

/// <summary>A third party that moves packets, as the agents of hosts see it.</summary>
internal interface IRedirectorAgent
{
    /// <summary>Name of its agent.</summary>
    string RedirectorName { get; }

    /// <summary>Before anything changes: could it send the packets there?</summary>
    /// <returns>The obstacle, null if there is none; and the highest number that it has obeyed for any of them.</returns>
    /// <exception cref="IOException">There was no answer.</exception>
    Task<(string? Obstacle, ulong LastNumber)> ExamineAsync(IReadOnlyList<FourTuple> connections, OtherHost host, CancellationToken cancellationToken);

    /// <returns>The highest of the numbers that hold now.</returns>
    /// <exception cref="IOException">There was no answer, or it was refused.</exception>
    Task<ulong> RedirectAsync(RedirectOrder order, CancellationToken cancellationToken);
}

/// <summary>What a redirector answers.</summary>
internal interface IRedirectorService
{
    /// <summary>Lost with what it knows of redirections.</summary>
    Guid Incarnation { get; }

    /// <inheritdoc cref="IRedirectorAgent.ExamineAsync"/>
    /// <param name="caller">The name of its certificate.</param>
    (string? Obstacle, ulong LastNumber) Examine(string caller, IReadOnlyList<FourTuple> connections, string host);

    /// <summary>Obeys where the number is higher than the last one.</summary>
    /// <param name="caller">The name of its certificate.</param>
    /// <param name="numbers">One a connection.</param>
    /// <returns>The numbers that hold now.</returns>
    /// <exception cref="UnauthorizedAccessException">That agent may not say so.</exception>
    /// <exception cref="InvalidOperationException">It cannot be done; nothing has changed.</exception>
    IReadOnlyList<ulong> Redirect(string caller, IReadOnlyList<FourTuple> connections, IReadOnlyList<ulong> numbers, string host, bool isSettled);
}

/// <summary>What a host's agent answers to a redirector.</summary>
internal interface IOwnershipService
{
    /// <summary>The connections of this host that come by services.</summary>
    /// <param name="caller">The name of its certificate.</param>
    /// <exception cref="UnauthorizedAccessException">It is none of this host's redirectors.</exception>
    IReadOnlyList<OwnedConnection> List(string caller, IReadOnlyCollection<ServicePorts> services);
}
