using System.Net;
using System.Net.Sockets;
using Tcpcp.Agent.Hosting;
using Tcpcp.Linux;
using Tcpcp.Linux.Features;
using Tcpcp.Linux.Netlink;

namespace Tcpcp.Cli.Agents;

/// <summary>What the configured redirection needs of this host, in the calling thread's network namespace, and does not find.</summary>
internal static class RedirectionCheck
{
    /// <returns>A sentence for each fault, with the command that mends it. Without what is fatal the agent cannot run; of the rest it cannot take connections.</returns>
    public static IReadOnlyList<(string Fault, bool IsFatal)> FindFaults(AgentConfiguration configuration)
    {
        List<(string, bool)> faults = [];
        if (configuration.GatewayRole is not null)
            Require(faults, KernelFeatures.TcxProgram, isFatal: true);
        if (!configuration.IsHost || configuration.Redirection is AgentConfiguration.Gateway or AgentConfiguration.PeerRoute)
            FindFaults(configuration, faults);
        return faults;
    }

    private static void FindFaults(AgentConfiguration configuration, List<(string, bool)> faults)
    {
        using RouteNetlink route = RouteNetlink.Open();
        if (!route.Links.List().Any(link => link.Name == configuration.Interface))
            faults.Add(($"interface: there is none named {configuration.Interface} here: 'ip link' lists them.", true));
        if (!configuration.IsHost)
            return;
        Require(faults, KernelFeatures.QuietServiceAddresses, isFatal: false);
        bool hasService = route.Addresses.List(route.Links.Get("lo").Index).Any(one => one.Address.Address is { } address
            && !IPAddress.IsLoopback(address) && (address.AddressFamily == AddressFamily.InterNetwork || !address.IsIPv6LinkLocal));
        if (!hasService)
        {
            faults.Add(($"With {configuration.Redirection} this host needs the service addresses on lo, and none is there: ip address add ADDRESS/32 dev lo "
                + "(IPv6: ip address add ADDRESS/128 dev lo preferred_lft 0), after sysctl -w net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2", false));
        }
    }

    private static void Require(List<(string, bool)> faults, string name, bool isFatal)
    {
        KernelFeature feature = KernelFeatures.All.Single(one => one.Name == name);
        FeatureFinding finding = feature.Probe();
        if (finding.Status != FeatureStatus.Present)
            faults.Add(($"{feature.Name}: {finding.Detail}. {feature.AdviceOn(finding)}", isFatal));
    }
}
