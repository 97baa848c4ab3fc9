using System.Net;
using System.Net.NetworkInformation;
using System.Runtime.InteropServices;

namespace Tcpcp.Linux.Netlink;

/// <summary>States of a neighbour entry (NUD_*, linux/neighbour.h).</summary>
[Flags]
internal enum NeighbourState : ushort
{
    None = 0,
    Incomplete = 0x01,
    Reachable = 0x02,
    Stale = 0x04,
    Delay = 0x08,
    Probe = 0x10,
    Failed = 0x20,
    NoArp = 0x40,
    Permanent = 0x80,
}

/// <summary>An entry of the neighbour table (ARP, ND).</summary>
internal readonly record struct Neighbour(int LinkIndex, IPAddress Address, PhysicalAddress HardwareAddress, NeighbourState State);

/// <summary>Sets and lists neighbour entries.</summary>
[KernelHeader("linux/rtnetlink.h", "linux/neighbour.h", "sys/socket.h")]
internal sealed class RouteNeighbours(NetlinkSocket socket)
{
    private const ushort RTM_NEWNEIGH = 28; // linux/rtnetlink.h
    private const ushort RTM_DELNEIGH = 29;
    private const ushort RTM_GETNEIGH = 30;
    private const ushort NDA_DST = 1; // linux/neighbour.h
    private const ushort NDA_LLADDR = 2;
    private const byte NTF_USE = 0x01;
    private const byte NTF_SELF = 0x02;
    private const byte AF_BRIDGE = 7; // sys/socket.h

    /// <summary>Makes or changes an entry. Packets that wait for the address leave at once.</summary>
    /// <param name="hardwareAddress">Null with <see cref="NeighbourState.Incomplete"/>: packets wait.</param>
    public void Set(int linkIndex, IPAddress address, PhysicalAddress? hardwareAddress, NeighbourState state = NeighbourState.Permanent)
    {
        NetlinkMessage message = Begin(
            RTM_NEWNEIGH, NetlinkFlags.Ack | NetlinkFlags.Create | NetlinkFlags.Replace, linkIndex, address, state);
        if (hardwareAddress is not null)
            message.Attribute(NDA_LLADDR, hardwareAddress.GetAddressBytes());
        socket.Transact(message.End(), "RTM_NEWNEIGH", $"{address} on interface {linkIndex}");
    }

    /// <summary>Has the kernel find out the link-layer address, as a packet to it would; an entry that has one stays as it is. Returns at once.</summary>
    public void Solicit(int linkIndex, IPAddress address)
    {
        // The request itself would take the address away from an entry, even a permanent one.
        Neighbour? entry = Find(linkIndex, address);
        if (entry is { State: not (NeighbourState.None or NeighbourState.Failed) })
            return;
        NetlinkFlags flags = NetlinkFlags.Ack | NetlinkFlags.Create;
        if (entry is null)
            flags |= NetlinkFlags.Exclusive;
        NeighbourHeader header = new(RouteFamily.Of(address), 0, 0, linkIndex, (ushort)NeighbourState.None, NTF_USE, 0);
        NetlinkOutcome outcome = socket.TryTransact(new NetlinkMessage().Begin(RTM_NEWNEIGH, flags, header).Attribute(NDA_DST, address.GetAddressBytes()).End());
        if (outcome.Errno != Errno.EEXIST) // somebody else has asked in the meantime
            outcome.ThrowIfFailed("RTM_NEWNEIGH (use)", $"{address} on interface {linkIndex}");
    }

    /// <summary>Says to a VXLAN link which host has a hardware address.</summary>
    public void SetForwarding(int linkIndex, PhysicalAddress hardwareAddress, IPAddress host)
    {
        NeighbourHeader header = new(AF_BRIDGE, 0, 0, linkIndex, (ushort)NeighbourState.Permanent, NTF_SELF, 0);
        NetlinkMessage message = new NetlinkMessage().Begin(RTM_NEWNEIGH, NetlinkFlags.Ack | NetlinkFlags.Create | NetlinkFlags.Replace, header)
            .Attribute(NDA_LLADDR, hardwareAddress.GetAddressBytes()).Attribute(NDA_DST, host.GetAddressBytes());
        socket.Transact(message.End(), "RTM_NEWNEIGH (forwarding)", $"{hardwareAddress} at {host} on interface {linkIndex}");
    }

    /// <returns>False if there was no such entry (ENOENT).</returns>
    public bool Remove(int linkIndex, IPAddress address)
    {
        NetlinkOutcome outcome = socket.TryTransact(Begin(RTM_DELNEIGH, NetlinkFlags.Ack, linkIndex, address, NeighbourState.None).End());
        if (outcome.Errno == Errno.ENOENT)
            return false;
        outcome.ThrowIfFailed("RTM_DELNEIGH", $"{address} on interface {linkIndex}");
        return true;
    }

    /// <returns>Null if there is no such entry.</returns>
    public Neighbour? Find(int linkIndex, IPAddress address)
    {
        List<NetlinkReply> replies = [];
        NetlinkOutcome outcome = socket.TryTransact(Begin(RTM_GETNEIGH, NetlinkFlags.Ack, linkIndex, address, NeighbourState.None).End(), replies);
        if (outcome.Errno == Errno.EOPNOTSUPP) // before Linux 5.0 it only lists them all
            return List().Cast<Neighbour?>().FirstOrDefault(entry => entry!.Value.LinkIndex == linkIndex && entry.Value.Address.Equals(address));
        if (outcome.Errno == Errno.ENOENT)
            return null;
        outcome.ThrowIfFailed("RTM_GETNEIGH", $"{address} on interface {linkIndex}");
        return replies is [{ Type: RTM_NEWNEIGH } reply] ? Read(reply.Payload) : null;
    }

    public IReadOnlyList<Neighbour> List() =>
    [
        .. socket.Dump(new NetlinkMessage().Begin(RTM_GETNEIGH, NetlinkFlags.Dump, default(NeighbourHeader)).End(), "RTM_GETNEIGH (list)")
            .Where(reply => reply.Type == RTM_NEWNEIGH && reply.Payload[0] is RouteFamily.AF_INET or RouteFamily.AF_INET6)
            .Select(reply => Read(reply.Payload)),
    ];

    private static NetlinkMessage Begin(ushort type, NetlinkFlags flags, int linkIndex, IPAddress address, NeighbourState state) =>
        new NetlinkMessage().Begin(type, flags, new NeighbourHeader(RouteFamily.Of(address), 0, 0, linkIndex, (ushort)state, 0, 0))
            .Attribute(NDA_DST, address.GetAddressBytes());

    private static Neighbour Read(ReadOnlySpan<byte> payload)
    {
        NeighbourHeader header = MemoryMarshal.Read<NeighbourHeader>(payload);
        (IPAddress address, PhysicalAddress hardwareAddress) = (IPAddress.None, PhysicalAddress.None);
        foreach (NetlinkAttribute attribute in new NetlinkAttributes(payload[12..]))
        {
            if (attribute.Type == NDA_DST)
                address = new IPAddress(attribute.Value);
            else if (attribute.Type == NDA_LLADDR)
                hardwareAddress = new PhysicalAddress(attribute.Value.ToArray());
        }

        return new Neighbour(header.Index, address, hardwareAddress, (NeighbourState)header.State);
    }
}
