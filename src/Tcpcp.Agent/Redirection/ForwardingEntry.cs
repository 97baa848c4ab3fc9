using System.Net;
using Tcpcp.Agent.Link;
using Tcpcp.Core;
using Tcpcp.Core.Passing;

namespace Tcpcp.Agent.Redirection;

/// <summary>Where the packets of one connection go.</summary>
/// <param name="Number">Of this redirection: the home's own.</param>
internal sealed record ForwardingEntry(IPAddress NextHop, ulong Number)
{
    // Placed by the home itself, or by an agent before: any owner's order is newer.
    private static readonly RedirectorState.Placed s_own = new(0, new RedirectionTarget(""));

    /// <summary>The last order of an owner.</summary>
    public RedirectorState.Placed Order { get; init; } = s_own;

    /// <summary>Name of the agent that has sent them to a third host, until that one claims them; else empty.</summary>
    public string Mover { get; init; } = "";

    /// <summary>The pass by which it has; null: none.</summary>
    public PassId? Pass { get; init; }

    public bool GoesTo(OtherHost host) => host.Addresses.Contains(NextHop);

    /// <summary>Whether somebody else may take them back.</summary>
    public bool IsContestedBy(OtherHost owner) => Mover.Length > 0 && !CertificateNames.AreSame(Mover, owner.Name);
}
