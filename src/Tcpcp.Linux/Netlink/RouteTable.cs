using System.Net;
using System.Runtime.InteropServices;

namespace Tcpcp.Linux.Netlink;

/// <summary>Adds and removes routes.</summary>
[KernelHeader("linux/rtnetlink.h", "errno.h")]
internal sealed class RouteTable(NetlinkSocket socket)
{
    private const ushort RTM_NEWROUTE = 24; // linux/rtnetlink.h
    private const ushort RTM_DELROUTE = 25;
    private const ushort RTM_GETROUTE = 26;
    private const ushort RTA_DST = 1;
    private const ushort RTA_SRC = 2;
    private const ushort RTA_OIF = 4;
    private const ushort RTA_GATEWAY = 5;
    private const ushort RTA_PREFSRC = 7;
    private const ushort RTA_TABLE = 15;
    private const ushort RTA_VIA = 18;
    private const uint RT_TABLE_MAIN = 254;
    private const uint RT_TABLE_LOCAL = 255;
    private const byte RTPROT_STATIC = 4;
    private const byte RTN_UNICAST = 1;
    private const byte RTN_LOCAL = 2;
    private const byte RT_SCOPE_UNIVERSE = 0;
    private const byte RT_SCOPE_LINK = 253;
    private const byte RT_SCOPE_HOST = 254;
    private const byte RT_SCOPE_NOWHERE = 255;
    private const int ESRCH = 3;

    /// <returns>False if the route exists (EEXIST).</returns>
    public bool Add(Route route)
    {
        NetlinkOutcome outcome = socket.TryTransact(Message(
            RTM_NEWROUTE, NetlinkFlags.Ack | NetlinkFlags.Create | NetlinkFlags.Exclusive, route));
        if (outcome.Errno == Errno.EEXIST)
            return false;
        outcome.ThrowIfFailed("RTM_NEWROUTE", Describe(route));
        return true;
    }

    /// <summary>Puts a route in the place of the one to the same destination, if there is one; no packet meets none.</summary>
    public void Replace(Route route) => socket.TryTransact(Message(RTM_NEWROUTE, NetlinkFlags.Ack | NetlinkFlags.Create | NetlinkFlags.Replace, route))
        .ThrowIfFailed("RTM_NEWROUTE", Describe(route));

    /// <summary>The routes of the main table to single addresses or networks.</summary>
    public IReadOnlyList<Route> List() =>
    [
        .. socket.Dump(new NetlinkMessage().Begin(RTM_GETROUTE, NetlinkFlags.Dump, default(RouteHeader)).End(), "RTM_GETROUTE (list)")
            .Where(reply => reply.Type == RTM_NEWROUTE).Select(reply => Read(reply.Payload)).OfType<Route>(),
    ];

    /// <returns>False if there was no such route (ESRCH).</returns>
    public bool Remove(Route route)
    {
        NetlinkOutcome outcome = socket.TryTransact(Message(RTM_DELROUTE, NetlinkFlags.Ack, route));
        if (outcome.Errno == ESRCH)
            return false;
        outcome.ThrowIfFailed("RTM_DELROUTE", Describe(route));
        return true;
    }

    /// <summary>Packets to the address are taken by this host. Of an IPv6 address that was just added that is not true yet: see
    /// <see cref="RouteAddresses.Add"/>.</summary>
    public bool IsLocal(IPAddress address)
    {
        List<NetlinkReply> replies = [];
        // An address to which there is no route at all is an error.
        return TryGet(address, source: null, replies) && replies is [{ Type: RTM_NEWROUTE } route] && MemoryMarshal.Read<RouteHeader>(route.Payload).Type == RTN_LOCAL;
    }

    /// <summary>The neighbour that packets to an address are sent to.</summary>
    /// <param name="source">Where they come from; if it is not this host's, the answer is that for any source.</param>
    /// <returns>Null if none is: the address is this host's, or there is no route.</returns>
    public (int LinkIndex, IPAddress Address)? FindNextHop(IPAddress destination, IPAddress source)
    {
        List<NetlinkReply> replies = [];
        if (!TryGet(destination, source, replies))
        {
            replies.Clear();
            if (!TryGet(destination, source: null, replies))
                return null;
        }

        return replies is [{ Type: RTM_NEWROUTE } route] ? ReadNextHop(route.Payload, destination) : null;
    }

    private bool TryGet(IPAddress destination, IPAddress? source, List<NetlinkReply> replies)
    {
        byte[] bytes = destination.GetAddressBytes();
        byte bits = (byte)(bytes.Length * 8);
        RouteHeader header = new(RouteFamily.Of(destination), bits, source is null ? (byte)0 : bits, 0, 0, 0, 0, 0, 0);
        NetlinkMessage message = new NetlinkMessage().Begin(RTM_GETROUTE, NetlinkFlags.Ack, header).Attribute(RTA_DST, bytes);
        if (source is not null)
            message.Attribute(RTA_SRC, source.GetAddressBytes());
        return socket.TryTransact(message.End(), replies).Succeeded;
    }

    private static unsafe (int LinkIndex, IPAddress Address)? ReadNextHop(ReadOnlySpan<byte> payload, IPAddress destination)
    {
        if (MemoryMarshal.Read<RouteHeader>(payload).Type != RTN_UNICAST)
            return null;
        (IPAddress address, int? link) = (destination, null);
        foreach (NetlinkAttribute attribute in new NetlinkAttributes(payload[sizeof(RouteHeader)..]))
        {
            switch (attribute.Type)
            {
                case RTA_GATEWAY: address = new IPAddress(attribute.Value); break;
                case RTA_VIA: address = new IPAddress(attribute.Value[sizeof(ushort)..]); break; // struct rtvia: a gateway of the other family
                case RTA_OIF: link = (int)attribute.AsU32; break;
                default: break;
            }
        }

        return link is { } index ? (index, address) : null;
    }

    private static NetlinkMessage Message(ushort type, NetlinkFlags flags, Route route)
    {
        InterfaceAddress destination = route.Destination;
        uint table = route.Table ?? (route.IsLocal ? RT_TABLE_LOCAL : RT_TABLE_MAIN);
        byte scope = (type, route) switch
        {
            (RTM_DELROUTE, _) => RT_SCOPE_NOWHERE, // matches any
            (_, { IsLocal: true }) => RT_SCOPE_HOST,
            (_, { Gateway: null }) => RT_SCOPE_LINK,
            _ => RT_SCOPE_UNIVERSE,
        };
        RouteHeader header = new(
            RouteFamily.Of(destination.Address), (byte)destination.PrefixLength, 0, 0, (byte)Math.Min(table, 252), route.Protocol ?? RTPROT_STATIC, scope,
            route.IsLocal ? RTN_LOCAL : RTN_UNICAST, 0);
        NetlinkMessage message = new NetlinkMessage().Begin(type, flags, header).U32(RTA_TABLE, table);
        if (destination.PrefixLength > 0)
            message.Attribute(RTA_DST, destination.Address.GetAddressBytes());
        if (route.Gateway is { } gateway)
            message.Attribute(RTA_GATEWAY, gateway.GetAddressBytes());
        if (route.LinkIndex is { } index)
            message.U32(RTA_OIF, (uint)index);
        if (route.PreferredSource is { } source)
            message.Attribute(RTA_PREFSRC, source.GetAddressBytes());
        return message.End();
    }

    private static unsafe Route? Read(ReadOnlySpan<byte> payload)
    {
        RouteHeader header = MemoryMarshal.Read<RouteHeader>(payload);
        if (header.Type != RTN_UNICAST || header.Table != RT_TABLE_MAIN)
            return null;
        (IPAddress destination, IPAddress? gateway, int? link) = (header.Family == RouteFamily.AF_INET6 ? IPAddress.IPv6Any : IPAddress.Any, null, null);
        foreach (NetlinkAttribute attribute in new NetlinkAttributes(payload[sizeof(RouteHeader)..]))
        {
            switch (attribute.Type)
            {
                case RTA_DST: destination = new IPAddress(attribute.Value); break;
                case RTA_GATEWAY: gateway = new IPAddress(attribute.Value); break;
                case RTA_OIF: link = (int)attribute.AsU32; break;
                default: break;
            }
        }

        return new Route(new InterfaceAddress(destination, header.DestinationLength)) { Gateway = gateway, LinkIndex = link, Protocol = header.Protocol };
    }

    private static string Describe(Route route) =>
        $"{(route.IsLocal ? "local " : "")}{route.Destination}{(route.Gateway is { } gateway ? $" via {gateway}" : "")}";
}
