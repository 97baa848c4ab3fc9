using System.Net;
using System.Net.Sockets;
using Tcpcp.Core;
using Tcpcp.Lab;
using Tcpcp.Linux.Tcp;

namespace Tcpcp.Traffic;

/// <summary>One of the hosts that a bulk flow is passed between.</summary>
internal sealed record BulkHost(AgentProcess Agent, BulkApplication Application)
{
    public Host Host => Agent.Host;

    public string Name => Host.Name;

    /// <inheritdoc cref="HostRules.List"/>
    public IReadOnlyList<string> ListRules() => HostRules.List(Host);

    /// <summary>Has the connection's four-tuple here too, so that the kernel refuses to restore it, until that is disposed of. Nothing is sent.</summary>
    public IDisposable TakeName(FourTuple connection) => Host.Run(() =>
    {
        RawSocketHandle socket = RawSocket.Create(connection.IsIPv6);
        RepairMode.Enter(socket);
        if (connection.IsIPv6)
            SocketOption.Set(socket, SocketLevel.IPPROTO_IPV6, IpOption.IPV6_TRANSPARENT, 1);
        else
            SocketOption.Set(socket, SocketLevel.IPPROTO_IP, IpOption.IP_TRANSPARENT, 1);
        RawSocket.Bind(socket, connection.Local, connection.IsIPv6);
        RawSocket.Connect(socket, connection.Peer, connection.IsIPv6);
        return socket;
    });
}
