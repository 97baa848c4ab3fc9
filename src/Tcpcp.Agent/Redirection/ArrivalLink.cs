using System.Net;
using Tcpcp.Linux.Netlink;

namespace Tcpcp.Agent.Redirection;

/// <summary>Links of tcpcp's own on which packets arrive whose senders are behind another one.</summary>
internal static class ArrivalLink
{
    private static readonly IPAddress s_dummyAddress = new([192, 0, 0, 8]); // RFC 7600: nobody's

    /// <summary>Sets such a link up, in the calling thread's network namespace: what arrives on it is taken, and it is no neighbour of anybody.</summary>
    public static LinkInfo SetUp(RouteNetlink route, string name)
    {
        // The reverse path check must be loose, whatever the host's setting is, and a loose check still drops everything on an interface that has no address.
        File.WriteAllText($"/proc/sys/net/ipv4/conf/{name}/rp_filter", "2");
        route.Addresses.Add(route.Links.Get(name).Index, InterfaceAddress.Single(s_dummyAddress));
        if (Directory.Exists($"/proc/sys/net/ipv6/conf/{name}"))
        {
            File.WriteAllText($"/proc/sys/net/ipv6/conf/{name}/addr_gen_mode", "1"); // no address of its own
            File.WriteAllText($"/proc/sys/net/ipv6/conf/{name}/disable_ipv6", "0"); // whatever new interfaces get
        }

        route.Links.SetUp(name);
        return route.Links.Get(name);
    }
}
