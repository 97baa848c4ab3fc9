using System.Net;
using Tcpcp.Agent.Redirection;

namespace Tcpcp.Agent.Gateways;

/// <summary>What a gateway serves, and who has the connections.</summary>
internal sealed record GatewayOptions
{
    public required IReadOnlyList<ServicePorts> Services { get; init; }

    public required IReadOnlyList<GatewayBackend> Backends { get; init; }

    /// <summary>Whether the service addresses are added to the interface, once their packets are switched.</summary>
    public bool AddsAddresses { get; init; } = true;

    /// <summary>Entries that there is room for.</summary>
    public int Capacity { get; init; } = Tcpcp.Linux.Switching.GatewaySwitch.DefaultCapacity;

    public IEnumerable<IPAddress> Addresses => Services.Select(service => service.Address).Distinct();

    public bool Serves(IPEndPoint local) => Services.Any(service => service.Contains(local));
}

/// <summary>A host that has connections of services.</summary>
/// <param name="Agent">Where its agent listens.</param>
/// <param name="IsDraining">Nothing that opens goes there.</param>
internal sealed record GatewayBackend(OtherHost Host, IPEndPoint Agent, bool IsDraining = false);
