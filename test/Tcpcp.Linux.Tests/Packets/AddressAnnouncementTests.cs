using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using Tcpcp.Lab;
using Tcpcp.Linux.Netlink;
using Tcpcp.Linux.Packets;

namespace Tcpcp.Linux.Tests.Packets;

public class AddressAnnouncementTests
{
    private const string Service = "10.0.0.9";
    private const string ServiceIPv6 = "fd00::9";
    private const int ArpFrameBytes = 42;

    [Theory]
    [InlineData(Service)]
    [InlineData(ServiceIPv6)]
    public async Task A_neighbour_that_knew_the_old_host_sends_to_the_new_one(string text)
    {
        IPAddress service = IPAddress.Parse(text);
        await using LabNetwork lab = await LabNetwork.CreateAsync();
        Host peer = lab.AddHost("peer", "10.0.0.1/24", "fd00::1/64");
        Host old = lab.AddHost("old", "10.0.0.2/24", "fd00::2/64");
        Host next = lab.AddHost("new", "10.0.0.3/24", "fd00::3/64");
        old.AddOwnAddress(service);
        SendTo(peer, service); // resolves it
        await Eventually.Equal(HardwareAddressOf(old), () => ResolvedBy(peer, service));

        using AddressAnnouncement announcement = Open(next);
        old.Network.Addresses.Remove(old.Network.Links.Get(Host.InterfaceName).Index, InterfaceAddress.Single(service));
        next.AddOwnAddress(service);
        announcement.Announce(service);
        await Eventually.Equal(HardwareAddressOf(next), () => ResolvedBy(peer, service));
    }

    [Fact]
    public async Task It_is_sent_as_request_and_as_reply_from_the_interface_s_own_address()
    {
        await using LabNetwork lab = await LabNetwork.CreateAsync();
        Host peer = lab.AddHost("peer", "10.0.0.1/24");
        Host sender = lab.AddHost("sender", $"{Service}/24");
        using PacketSocket packets = peer.Run(() => PacketSocket.Open(Host.InterfaceName));
        using AddressAnnouncement announcement = Open(sender);
        announcement.Announce(IPAddress.Parse(Service));

        List<byte[]> frames = [];
        await Eventually.Equal(2, () =>
        {
            while (packets.TryReceive(out _, out ReadOnlySpan<byte> frame))
            {
                if (frame[12..14].SequenceEqual([(byte)0x08, (byte)0x06]))
                    frames.Add(frame[..ArpFrameBytes].ToArray());
            }

            return frames.Count;
        });

        PhysicalAddress own = HardwareAddressOf(sender);
        Assert.Equal([1, 2], frames.Select(frame => frame[21])); // request, reply
        Assert.All(frames, frame =>
        {
            Assert.Equal("FFFFFFFFFFFF", new PhysicalAddress(frame[..6]).ToString());
            Assert.Equal(own, new PhysicalAddress(frame[6..12])); // Ethernet source
            Assert.Equal(own, new PhysicalAddress(frame[22..28])); // sender's hardware address
            Assert.Equal(Service, new IPAddress(frame[28..32]).ToString());
            Assert.Equal(Service, new IPAddress(frame[38..42]).ToString());
        });
    }

    [Fact]
    public async Task An_address_for_answers_only_is_not_the_source_of_what_the_host_begins()
    {
        await using LabNetwork lab = await LabNetwork.CreateAsync();
        Host host = lab.AddHost("a", "fd00::2/64");
        host.AddOwnAddress(IPAddress.Parse(ServiceIPv6));
        using Socket socket = host.Run(() => new Socket(AddressFamily.InterNetworkV6, SocketType.Dgram, ProtocolType.Udp));
        socket.Connect(IPAddress.Parse("fd00::8"), 9); // nearer to fd00::9
        Assert.Equal(IPAddress.Parse("fd00::2"), ((IPEndPoint)socket.LocalEndPoint!).Address);
    }

    [Fact]
    public async Task An_interface_that_is_gone_is_told()
    {
        const int ENXIO = 6;
        await using LabNetwork lab = await LabNetwork.CreateAsync();
        using AddressAnnouncement announcement = lab.AddHost("a").Run(() => AddressAnnouncement.Open(999, PhysicalAddress.Parse("02-00-00-00-00-01")));
        KernelException refused = Assert.Throws<KernelException>(() => announcement.Announce(IPAddress.Parse(Service)));
        Assert.Equal(("sendto(AF_PACKET)", ENXIO), (refused.Call, refused.Errno));
    }

    private static AddressAnnouncement Open(Host host)
    {
        LinkInfo link = host.Network.Links.Get(Host.InterfaceName);
        return host.Run(() => AddressAnnouncement.Open(link.Index, link.HardwareAddress));
    }

    private static PhysicalAddress HardwareAddressOf(Host host) => host.Network.Links.Get(Host.InterfaceName).HardwareAddress;

    private static PhysicalAddress? ResolvedBy(Host host, IPAddress address) => host.Network.Neighbours.List()
        .Where(neighbour => neighbour.Address.Equals(address)).Select(neighbour => neighbour.HardwareAddress).SingleOrDefault();

    private static void SendTo(Host host, IPAddress address)
    {
        using Socket socket = host.Run(() => new Socket(address.AddressFamily, SocketType.Dgram, ProtocolType.Udp));
        socket.SendTo([1], new IPEndPoint(address, 9));
    }
}
