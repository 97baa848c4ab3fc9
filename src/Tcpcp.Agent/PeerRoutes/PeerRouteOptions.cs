using System.Net;
using Tcpcp.Agent.Redirection;
using Tcpcp.Core;

namespace Tcpcp.Agent.PeerRoutes;

/// <summary>To which hosts a peer, or its first hop, may route service addresses.</summary>
internal sealed record PeerRouteOptions
{
    public required IReadOnlyList<RoutedHost> Hosts { get; init; }

    /// <summary>Where it is kept what routes there are and by which orders. It must not outlive a boot, as routes do not.</summary>
    public required string StateFile { get; init; }
}

/// <summary>A host that may have service addresses.</summary>
/// <param name="Host">With its addresses as next hops.</param>
/// <param name="Addresses">The service addresses that it may have, and move to another one.</param>
internal sealed record RoutedHost(OtherHost Host, IReadOnlyList<AddressRange> Addresses)
{
    public bool MayHave(IPAddress address) => Addresses.Any(range => range.Contains(address));

    /// <summary>Its next hop of the same family; null: there is none.</summary>
    public IPAddress? NextHopFor(IPAddress address) => Host.Addresses.FirstOrDefault(one => one.AddressFamily == address.AddressFamily);
}
