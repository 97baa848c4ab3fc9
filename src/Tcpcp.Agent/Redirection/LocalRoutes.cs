using System.Net;
using System.Net.Sockets;
using Tcpcp.Linux.Netlink;

namespace Tcpcp.Agent.Redirection;

/// <summary>Whether packets for a new address are taken.</summary>
internal static class LocalRoutes
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(1);

    /// <summary>Of a new IPv6 address the kernel makes the local route in a work item: it takes microseconds, or milliseconds on a busy host.</summary>
    /// <exception cref="TimeoutException">It does not make it.</exception>
    public static void Await(RouteNetlink route, IPAddress address, string interfaceName)
    {
        if (address.AddressFamily == AddressFamily.InterNetworkV6 && !SpinWait.SpinUntil(() => route.Routes.IsLocal(address), s_limit))
            throw new TimeoutException($"{address} has no local route on {interfaceName} after {s_limit.TotalSeconds} s: its packets would not be taken.");
    }
}
