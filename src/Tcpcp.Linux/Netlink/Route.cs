using System.Net;

namespace Tcpcp.Linux.Netlink;

/// <summary>A route to a destination: over an interface, through a gateway, or to this host itself.</summary>
/// <param name="Destination">Network; 0.0.0.0/0 or ::/0 is the default route. Host bits must be zero.</param>
internal sealed record Route(InterfaceAddress Destination)
{
    public IPAddress? Gateway { get; init; }

    /// <summary>Number of the interface; may be left out when there is a gateway.</summary>
    public int? LinkIndex { get; init; }

    /// <summary>Source address of packets that have none yet.</summary>
    public IPAddress? PreferredSource { get; init; }

    /// <summary>Routing table; null: main, and for a <see cref="IsLocal"/> route local.</summary>
    public uint? Table { get; init; }

    /// <summary>Who has made it, as routing programs tell theirs from those of others; null: a static route, made by hand.</summary>
    public byte? Protocol { get; init; }

    /// <summary>Packets to the destination are for this host.</summary>
    public bool IsLocal { get; init; }

    public static Route Default(IPAddress gateway) =>
        new(new InterfaceAddress(RouteFamily.Of(gateway) == RouteFamily.AF_INET ? IPAddress.Any : IPAddress.IPv6Any, 0)) { Gateway = gateway };

    public static Route Via(InterfaceAddress destination, IPAddress gateway) => new(destination) { Gateway = gateway };

    /// <summary>Packets to the network are delivered on this host, though none of its interfaces need have the address.</summary>
    public static Route Local(InterfaceAddress destination, int linkIndex, uint? table = null) =>
        new(destination) { LinkIndex = linkIndex, IsLocal = true, Table = table };
}
