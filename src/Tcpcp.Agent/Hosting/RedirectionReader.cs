using System.Net;
using Tcpcp.Agent.Gateways;
using Tcpcp.Agent.PeerRoutes;
using Tcpcp.Agent.Policy;
using Tcpcp.Agent.Redirection;
using Tcpcp.Configuration;
using Tcpcp.Core;
using Tcpcp.Linux.Switching;

namespace Tcpcp.Agent.Hosting;

/// <summary>Reads and checks what a configuration says of redirection by third parties.</summary>
internal static class RedirectionReader
{
    private const string Host = "host";

    /// <returns>Null for an agent of another role.</returns>
    /// <exception cref="ConfigurationException">A key's value makes no sense.</exception>
    public static GatewayOptions? ReadGateway(ConfigurationReader reader) => HasRole(reader, AgentConfiguration.Gateway) ? ReadGatewaySection(reader) : null;

    /// <inheritdoc cref="ReadGateway"/>
    public static PeerRouteOptions? ReadPeerRoute(ConfigurationReader reader) => HasRole(reader, AgentConfiguration.PeerRoute) ? new PeerRouteOptions
    {
        Hosts = reader.Names("peer-route:hosts") is { Count: > 0 } names ? [.. names.Select(name => ReadRoutedHost(reader, name))]
            : throw new ConfigurationException("peer-route:hosts", "name the agents of the hosts that may have service addresses."),
        StateFile = Path.Combine(reader.Text("journal", "/run/tcpcp"), "routes.json"),
    } : null;

    /// <exception cref="ConfigurationException">What it says does not fit together.</exception>
    public static void Check(AgentConfiguration configuration)
    {
        if (!configuration.IsHost)
        {
            if (configuration.Destinations.Count > 0)
                throw new ConfigurationException("destinations", "with this role there are no connections that it could pass: name the hosts in gateway:backends, or in peer-route:hosts.");
            return;
        }

        switch (configuration.Redirection)
        {
            case AgentConfiguration.Gateway or AgentConfiguration.PeerRoute when configuration.Redirectors.Count == 0:
                throw new ConfigurationException("redirectors", $"with {configuration.Redirection}, name the agents of all that the service's packets come by.");
            case AgentConfiguration.Hook when configuration.HookCommand.Count == 0:
                throw new ConfigurationException("hook:command", "with hook, name the program that has packets moved, as a list of its path and its arguments.");
            case AgentConfiguration.Hook when HookRedirector.FindFault(configuration.HookCommand[0]) is { } fault:
                throw new ConfigurationException("hook:command", fault);
            case AgentConfiguration.Takeover or AgentConfiguration.Forward or AgentConfiguration.Gateway or AgentConfiguration.PeerRoute or AgentConfiguration.Hook:
                break;
            default:
                throw new ConfigurationException("redirection", $"'{configuration.Redirection}' is none of takeover, forward, gateway, peer-route and hook.");
        }

        if (configuration.Redirectors.Count > 0 && configuration.Redirection is not (AgentConfiguration.Gateway or AgentConfiguration.PeerRoute))
            throw new ConfigurationException("redirectors", $"with {configuration.Redirection} nobody is asked: remove them, or set \"redirection\": \"gateway\" or \"peer-route\".");
        if (configuration.HookCommand.Count > 0 && configuration.Redirection != AgentConfiguration.Hook)
            throw new ConfigurationException("hook:command", $"with {configuration.Redirection} no program is run: remove it, or set \"redirection\": \"hook\".");
    }

    // A section of a role that the agent does not have is a mistake.
    private static bool HasRole(ConfigurationReader reader, string role)
    {
        string own = reader.Text("role", Host);
        if (own is not (Host or AgentConfiguration.Gateway or AgentConfiguration.PeerRoute))
            throw new ConfigurationException("role", $"'{own}' is none of host, gateway and peer-route.");
        return own == role || (reader.Names(role).Count == 0 ? false
            : throw new ConfigurationException(role, $"it is for another role: add \"role\": \"{role}\", or remove it. A host names who moves its packets in redirectors."));
    }

    private static RoutedHost ReadRoutedHost(ConfigurationReader reader, string name)
    {
        string key = $"peer-route:hosts:{name}";
        IPAddress[] nextHops = [.. reader.List($"{key}:next-hops").Select(text => IPAddress.TryParse(text, out IPAddress? one) ? one
            : throw new ConfigurationException($"{key}:next-hops", $"'{text}' is not an address."))];
        if (nextHops.Length == 0 || nextHops.DistinctBy(one => one.AddressFamily).Count() != nextHops.Length)
            throw new ConfigurationException($"{key}:next-hops", "name one address of each family, at least one and at most two.");
        AddressRange[] addresses = [.. reader.List($"{key}:addresses").Select(text => AddressRange.TryParse(text, out AddressRange range) is { } fault
            ? throw new ConfigurationException($"{key}:addresses", fault) : range)];
        return addresses.Length > 0 ? new RoutedHost(new OtherHost(name, nextHops), addresses) : throw new ConfigurationException($"{key}:addresses", "a list is needed.");
    }

    private static GatewayOptions ReadGatewaySection(ConfigurationReader reader)
    {
        GatewayOptions read = new()
        {
            Services = [.. reader.Names("gateway:services").SelectMany(service => ReadService(reader, $"gateway:services:{service}"))],
            Backends = [.. reader.Names("gateway:backends").Select(name => ReadBackend(reader, name))],
            AddsAddresses = reader.Flag("gateway:add-addresses", otherwise: true),
            Capacity = reader.Number("gateway:connections", GatewaySwitch.DefaultCapacity, 1024, 1 << 24),
        };
        if (read.Services.Count == 0)
            throw new ConfigurationException("gateway:services", "name the addresses and ports that it serves.");
        if (read.Backends.Count == 0)
            throw new ConfigurationException("gateway:backends", "name the agents of the hosts that have connections of the services.");
        foreach (IPAddress address in read.Addresses)
        {
            if (read.Backends.FirstOrDefault(backend => backend.Host.Addresses.All(one => one.AddressFamily != address.AddressFamily)) is { } without)
                throw new ConfigurationException($"gateway:backends:{without.Host.Name}:packets", $"name the host's address that packets for {address} are sent to, of the same family.");
        }

        if (read.Backends.SelectMany(backend => backend.Host.Addresses).GroupBy(address => address).FirstOrDefault(same => same.Count() > 1) is { } shared)
            throw new ConfigurationException("gateway:backends", $"two have the address {shared.Key}.");
        return read;
    }

    private static IEnumerable<ServicePorts> ReadService(ConfigurationReader reader, string key)
    {
        IReadOnlyList<string> addresses = reader.List($"{key}:addresses");
        IReadOnlyList<string> ports = reader.List($"{key}:ports");
        if (addresses.Count == 0 || ports.Count == 0)
            throw new ConfigurationException(addresses.Count == 0 ? $"{key}:addresses" : $"{key}:ports", "a list is needed.");
        foreach (string text in addresses)
        {
            if (!IPAddress.TryParse(text, out IPAddress? address) || address.IsIPv4MappedToIPv6)
                throw new ConfigurationException($"{key}:addresses", $"'{text}' is not an address.");
            foreach (string range in ports)
            {
                if (PortRange.TryParse(range, out PortRange parsed) is { } fault)
                    throw new ConfigurationException($"{key}:ports", fault);
                yield return new ServicePorts(address, parsed);
            }
        }
    }

    private static GatewayBackend ReadBackend(ConfigurationReader reader, string name)
    {
        ConfiguredDestination read = AgentConfiguration.ReadDestination(reader, "gateway:backends", name);
        return new GatewayBackend(read.Host, read.Address, reader.Flag($"gateway:backends:{name}:draining", otherwise: false));
    }
}
