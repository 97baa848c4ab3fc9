using System.Net;
using System.Net.Sockets;
using Tcpcp.Agent.Link;
using Tcpcp.Agent.Passing;
using Tcpcp.Agent.Policy;
using Tcpcp.Core;
using Tcpcp.Linux.Diagnostics;

namespace Tcpcp.Agent.Redirection;

/// <summary>What this host answers as a home. A host that asks is known by its certificate's name, and what is forwarded to it by its configured addresses.</summary>
/// <param name="policy">Whose connections, and so whose addresses, may come here.</param>
internal sealed class ForwardingHome(
    Forward forward, OriginPasses passes, IReadOnlyCollection<OtherHost> others, PassPolicy policy, SocketDiagnostics sockets, LinkObserver observer) : IForwardingHome
{
    private readonly ForwardingEntries _entries = forward.Entries;

    public IReadOnlyList<ForwardedConnection> List(string owner, IReadOnlyCollection<FourTuple> named) =>
        Find(owner) is { } host ? _entries.ListTo(host, named) : [];

    public IReadOnlyList<FourTuple> End(string owner, IReadOnlyCollection<ForwardedConnection> ended)
    {
        OtherHost host = Find(owner) ?? new OtherHost(owner, []);
        HashSet<FourTuple> open = [.. passes.Connections]; // the destination may not have restored them yet
        IReadOnlyList<FourTuple> standing = _entries.End(host, ended, open.Contains);
        if (standing.Count > 0)
        {
            observer(new LinkEvent(LinkEventKind.ForwardingStands, owner, $"{owner} says that {ended.Count} connections have ended. {standing.Count} of them are forwarded still, "
                + $"to another host or by another redirection, or their pass is not settled: {standing[0]}."));
        }

        return standing;
    }

    public RepointAnswer Repoint(string owner, RepointOrder order)
    {
        if (Find(owner) is not { } host)
            return new RepointAnswer(0, $"It has no agent {owner} among its destinations.");
        if (order.IsSettled)
            return _entries.Settle(host, order);
        if ((order.Host.Length == 0 ? host : Find(order.Host)) is not { } target)
            return new RepointAnswer(0, $"It has no agent {order.Host} among its destinations: add it there.");
        if (order.Host.Length > 0 && order.Connections.Select(connection => forward.FindObstacle(connection, target, order.PacketBytes)).FirstOrDefault(one => one is not null) is { } tooLarge)
            return new RepointAnswer(0, tooLarge);
        return _entries.Repoint(host, target, order, forward.InterfaceTo(target));
    }

    public void Claim(string owner, IReadOnlyCollection<FourTuple> connections)
    {
        if (Find(owner) is { } host)
            _entries.Claim(host, connections);
    }

    public string? TakeAddress(string home, IPAddress address, AddressPorts ports, IReadOnlyCollection<FourTuple> staying, bool isQuestion)
    {
        IPEndPoint anybody = new(address.AddressFamily == AddressFamily.InterNetworkV6 ? IPAddress.IPv6Any : IPAddress.Any, 0);
        if (ports.Listened.Count + ports.Opened.Count == 0)
            return $"{home} names no port of {address}: the policy is by ports too.";
        foreach (int port in ports.Listened.Concat(ports.Opened))
        {
            if (!policy.Concerns(home, new FourTuple(new IPEndPoint(address, port), anybody)))
                return $"Its policy lets {home} pass no connections of {address}, port {port}, to it, and so not the address.";
        }

        foreach (int port in ports.Listened)
        {
            if (!IsListenedAt(address, port))
                return $"Nobody listens there at {address}, port {port}: start the service first, so that it takes new connections (of any address, or of this one by IP_FREEBIND).";
        }

        if (FindObstacle(home, address, staying) is { } obstacle)
            return obstacle;
        if (isQuestion)
            return null;
        // First: what comes for them once the address is here must not meet this host's own stack.
        if (staying.Count > 0)
            _entries.Set(staying, forward.InterfaceTo(Find(home)!), connection => Find(home)!.AddressFor(connection)!);
        forward.TakeAddress(address);
        return null;
    }

    // Of what would be forwarded back.
    private string? FindObstacle(string home, IPAddress address, IReadOnlyCollection<FourTuple> staying)
    {
        if (staying.Count == 0)
            return null;
        if (Find(home) is not { TunnelTo: null } host)
            return $"It could not send the packets of connections that stay back to {home}, which is not among its destinations, or by a tunnel only.";
        foreach (FourTuple connection in staying)
        {
            if (!connection.Local.Address.Equals(address) || !policy.Concerns(home, connection))
                return $"Its policy lets {home} pass no connection {connection} to it, and so it sends none back.";
            if (host.AddressFor(connection) is null)
                return $"It knows no address of {home} that packets of {connection} could be sent back to: see destinations:{host.Name}:packets.";
            if (sockets.Find(connection) is not null)
                return $"{connection} is alive there.";
        }

        return null;
    }

    // A listener of :: takes IPv4 too, unless it was told not to, which is not seen here.
    private bool IsListenedAt(IPAddress address, int port) => sockets.List(TcpState.Listen).Any(listener => listener.Connection.Local.Port == port
        && (listener.Connection.Local.Address.Equals(address) || listener.Connection.Local.Address.Equals(IPAddress.IPv6Any)
            || (listener.Connection.Local.Address.Equals(IPAddress.Any) && address.AddressFamily == AddressFamily.InterNetwork)));

    private OtherHost? Find(string name) => others.FirstOrDefault(host => CertificateNames.AreSame(host.Name, name));
}
