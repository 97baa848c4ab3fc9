using System.Net.NetworkInformation;
using Tcpcp.Linux.Namespaces;

namespace Tcpcp.Linux.Netlink;

/// <summary>One end of a new veth pair.</summary>
/// <param name="Name">Interface name, at most 15 characters.</param>
/// <param name="Namespace">Where this end is put; null: where the netlink socket is.</param>
/// <param name="HardwareAddress">MAC address; null: a random one.</param>
internal sealed record VethEnd(string Name, NetworkNamespace? Namespace = null, PhysicalAddress? HardwareAddress = null);
