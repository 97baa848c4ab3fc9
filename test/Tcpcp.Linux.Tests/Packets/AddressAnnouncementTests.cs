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
    private const int ArpFrameBytes = 42;

    [Fact]
    public async Task A_neighbour_that_knew_the_old_host_sends_to_the_new_one()
    {
        await using LabNetwork lab = await LabNetwork.CreateAsync();
        Host peer = lab.AddHost("peer", "10.0.0.1/24");
        Host old = lab.AddHost("old", "10.0.0.2/24", $"{Service}/32");
        Host next = lab.AddHost("new", "10.0.0.3/24");
        SendTo(peer, IPAddress.Parse(Service)); // resolves it
        await Eventually.Equal(HardwareAddressOf(old), () => ResolvedBy(peer));

        using AddressAnnouncement announcement = Open(next);
        old.Network.Addresses.Remove(old.Network.Links.Get(Host.InterfaceName).Index, InterfaceAddress.Parse(Service));
        next.Network.Addresses.Add(next.Network.Links.Get(Host.InterfaceName).Index, InterfaceAddress.Parse(Service));
        announcement.Announce(IPAddress.Parse(Service));
        await Eventually.Equal(HardwareAddressOf(next), () => ResolvedBy(peer));
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
    public async Task An_IPv6_address_is_refused()
    {
        await using LabNetwork lab = await LabNetwork.CreateAsync();
        using AddressAnnouncement announcement = Open(lab.AddHost("a", "fd00::1/64"));
        ArgumentException refused = Assert.Throws<ArgumentException>(() => announcement.Announce(IPAddress.Parse("fd00::1")));
        Assert.Contains("fd00::1", refused.Message, StringComparison.Ordinal);
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

    private static PhysicalAddress? ResolvedBy(Host host) => host.Network.Neighbours.List()
        .Where(neighbour => neighbour.Address.ToString() == Service).Select(neighbour => neighbour.HardwareAddress).SingleOrDefault();

    private static void SendTo(Host host, IPAddress address)
    {
        using Socket socket = host.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp));
        socket.SendTo([1], new IPEndPoint(address, 9));
    }
}
