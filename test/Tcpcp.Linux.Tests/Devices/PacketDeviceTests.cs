using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using System.Security.Cryptography;
using Tcpcp.Lab;
using Tcpcp.Linux.Devices;
using Tcpcp.Linux.Netlink;
using Tcpcp.Linux.Nftables;

namespace Tcpcp.Linux.Tests.Devices;

/// <summary>A TAP, and the veth pair that takes its place.</summary>
public class PacketDeviceTests
{
    private const int TransferBytes = 10_000_000;
    private const int EBUSY = 16;
    private const int EEXIST = 17;
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(60);

    [Theory]
    [InlineData(nameof(TapDevice), "192.0.2.1/24", "192.0.2.2")]
    [InlineData(nameof(TapDevice), "2001:db8::1/64", "2001:db8::2")]
    [InlineData(nameof(VethDevice), "192.0.2.1/24", "192.0.2.2")]
    [InlineData(nameof(VethDevice), "2001:db8::1/64", "2001:db8::2")]
    public void A_frame_that_leaves_is_read_and_a_frame_that_is_written_arrives(string device, string own, string other)
    {
        using LoopbackHost host = new();
        using IPacketDevice tap = host.Run(() => Create(device));
        PhysicalAddress peer = PhysicalAddress.Parse("02-00-00-00-00-09");
        LinkInfo link = host.Network.Links.Get("tap0");
        host.Network.Links.SetUp("tap0");
        host.AddAddress("tap0", own);
        host.Network.Neighbours.Set(link.Index, IPAddress.Parse(other), peer);
        using Socket socket = host.Run(() => new Socket(IPAddress.Parse(other).AddressFamily, SocketType.Dgram, ProtocolType.Udp));
        socket.ReceiveTimeout = (int)s_limit.TotalMilliseconds;
        socket.Connect(IPAddress.Parse(other), 7);

        socket.Send("there and back"u8);
        TapFrame frame = TapFrame.ReadUntil(tap, "there and back"u8);
        Assert.Equal((peer, link.HardwareAddress), (frame.Destination, frame.Source));

        tap.Write(frame.TurnedRound().Bytes);
        byte[] received = new byte[100];
        Assert.Equal("there and back"u8, received.AsSpan(0, socket.Receive(received)));
    }

    // The packets of a real transfer take the way of the hold: from the ingress hook into the TAP, and back out of it into the stack.
    [Theory]
    [InlineData(nameof(TapDevice), "10.0.0.1/24", "10.0.0.2/24", "ip daddr 10.0.0.2")]
    [InlineData(nameof(TapDevice), "fd00::1/64", "fd00::2/64", "ip6 daddr fd00::2")]
    [InlineData(nameof(VethDevice), "10.0.0.1/24", "10.0.0.2/24", "ip daddr 10.0.0.2")]
    [InlineData(nameof(VethDevice), "fd00::1/64", "fd00::2/64", "ip6 daddr fd00::2")]
    public async Task Frames_larger_than_the_MTU_pass_both_ways_intact(string device, string client, string server, string match)
    {
        await using LabNetwork lab = await LabNetwork.CreateAsync();
        Host a = lab.AddHost("a", client);
        Host b = lab.AddHost("b", server);
        using IPacketDevice tap = Make(b, device);
        using Socket listener = b.Run(() => new Socket(b.Addresses[0].AddressFamily, SocketType.Stream, ProtocolType.Tcp));
        listener.Bind(new IPEndPoint(b.Addresses[0], 0));
        listener.Listen();
        int port = ((IPEndPoint)listener.LocalEndPoint!).Port;
        b.Run(() => LibNftables.Run($$"""
            add table netdev test
            add chain netdev test ingress { type filter hook ingress device "{{Host.InterfaceName}}" priority 0; }
            add rule netdev test ingress {{match}} tcp dport {{port}} fwd to "tap0"
            """));
        await using TapLoop loop = TapLoop.Start(tap, b.Network.Links.Get("tap0").HardwareAddress);
        using Socket sender = a.Run(() => new Socket(b.Addresses[0].AddressFamily, SocketType.Stream, ProtocolType.Tcp));
        using CancellationTokenSource limit = new(s_limit);
        await sender.ConnectAsync(listener.LocalEndPoint!, limit.Token);
        using Socket receiver = await listener.AcceptAsync(limit.Token);

        byte[] sent = new byte[TransferBytes];
        new Random(1).NextBytes(sent);
        Task sending = SendAllAsync(sender, sent, limit.Token);
        byte[] received = await ReceiveAllAsync(receiver, limit.Token);
        await sending;

        Assert.Equal(Convert.ToHexString(SHA256.HashData(sent)), Convert.ToHexString(SHA256.HashData(received)));
        await loop.DisposeAsync();
        Assert.True(loop.Bytes >= TransferBytes, $"Only {loop.Bytes} bytes went through the interface.");
        Assert.InRange(loop.LargestFrame, TapDevice.NetworkOffset + 1501, TapDevice.MaxFrameBytes);
    }

    [Theory]
    [InlineData(nameof(TapDevice))]
    [InlineData(nameof(VethDevice))]
    public void Nothing_to_read_is_no_error(string device)
    {
        using LoopbackHost host = new();
        using IPacketDevice tap = host.Run(() => Create(device));
        Assert.False(tap.WaitForFrame(1));
        Assert.Equal(0, tap.TryRead(new byte[TapDevice.MaxFrameBytes]));
    }

    [Theory]
    [InlineData(nameof(TapDevice))]
    [InlineData(nameof(VethDevice))]
    public void The_interface_goes_when_it_is_disposed(string device)
    {
        using LoopbackHost host = new();
        using (IPacketDevice tap = host.Run(() => Create(device)))
            Assert.True(host.Network.Links.TryGet(tap.Name, out _));
        Assert.Equal(["lo"], host.Network.Links.List().Select(link => link.Name));
    }

    [Theory]
    [InlineData(nameof(TapDevice), "ioctl(TUNSETIFF)", EBUSY)]
    [InlineData(nameof(VethDevice), "RTM_NEWLINK (veth)", EEXIST)]
    public void A_name_that_is_taken_is_told(string device, string call, int errno)
    {
        using LoopbackHost host = new();
        using IPacketDevice tap = host.Run(() => Create(device));
        KernelException refused = Assert.Throws<KernelException>(() => host.Run(() => Create(device)));
        Assert.Equal((call, errno), (refused.Call, refused.Errno));
        Assert.Contains("(tap0", refused.Message, StringComparison.Ordinal);
    }

    // As the hold makes its own: an interface whose reverse path is elsewhere, and which sends nothing by itself.
    private static IPacketDevice Make(Host host, string device)
    {
        IPacketDevice tap = host.Run(() =>
        {
            IPacketDevice made = Create(device);
            Sysctl.Write("net/ipv4/conf/tap0/rp_filter", "2");
            Sysctl.Write("net/ipv6/conf/tap0/addr_gen_mode", "1");
            return made;
        });
        host.Network.Addresses.Add(host.Network.Links.Get("tap0").Index, InterfaceAddress.Parse("192.0.0.8/32"));
        host.Network.Links.SetUp("tap0");
        return tap;
    }

    private static IPacketDevice Create(string device) => device == nameof(TapDevice) ? TapDevice.Create("tap0") : VethDevice.Create("tap0");

    private static async Task SendAllAsync(Socket socket, ReadOnlyMemory<byte> bytes, CancellationToken cancellation)
    {
        while (bytes.Length > 0)
            bytes = bytes[await socket.SendAsync(bytes, cancellation)..];
        socket.Shutdown(SocketShutdown.Send);
    }

    private static async Task<byte[]> ReceiveAllAsync(Socket socket, CancellationToken cancellation)
    {
        using MemoryStream received = new();
        byte[] buffer = new byte[256 * 1024];
        while (await socket.ReceiveAsync(buffer, cancellation) is > 0 and int count)
            received.Write(buffer, 0, count);
        return received.ToArray();
    }
}
