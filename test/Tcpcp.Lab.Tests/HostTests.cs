using System.Net;
using System.Net.Sockets;
using Tcpcp.Linux.Netlink;
using Tcpcp.Linux.Processes;

namespace Tcpcp.Lab.Tests;

public class HostTests
{
    [Theory]
    [InlineData("10.0.0.1/24", "10.0.0.2/24")]
    [InlineData("fd00::1/64", "fd00::2/64")]
    public async Task Hosts_reach_each_other_by_TCP(string first, string second)
    {
        await using LabNetwork lab = await LabNetwork.CreateAsync();
        Host a = lab.AddHost("a", first);
        Host b = lab.AddHost("b", second);
        using TcpPair pair = TcpPair.Connect(a, b, b.Addresses[0]);
        await pair.Client.SendAsync("hello"u8.ToArray());
        byte[] received = new byte[16];
        int count = await pair.Server.ReceiveAsync(received);
        Assert.Equal("hello"u8.ToArray(), received[..count]);
        Assert.Equal(a.Addresses[0], ((IPEndPoint)pair.Server.RemoteEndPoint!).Address);
    }

    [Fact]
    public async Task A_host_reaches_itself_by_its_loopback_interface()
    {
        await using LabNetwork lab = await LabNetwork.CreateAsync();
        Host a = lab.AddHost("a", "10.0.0.1/24");
        using TcpPair pair = TcpPair.Connect(a, a, IPAddress.Loopback);
        Assert.True(pair.Client.Connected);
    }

    [Fact]
    public async Task Two_labs_with_the_same_addresses_do_not_meet()
    {
        await using LabNetwork one = await LabNetwork.CreateAsync();
        await using LabNetwork two = await LabNetwork.CreateAsync();
        Host[] clients = [one.AddHost("a", "10.0.0.1/24"), two.AddHost("a", "10.0.0.1/24")];
        Host[] servers = [one.AddHost("b", "10.0.0.2/24"), two.AddHost("b", "10.0.0.2/24")];
        using Socket listener = TcpPair.Listen(servers[0], servers[0].IPv4, 7000);
        SocketException refused = Assert.Throws<SocketException>(() => TcpPair.ConnectTo(clients[1], new IPEndPoint(servers[1].IPv4, 7000)));
        Assert.Equal(SocketError.ConnectionRefused, refused.SocketErrorCode);
        using Socket connected = TcpPair.ConnectTo(clients[0], new IPEndPoint(servers[0].IPv4, 7000));
        Assert.True(connected.Connected);
    }

    [Fact]
    public async Task A_program_sees_only_the_interfaces_of_its_host()
    {
        await using LabNetwork lab = await LabNetwork.CreateAsync();
        Host a = lab.AddHost("a", "10.0.0.1/24");
        await using ChildProcess list = a.Start("ls", ["/sys/class/net"]);
        Assert.Equal("eth0\nlo\n", await list.Output!.Completed);
    }

    [Fact]
    public async Task A_program_sees_only_the_addresses_of_its_host()
    {
        await using LabNetwork lab = await LabNetwork.CreateAsync();
        Host a = lab.AddHost("a", "10.0.0.1/24");
        lab.AddHost("b", "10.0.0.2/24");
        await using ChildProcess show = a.Start("cat", ["/proc/net/fib_trie"]);
        string addresses = await show.Output!.Completed;
        Assert.Contains("10.0.0.1\n", addresses, StringComparison.Ordinal);
        Assert.DoesNotContain("10.0.0.2\n", addresses, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_file_in_run_is_seen_by_the_programs_of_its_host_alone()
    {
        await using LabNetwork lab = await LabNetwork.CreateAsync();
        Host a = lab.AddHost("a", "10.0.0.1/24");
        Host b = lab.AddHost("b", "10.0.0.2/24");
        a.Run(() => File.WriteAllText("/run/note", "from a"));
        await using ChildProcess here = a.Start("cat", ["/run/note"]);
        await using ChildProcess there = b.Start("cat", ["/run/note"]);
        Assert.Equal("from a", await here.Output!.Completed);
        Assert.Equal(1, await there.Exit);
        Assert.False(File.Exists("/run/note"));
    }

    [Fact]
    public async Task An_address_moves_from_one_host_to_another()
    {
        await using LabNetwork lab = await LabNetwork.CreateAsync();
        Host a = lab.AddHost("a", "10.0.0.1/24");
        Host b = lab.AddHost("b", "10.0.0.2/24", "10.0.0.9/32");
        Host c = lab.AddHost("c", "10.0.0.3/24");
        InterfaceAddress moving = InterfaceAddress.Parse("10.0.0.9/32");
        Assert.True(b.Network.Addresses.Remove(b.Network.Links.Get("eth0").Index, moving));
        Assert.True(c.Network.Addresses.Add(c.Network.Links.Get("eth0").Index, moving));
        using TcpPair pair = TcpPair.Connect(a, c, moving.Address);
        Assert.True(pair.Client.Connected);
    }

    [Theory]
    [InlineData(LossDirection.Egress)]
    [InlineData(LossDirection.Ingress)]
    public async Task Loss_drops_about_the_given_percentage(LossDirection direction)
    {
        const int Datagrams = 4000;
        await using LabNetwork lab = await LabNetwork.CreateAsync();
        Host a = lab.AddHost("a", "10.0.0.1/24");
        Host b = lab.AddHost("b", "10.0.0.2/24");
        using Socket receiver = b.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp) { ReceiveBufferSize = 4 << 20 });
        receiver.Bind(new IPEndPoint(b.IPv4, 7000));
        receiver.ReceiveTimeout = 10_000;
        using Socket sender = a.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp));
        sender.Connect(receiver.LocalEndPoint!);
        sender.Send([0]); // resolves the address
        byte[] buffer = new byte[1];
        receiver.Receive(buffer);

        (direction == LossDirection.Egress ? a : b).SetLoss(20, direction);
        for (int i = 0; i < Datagrams; i++)
            sender.Send([1]);
        (direction == LossDirection.Egress ? a : b).SetLoss(0, direction);
        sender.Send([2]);

        int received = 0;
        while (receiver.Receive(buffer) == 1 && buffer[0] != 2)
            received++;
        Assert.InRange(received, 3200 - 150, 3200 + 150); // six standard deviations
    }

    [Fact]
    public async Task The_MTU_of_the_lab_is_that_of_its_hosts()
    {
        await using LabNetwork lab = await LabNetwork.CreateAsync(new LabOptions { Mtu = 9000 });
        Host a = lab.AddHost("a", "10.0.0.1/24");
        Assert.Equal(9000, a.Network.Links.Get("eth0").Mtu);
    }

    [Fact]
    public async Task A_program_on_a_host_can_make_a_lab_itself()
    {
        await using LabNetwork lab = await LabNetwork.CreateAsync();
        await using ChildProcess inner = lab.AddHost("a").Start(
            Environment.ProcessPath!, ["-method", "*.Hosts_reach_each_other_by_TCP"], new ChildOptions { ErrorOutput = ChildOutput.Inherited });
        Assert.Contains("Total: 2, Errors: 0, Failed: 0", await inner.Output!.Completed, StringComparison.Ordinal);
    }

    [Fact]
    public void Missing_capabilities_are_named()
    {
        LabUnavailableException missing = Assert.Throws<LabUnavailableException>(() => LabRequirements.Check("Name:\tx\nCapEff:\t0000000000003000\n"));
        Assert.Contains("root", missing.Message, StringComparison.Ordinal);
        Assert.EndsWith("missing: CAP_SYS_ADMIN (for namespaces and mounts).", missing.Message, StringComparison.Ordinal);
    }
}
