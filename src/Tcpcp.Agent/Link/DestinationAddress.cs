using System.Net;

namespace Tcpcp.Agent.Link;

/// <summary>Another host's agent.</summary>
/// <param name="Name">The name that its certificate must have.</param>
/// <param name="EndPoint">Where it listens.</param>
internal sealed record DestinationAddress(string Name, IPEndPoint EndPoint)
{
    public override string ToString() => $"{Name} ({EndPoint})";
}
