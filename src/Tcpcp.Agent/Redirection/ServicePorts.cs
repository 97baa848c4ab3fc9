using System.Net;
using Tcpcp.Agent.Policy;

namespace Tcpcp.Agent.Redirection;

/// <summary>A service address with some of its ports.</summary>
internal readonly record struct ServicePorts(IPAddress Address, PortRange Ports)
{
    public bool Contains(IPEndPoint local) => local.Address.Equals(Address) && Ports.Contains(local.Port);

    public IEnumerable<IPEndPoint> EndPoints()
    {
        IPAddress address = Address;
        return Enumerable.Range(Ports.First, Ports.Last - Ports.First + 1).Select(port => new IPEndPoint(address, port));
    }
}
