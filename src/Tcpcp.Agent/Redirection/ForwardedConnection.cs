using Tcpcp.Core;

namespace Tcpcp.Agent.Redirection;

/// <summary>A connection whose packets its home sends on to the owner.</summary>
/// <param name="Number">Of this redirection: the home's own, and never that of another one, nor of what its next agent finds.</param>
internal readonly record struct ForwardedConnection(FourTuple Connection, ulong Number);

/// <summary>What a home answers to owners of connections.</summary>
internal interface IForwardingHome
{
    /// <summary>What is forwarded to the one that asks.</summary>
    /// <param name="owner">The name of its certificate.</param>
    /// <param name="named">Of these; empty: of all.</param>
    IReadOnlyList<ForwardedConnection> List(string owner, IReadOnlyCollection<FourTuple> named);

    /// <summary>Ends the forwarding of connections that have ended at their owner.</summary>
    /// <param name="owner">The name of its certificate: what is forwarded to another host is not its business.</param>
    /// <returns>Those that are forwarded still.</returns>
    IReadOnlyList<FourTuple> End(string owner, IReadOnlyCollection<ForwardedConnection> ended);
}

/// <summary>A home as an owner sees it.</summary>
internal interface IHomeAgent
{
    /// <summary>Name of its agent.</summary>
    string HomeName { get; }

    /// <inheritdoc cref="IForwardingHome.List"/>
    /// <exception cref="Link.LinkException">There was no answer.</exception>
    Task<IReadOnlyList<ForwardedConnection>> ListForwardedAsync(IReadOnlyCollection<FourTuple> named, CancellationToken cancellationToken);

    /// <inheritdoc cref="IForwardingHome.End"/>
    /// <exception cref="Link.LinkException">There was no answer.</exception>
    Task<IReadOnlyList<FourTuple>> EndForwardedAsync(IReadOnlyCollection<ForwardedConnection> ended, CancellationToken cancellationToken);
}
