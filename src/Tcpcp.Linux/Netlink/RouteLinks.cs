using System.Diagnostics.CodeAnalysis;
using System.Net.NetworkInformation;
using System.Runtime.InteropServices;

namespace Tcpcp.Linux.Netlink;

/// <summary>Makes, changes and lists network interfaces.</summary>
[KernelHeader("linux/rtnetlink.h", "linux/if_link.h", "linux/veth.h", "linux/if.h", "errno.h")]
internal sealed class RouteLinks(NetlinkSocket socket)
{
    private const ushort RTM_NEWLINK = 16; // linux/rtnetlink.h
    private const ushort RTM_DELLINK = 17;
    private const ushort RTM_GETLINK = 18;
    private const ushort IFLA_ADDRESS = 1; // linux/if_link.h
    private const ushort IFLA_IFNAME = 3;
    private const ushort IFLA_MTU = 4;
    private const ushort IFLA_MASTER = 10;
    private const ushort IFLA_LINKINFO = 18;
    private const ushort IFLA_NET_NS_FD = 28;
    private const ushort IFLA_NUM_TX_QUEUES = 31;
    private const ushort IFLA_NUM_RX_QUEUES = 32;
    private const ushort IFLA_INFO_KIND = 1;
    private const ushort IFLA_INFO_DATA = 2;
    private const ushort VETH_INFO_PEER = 1; // linux/veth.h
    private const ushort IFLA_VXLAN_ID = 1; // linux/if_link.h
    private const ushort IFLA_VXLAN_LOCAL = 4;
    private const ushort IFLA_VXLAN_LEARNING = 7;
    private const ushort IFLA_VXLAN_PORT = 15;
    private const ushort IFLA_VXLAN_LOCAL6 = 17;
    private const uint IFF_UP = 0x1; // linux/if.h
    private const uint IFF_LOWER_UP = 0x10000;
    private const int ENODEV = 19;
    private const int MaxNameLength = 15;
    private const NetlinkFlags CreateFlags = NetlinkFlags.Ack | NetlinkFlags.Create | NetlinkFlags.Exclusive;

    /// <summary>Makes a veth pair; each end has one queue in each direction.</summary>
    /// <param name="mtu">MTU of both ends in bytes.</param>
    public void CreateVeth(VethEnd near, VethEnd far, int mtu = 1500)
    {
        NetlinkMessage message = new NetlinkMessage().Begin(RTM_NEWLINK, CreateFlags, default(InterfaceHeader));
        AppendVethEnd(message, near, mtu);
        message.BeginNested(IFLA_LINKINFO).String(IFLA_INFO_KIND, "veth").BeginNested(IFLA_INFO_DATA).BeginNested(VETH_INFO_PEER);
        message.Raw(MemoryMarshal.AsBytes(new InterfaceHeader[1].AsSpan()));
        AppendVethEnd(message, far, mtu);
        message.EndNested().EndNested().EndNested().End();
        socket.Transact(message, "RTM_NEWLINK (veth)", $"{near.Name}, {far.Name}");
    }

    /// <summary>Makes a bridge without spanning tree: it forwards at once.</summary>
    public void CreateBridge(string name, int mtu = 1500) => socket.Transact(
        new NetlinkMessage().Begin(RTM_NEWLINK, CreateFlags, default(InterfaceHeader))
            .String(IFLA_IFNAME, Checked(name)).U32(IFLA_MTU, (uint)mtu)
            .BeginNested(IFLA_LINKINFO).String(IFLA_INFO_KIND, "bridge").EndNested().End(),
        "RTM_NEWLINK (bridge)", name);

    /// <summary>Makes a VXLAN link that learns nothing: it sends only where <see cref="RouteNeighbours.SetForwarding"/> says, and takes what comes for its number.</summary>
    public void CreateVxlan(VxlanLink link)
    {
        NetlinkMessage message = new NetlinkMessage().Begin(RTM_NEWLINK, CreateFlags, default(InterfaceHeader))
            .String(IFLA_IFNAME, Checked(link.Name)).U32(IFLA_MTU, (uint)link.Mtu).Attribute(IFLA_ADDRESS, link.HardwareAddress.GetAddressBytes())
            .BeginNested(IFLA_LINKINFO).String(IFLA_INFO_KIND, "vxlan").BeginNested(IFLA_INFO_DATA)
            .U32(IFLA_VXLAN_ID, link.Number).U8(IFLA_VXLAN_LEARNING, 0).U16BigEndian(IFLA_VXLAN_PORT, link.Port)
            .Attribute(RouteFamily.Of(link.Local) == RouteFamily.AF_INET6 ? IFLA_VXLAN_LOCAL6 : IFLA_VXLAN_LOCAL, link.Local.GetAddressBytes())
            .EndNested().EndNested().End();
        socket.Transact(message, "RTM_NEWLINK (vxlan)", link.Name);
    }

    /// <summary>Makes a link a port of a bridge; null takes it off.</summary>
    public void SetMaster(string name, string? bridge) =>
        Change(name, 0, 0, message => message.U32(IFLA_MASTER, bridge is null ? 0 : (uint)Get(bridge).Index), $"master {bridge ?? "none"}");

    public void SetUp(string name) => Change(name, IFF_UP, IFF_UP, message => message, "up");

    public void SetDown(string name) => Change(name, 0, IFF_UP, message => message, "down");

    public void SetMtu(string name, int mtu) => Change(name, 0, 0, message => message.U32(IFLA_MTU, (uint)mtu), $"mtu {mtu}");

    /// <summary>Deletes a link; of a veth pair both ends go.</summary>
    /// <returns>False if there was none of that name.</returns>
    public bool Delete(string name)
    {
        NetlinkOutcome outcome = socket.TryTransact(
            new NetlinkMessage().Begin(RTM_DELLINK, NetlinkFlags.Ack, default(InterfaceHeader)).String(IFLA_IFNAME, Checked(name)).End());
        if (outcome.Errno == ENODEV)
            return false;
        outcome.ThrowIfFailed("RTM_DELLINK", name);
        return true;
    }

    /// <exception cref="KernelException">ENODEV: no link of that name in this namespace.</exception>
    public LinkInfo Get(string name) => TryGet(name, out LinkInfo? link) ? link : throw KernelException.Of("RTM_GETLINK", ENODEV, name);

    public bool TryGet(string name, [NotNullWhen(true)] out LinkInfo? link)
    {
        List<NetlinkReply> replies = [];
        NetlinkOutcome outcome = socket.TryTransact(
            new NetlinkMessage().Begin(RTM_GETLINK, NetlinkFlags.Ack, default(InterfaceHeader)).String(IFLA_IFNAME, Checked(name)).End(), replies);
        link = null;
        if (outcome.Errno == ENODEV)
            return false;
        outcome.ThrowIfFailed("RTM_GETLINK", name);
        link = Read(replies[0].Payload);
        return true;
    }

    public IReadOnlyList<LinkInfo> List() =>
    [
        .. socket.Dump(new NetlinkMessage().Begin(RTM_GETLINK, NetlinkFlags.Dump, default(InterfaceHeader)).End(), "RTM_GETLINK (list)")
            .Where(reply => reply.Type == RTM_NEWLINK).Select(reply => Read(reply.Payload)),
    ];

    private static void AppendVethEnd(NetlinkMessage message, VethEnd end, int mtu)
    {
        message.String(IFLA_IFNAME, Checked(end.Name)).U32(IFLA_MTU, (uint)mtu).U32(IFLA_NUM_TX_QUEUES, 1).U32(IFLA_NUM_RX_QUEUES, 1);
        if (end.HardwareAddress is { } address)
            message.Attribute(IFLA_ADDRESS, address.GetAddressBytes());
        if (end.Namespace is { } @namespace)
            message.U32(IFLA_NET_NS_FD, (uint)@namespace.DangerousGetHandle());
    }

    private void Change(string name, uint flags, uint mask, Func<NetlinkMessage, NetlinkMessage> attributes, string what) => socket.Transact(
        attributes(new NetlinkMessage().Begin(RTM_NEWLINK, NetlinkFlags.Ack, new InterfaceHeader(0, 0, 0, Get(name).Index, flags, mask))).End(),
        "RTM_NEWLINK (change)", $"{name} {what}");

    private static LinkInfo Read(ReadOnlySpan<byte> payload)
    {
        InterfaceHeader header = MemoryMarshal.Read<InterfaceHeader>(payload);
        (string name, PhysicalAddress address, int mtu, string kind) = ("", PhysicalAddress.None, 0, "");
        foreach (NetlinkAttribute attribute in new NetlinkAttributes(payload[16..]))
        {
            switch (attribute.Type)
            {
                case IFLA_IFNAME: name = attribute.AsString; break;
                case IFLA_ADDRESS: address = new PhysicalAddress(attribute.Value.ToArray()); break;
                case IFLA_MTU: mtu = (int)attribute.AsU32; break;
                case IFLA_LINKINFO: kind = KindIn(attribute.Nested); break;
                default: break;
            }
        }

        return new LinkInfo(header.Index, name, address, mtu, (header.Flags & IFF_UP) != 0, (header.Flags & IFF_LOWER_UP) != 0) { Kind = kind };
    }

    private static string KindIn(NetlinkAttributes information)
    {
        foreach (NetlinkAttribute attribute in information)
        {
            if (attribute.Type == IFLA_INFO_KIND)
                return attribute.AsString;
        }

        return "";
    }

    private static string Checked(string name) => name.Length is > 0 and <= MaxNameLength
        ? name
        : throw new ArgumentException($"An interface name has 1 to {MaxNameLength} characters: '{name}'.", nameof(name));
}
