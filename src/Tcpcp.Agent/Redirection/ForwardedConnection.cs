using System.Net;
using Tcpcp.Core;
using Tcpcp.Core.Passing;

namespace Tcpcp.Agent.Redirection;

/// <summary>A connection whose packets its home sends on to the owner.</summary>
/// <param name="Number">Of this redirection: the home's own, and never that of another one, nor of what its next agent finds.</param>
/// <param name="IsContested">The origin of the pass that has brought it to its owner may still take it back.</param>
internal readonly record struct ForwardedConnection(FourTuple Connection, ulong Number, bool IsContested = false)
{
    /// <summary>It is not forwarded to the one that asks: by this pass that one has sent it on to a third host, and may take it back. Null: it is.</summary>
    public PassId? MovedBy { get; init; }
}

/// <summary>What sends the packets of connections on to their owners, a home or a gateway, answers to the owners.</summary>
internal interface IPacketHome
{
    /// <summary>What is forwarded to the one that asks.</summary>
    /// <param name="owner">The name of its certificate.</param>
    /// <param name="named">Of these; empty: of all, and what it has sent on and may take back.</param>
    IReadOnlyList<ForwardedConnection> List(string owner, IReadOnlyCollection<FourTuple> named);

    /// <summary>Ends the forwarding of connections that have ended at their owner.</summary>
    /// <param name="owner">The name of its certificate: what is forwarded to another host is not its business.</param>
    /// <returns>Those that are forwarded still.</returns>
    IReadOnlyList<FourTuple> End(string owner, IReadOnlyCollection<ForwardedConnection> ended);
}

/// <summary>What a home answers to owners and other homes besides.</summary>
internal interface IForwardingHome : IPacketHome
{
    /// <summary>Sends packets on to another host than before.</summary>
    /// <param name="owner">The name of its certificate: only for what is forwarded to it, or was until it ordered otherwise.</param>
    RepointAnswer Repoint(string owner, RepointOrder order);

    /// <summary>The connections are the owner's: who has sent them there has no say any more.</summary>
    /// <param name="owner">The name of its certificate.</param>
    void Claim(string owner, IReadOnlyCollection<FourTuple> connections);

    /// <summary>Takes the address of connections whose packets are forwarded to here.</summary>
    /// <param name="home">The name of the certificate of the one that has it.</param>
    /// <param name="staying">Connections of the address that stay at the other one: their packets are forwarded there from now on.</param>
    /// <param name="isQuestion">Only: would it be done?</param>
    /// <returns>Null if it was done, or would be; else why not.</returns>
    string? TakeAddress(string home, IPAddress address, AddressPorts ports, IReadOnlyCollection<FourTuple> staying, bool isQuestion);
}

/// <summary>Local ports of an address that moves.</summary>
/// <param name="Listened">At which new connections are taken: somebody must listen at them where it goes.</param>
/// <param name="Opened">Of connections that were opened from it.</param>
internal sealed record AddressPorts(IReadOnlyList<int> Listened, IReadOnlyList<int> Opened);

/// <summary>A home as an owner sees it.</summary>
internal interface IHomeAgent
{
    /// <summary>Name of its agent.</summary>
    string HomeName { get; }

    /// <inheritdoc cref="IPacketHome.List"/>
    /// <exception cref="Link.LinkException">There was no answer.</exception>
    Task<IReadOnlyList<ForwardedConnection>> ListForwardedAsync(IReadOnlyCollection<FourTuple> named, CancellationToken cancellationToken);

    /// <inheritdoc cref="IPacketHome.End"/>
    /// <exception cref="Link.LinkException">There was no answer.</exception>
    Task<IReadOnlyList<FourTuple>> EndForwardedAsync(IReadOnlyCollection<ForwardedConnection> ended, CancellationToken cancellationToken);

    /// <inheritdoc cref="IForwardingHome.Repoint"/>
    /// <exception cref="Link.LinkException">There was no answer.</exception>
    Task<RepointAnswer> RepointAsync(RepointOrder order, CancellationToken cancellationToken);

    /// <inheritdoc cref="IForwardingHome.Claim"/>
    /// <exception cref="Link.LinkException">There was no answer.</exception>
    Task ClaimForwardedAsync(IReadOnlyCollection<FourTuple> connections, CancellationToken cancellationToken);
}
