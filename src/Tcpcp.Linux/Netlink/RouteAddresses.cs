using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Tcpcp.Linux.Netlink;

/// <summary>An address that the kernel has on an interface.</summary>
/// <param name="LinkIndex">The interface's number.</param>
/// <param name="IsTentative">IPv6: still being checked for a duplicate; a socket cannot be bound to it yet.</param>
internal readonly record struct AssignedAddress(int LinkIndex, InterfaceAddress Address, bool IsTentative);

/// <summary>Adds, removes and lists the addresses of interfaces.</summary>
[KernelHeader("linux/rtnetlink.h", "linux/if_addr.h")]
internal sealed class RouteAddresses(NetlinkSocket socket)
{
    private const ushort RTM_NEWADDR = 20; // linux/rtnetlink.h
    private const ushort RTM_DELADDR = 21;
    private const ushort RTM_GETADDR = 22;
    private const ushort IFA_ADDRESS = 1; // linux/if_addr.h
    private const ushort IFA_LOCAL = 2;
    private const ushort IFA_CACHEINFO = 6;
    private const ushort IFA_FLAGS = 8;
    private const uint IFA_F_NODAD = 0x02;
    private const uint IFA_F_TENTATIVE = 0x40;
    private const byte RT_SCOPE_HOST = 254;

    /// <summary>Adds an address. An IPv6 address can be bound at once: duplicate detection is off for it (IFA_F_NODAD). But packets for it
    /// are taken a moment later only, when a work queue of the kernel has made its local route: milliseconds on a busy host.</summary>
    /// <param name="forAnswersOnly">IPv6: this host opens no connections from it by itself (preferred lifetime 0). Else a /128 would be preferred to the
    /// host's own address, since its prefix matches longer (RFC 6724, 5, rule 8), and they would break when it moves.</param>
    /// <returns>False if the interface had it already (EEXIST).</returns>
    public bool Add(int linkIndex, InterfaceAddress address, bool forAnswersOnly = false)
    {
        NetlinkMessage message = Begin(RTM_NEWADDR, NetlinkFlags.Ack | NetlinkFlags.Create | NetlinkFlags.Exclusive, linkIndex, address);
        if (forAnswersOnly && address.Address.AddressFamily == AddressFamily.InterNetworkV6)
        {
            AddressLifetimes lifetimes = new(Preferred: 0, Valid: uint.MaxValue, 0, 0);
            message.Attribute(IFA_CACHEINFO, MemoryMarshal.AsBytes(new ReadOnlySpan<AddressLifetimes>(in lifetimes)));
        }

        NetlinkOutcome outcome = socket.TryTransact(message.End());
        if (outcome.Errno == Errno.EEXIST)
            return false;
        outcome.ThrowIfFailed("RTM_NEWADDR", $"{address} on interface {linkIndex}");
        return true;
    }

    /// <summary>Removes an address; its prefix length must be the one that it was added with.</summary>
    /// <returns>False if the interface did not have it (EADDRNOTAVAIL).</returns>
    public bool Remove(int linkIndex, InterfaceAddress address)
    {
        NetlinkOutcome outcome = socket.TryTransact(Begin(RTM_DELADDR, NetlinkFlags.Ack, linkIndex, address).End());
        if (outcome.Errno == Errno.EADDRNOTAVAIL)
            return false;
        outcome.ThrowIfFailed("RTM_DELADDR", $"{address} on interface {linkIndex}");
        return true;
    }

    /// <summary>The addresses of all interfaces, or of one.</summary>
    public IReadOnlyList<AssignedAddress> List(int? linkIndex = null) =>
    [
        .. socket.Dump(new NetlinkMessage().Begin(RTM_GETADDR, NetlinkFlags.Dump, default(AddressHeader)).End(), "RTM_GETADDR (list)")
            .Where(reply => reply.Type == RTM_NEWADDR).Select(reply => Read(reply.Payload))
            .Where(address => linkIndex is null || address.LinkIndex == linkIndex),
    ];

    private static NetlinkMessage Begin(ushort type, NetlinkFlags flags, int linkIndex, InterfaceAddress address)
    {
        byte family = RouteFamily.Of(address.Address);
        byte[] bytes = address.Address.GetAddressBytes();
        byte scope = IPAddress.IsLoopback(address.Address) ? RT_SCOPE_HOST : (byte)0;
        NetlinkMessage message = new NetlinkMessage()
            .Begin(type, flags, new AddressHeader(family, (byte)address.PrefixLength, 0, scope, linkIndex))
            .Attribute(IFA_LOCAL, bytes).Attribute(IFA_ADDRESS, bytes);
        if (family == RouteFamily.AF_INET6)
            message.U32(IFA_FLAGS, IFA_F_NODAD);
        return message;
    }

    private static AssignedAddress Read(ReadOnlySpan<byte> payload)
    {
        AddressHeader header = MemoryMarshal.Read<AddressHeader>(payload);
        uint flags = header.Flags;
        (IPAddress? local, IPAddress? address) = (null, null);
        foreach (NetlinkAttribute attribute in new NetlinkAttributes(payload[8..]))
        {
            switch (attribute.Type)
            {
                case IFA_LOCAL: local = new IPAddress(attribute.Value); break;
                case IFA_ADDRESS: address = new IPAddress(attribute.Value); break; // the other end, where IFA_LOCAL is given
                case IFA_FLAGS: flags = attribute.AsU32; break;
                default: break;
            }
        }

        return new AssignedAddress(header.Index, new InterfaceAddress((local ?? address)!, header.PrefixLength), (flags & IFA_F_TENTATIVE) != 0);
    }

    // struct ifa_cacheinfo: lifetimes in seconds, then when the address was made and changed.
    [KernelHeader("linux/if_addr.h", Structure = "struct ifa_cacheinfo", Fields = "ifa_prefered ifa_valid cstamp tstamp")]
    [StructLayout(LayoutKind.Sequential)]
    private readonly record struct AddressLifetimes(uint Preferred, uint Valid, uint Made, uint Changed);
}
