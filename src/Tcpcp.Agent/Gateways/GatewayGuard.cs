using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Tcpcp.Agent.Redirection;
using Tcpcp.Linux.Nftables;

namespace Tcpcp.Agent.Gateways;

/// <summary>
/// Drops what comes for services to the gateway itself: nothing does, as long as its packets are switched. Should the program be taken off its hook, the kernel would else answer
/// every packet with an RST. It outlives the agent.
/// </summary>
internal static class GatewayGuard
{
    public const string TableName = "tcpcp-gateway";

    /// <summary>In the place of the one before, in one transaction.</summary>
    public static void Set(IEnumerable<ServicePorts> services)
    {
        StringBuilder rules = new();
        rules.Append(CultureInfo.InvariantCulture, $"add table inet {TableName}\ndelete table inet {TableName}\nadd table inet {TableName}\n");
        rules.Append(CultureInfo.InvariantCulture, $"add chain inet {TableName} input {{ type filter hook input priority filter; }}\n");
        foreach (ServicePorts service in services)
        {
            string family = service.Address.AddressFamily == AddressFamily.InterNetwork ? "ip" : "ip6";
            (int first, int last) = service.Ports;
            string ports = first == last ? first.ToString(CultureInfo.InvariantCulture) : string.Create(CultureInfo.InvariantCulture, $"{first}-{last}");
            rules.Append(CultureInfo.InvariantCulture, $"add rule inet {TableName} input {family} daddr {service.Address} tcp dport {ports} counter drop\n");
        }

        LibNftables.Run(rules.ToString());
    }
}
