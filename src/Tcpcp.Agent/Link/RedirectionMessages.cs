using System.Net;
using Google.Protobuf;
using Tcpcp.Agent.Policy;
using Tcpcp.Agent.Redirection;
using Tcpcp.Core;
using ServicePorts = Tcpcp.Agent.Redirection.ServicePorts;

namespace Tcpcp.Agent.Link;

/// <summary>The messages between hosts and redirectors.</summary>
internal static class RedirectionMessages
{
    public static Core.Wire.RedirectRequest ToMessage(RedirectOrder order) => new()
    {
        Connections = { order.Connections.Select(EndPointWire.ToMessage) },
        Numbers = { Enumerable.Repeat(order.Number, order.Connections.Count) },
        Host = order.To.Name,
        Settled = order.IsSettled,
    };

    public static Core.Wire.ServicePorts ToMessage(ServicePorts service) => new()
    {
        Address = ByteString.CopyFrom(service.Address.GetAddressBytes()),
        FirstPort = (uint)service.Ports.First,
        LastPort = (uint)service.Ports.Last,
    };

    /// <exception cref="InvalidSnapshotException">It is no address.</exception>
    public static ServicePorts FromMessage(Core.Wire.ServicePorts service) =>
        new(EndPointWire.AddressFrom(service.Address), new PortRange((int)Math.Min(service.FirstPort, ushort.MaxValue), (int)Math.Min(service.LastPort, ushort.MaxValue)));

    public static Core.Wire.OwnedConnection ToMessage(Redirection.OwnedConnection owned) =>
        new() { Connection = EndPointWire.ToMessage(owned.Connection), Number = owned.Number };

    /// <exception cref="InvalidSnapshotException">It lacks its name.</exception>
    public static Redirection.OwnedConnection FromMessage(Core.Wire.OwnedConnection owned) => new(
        EndPointWire.FromMessage(owned.Connection ?? throw new InvalidSnapshotException("A connection lacks its name.")), owned.Number);
}
