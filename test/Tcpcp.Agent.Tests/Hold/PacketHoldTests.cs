using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Tcpcp.Agent.Hold;
using Tcpcp.Core;
using Tcpcp.Lab;
using Tcpcp.Linux.Diagnostics;
using Tcpcp.Linux.Processes;
using Tcpcp.Linux.Switching;
using Tcpcp.Linux.Tcp;

namespace Tcpcp.Agent.Tests.Hold;

/// <summary>The hold alone, with a peer that never stops sending: by a TAP and by a veth pair, switched by BPF and by nftables.</summary>
public sealed class PacketHoldTests
{
    private const int Holds = 100;
    private const int TransferBytes = 24_000_000;

    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(30);

    public static TheoryData<string, string, string> Everything { get; } = new()
    {
        { "Bpf", "Tap", "10.0.0.2" }, { "Bpf", "Tap", "fd00::2" }, { "Bpf", "Veth", "10.0.0.2" }, { "Bpf", "Veth", "fd00::2" },
        { "Nftables", "Tap", "10.0.0.2" }, { "Nftables", "Tap", "fd00::2" }, { "Nftables", "Veth", "10.0.0.2" }, { "Nftables", "Veth", "fd00::2" },
    };

    // Nothing that was dropped may be lost, nothing that went on may come again: either makes the peer send again, or hear that it has.
    [Theory]
    [MemberData(nameof(Everything))]
    public async Task What_is_held_again_and_again_arrives_once_and_in_order(string packetSwitch, string device, string address)
    {
        await using LabNetwork lab = await LabNetwork.CreateAsync();
        Host peer = lab.AddHost("peer", "10.0.0.1/24", "fd00::1/64"), host = lab.AddHost("host", "10.0.0.2/24", "fd00::2/64");
        using CancellationTokenSource limit = new(s_limit);
        using PacketHold hold = host.Run(() => PacketHold.Prepare([Host.InterfaceName], 16 << 20, Enum.Parse<SwitchChoice>(packetSwitch), Enum.Parse<HoldChoice>(device)));
        hold.Start();
        (Socket sender, Socket receiver) = await ConnectAsync(peer, host, IPAddress.Parse(address), limit.Token);
        using (sender)
        using (receiver)
        {
            FourTuple connection = new((IPEndPoint)receiver.LocalEndPoint!, (IPEndPoint)receiver.RemoteEndPoint!);
            byte[] sent = RandomNumberGenerator.GetBytes(TransferBytes);
            Task sending = SendAsync(sender, sent, limit.Token);
            Task<byte[]> receiving = ReceiveAsync(receiver, sent.Length, limit.Token);
            int replayed = 0, held = 0;
            for (; held < Holds && !receiving.IsCompleted; held++)
            {
                hold.Arm([connection]);
                await Until.True(() => receiving.IsCompleted || hold.HighestAcknowledgement(connection) is not null); // one at least
                await Task.Delay(2, limit.Token);
                (int count, int dropped) = hold.Replay(connection);
                Assert.Equal(0, dropped);
                replayed += count;
                await Task.Delay(1, limit.Token);
            }

            await sending;
            Assert.Equal(Convert.ToHexString(SHA256.HashData(sent)), Convert.ToHexString(SHA256.HashData(await receiving)));
            Assert.True(replayed >= held - 1, $"Only {replayed} packets were held in {held} holds.");
            // What is sent again for nothing, as a probe that falls into a hold, is no loss; the peer's words about it may be one for several, so they cannot be compared.
            SocketOption.Get(sender.SafeHandle, SocketLevel.IPPROTO_TCP, TcpOption.TCP_INFO, out DiagnosticTcpInfo info);
            TestContext.Current.TestOutputHelper!.WriteLine($"{held} holds, {replayed} packets, {info.tcpi_total_retrans} sent again, {info.tcpi_dsack_dups} for nothing");
        }
    }

    [Theory]
    [InlineData("Tap")]
    [InlineData("Veth")]
    public async Task What_exceeds_the_limit_is_dropped_and_counted(string device)
    {
        await using LabNetwork lab = await LabNetwork.CreateAsync();
        Host peer = lab.AddHost("peer", "10.0.0.1/24"), host = lab.AddHost("host", "10.0.0.2/24");
        using CancellationTokenSource limit = new(s_limit);
        using PacketHold hold = host.Run(() => PacketHold.Prepare([Host.InterfaceName], 5000, device: Enum.Parse<HoldChoice>(device)));
        hold.Start();
        (Socket sender, Socket receiver) = await ConnectAsync(peer, host, host.IPv4, limit.Token);
        using (sender)
        using (receiver)
        {
            FourTuple connection = new((IPEndPoint)receiver.LocalEndPoint!, (IPEndPoint)receiver.RemoteEndPoint!);
            hold.Arm([connection]);
            for (int i = 0; i < 10; i++)
                await sender.SendAsync(new byte[1000], limit.Token); // the first leaves at once, the others alone or together
            await Until.True(() => host.Run(() => PacketSwitch.Find(SwitchPlace.Hold))!.Value.Entries.Single().Bytes >= 10_000, s_limit);
            (int replayed, int dropped) = hold.Replay(connection);
            Assert.True(replayed > 0 && dropped > 0, $"{replayed} replayed, {dropped} dropped");
            Assert.Equal(10_000, (await ReceiveAsync(receiver, 10_000, limit.Token)).Length); // the peer has sent them again
        }
    }

    // Of what the switch has counted some never comes: the replay must not wait for it.
    [Fact]
    public async Task What_the_interface_has_lost_keeps_nothing_back()
    {
        await using LabNetwork lab = await LabNetwork.CreateAsync();
        Host peer = lab.AddHost("peer", "10.0.0.1/24"), host = lab.AddHost("host", "10.0.0.2/24");
        using CancellationTokenSource limit = new(s_limit);
        using PacketHold hold = host.Run(() => PacketHold.Prepare([Host.InterfaceName], 16 << 20, device: HoldChoice.Tap));
        await using (ChildProcess queue = host.Start("ip", ["link", "set", PacketHold.DeviceName, "txqueuelen", "1"]))
            Assert.Equal(0, await queue.Exit);
        (Socket sender, Socket receiver) = await ConnectAsync(peer, host, host.IPv4, limit.Token);
        using (sender)
        using (receiver)
        {
            FourTuple connection = new((IPEndPoint)receiver.LocalEndPoint!, (IPEndPoint)receiver.RemoteEndPoint!);
            hold.Arm([connection]); // nobody takes packets off it yet
            for (int i = 0; i < 5; i++)
                await sender.SendAsync(new byte[1000], limit.Token);
            await Until.True(() => host.Run(() => PacketSwitch.Find(SwitchPlace.Hold))!.Value.Entries.Single().Packets >= 2, s_limit);
            hold.Start();
            hold.Replay(connection);
            Assert.Empty(host.Run(() => PacketSwitch.Find(SwitchPlace.Hold))!.Value.Entries);
            Assert.Equal(5000, (await ReceiveAsync(receiver, 5000, limit.Token)).Length); // the peer has sent them again
        }
    }

    [Theory]
    [InlineData("Tap")]
    [InlineData("Veth")]
    public async Task A_second_hold_of_a_host_is_refused_and_the_first_leaves_nothing(string device)
    {
        await using LabNetwork lab = await LabNetwork.CreateAsync();
        Host host = lab.AddHost("host", "10.0.0.2/24");
        string[] before = [.. host.Network.Links.List().Select(link => link.Name)];
        using (host.Run(() => PacketHold.Prepare([Host.InterfaceName], 5000, device: Enum.Parse<HoldChoice>(device))))
        {
            Assert.Equal(Enum.Parse<HoldMechanism>(device), host.Run(() => PacketHold.FindInUse(host.Network)));
            IOException refused = Assert.Throws<IOException>(() => host.Run(() => PacketHold.Prepare([Host.InterfaceName], 5000, device: Enum.Parse<HoldChoice>(device))));
            Assert.Contains("Another agent", refused.Message, StringComparison.Ordinal);
            Assert.True(host.Network.Links.TryGet(PacketHold.DeviceName, out _));
        }

        Assert.Equal(before, host.Network.Links.List().Select(link => link.Name));
        Assert.Null(host.Run(() => PacketHold.FindInUse(host.Network)));
    }

    private static async Task<(Socket Sender, Socket Receiver)> ConnectAsync(Host peer, Host host, IPAddress address, CancellationToken cancellationToken)
    {
        using Socket listener = host.Run(() => new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp));
        listener.Bind(new IPEndPoint(address, 0));
        listener.Listen();
        Socket sender = peer.Run(() => new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp));
        sender.NoDelay = true;
        await sender.ConnectAsync(listener.LocalEndPoint!, cancellationToken);
        return (sender, await listener.AcceptAsync(cancellationToken));
    }

    private static async Task SendAsync(Socket socket, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        while (bytes.Length > 0)
        {
            bytes = bytes[await socket.SendAsync(bytes[..Math.Min(bytes.Length, 100_000)], cancellationToken)..];
            await Task.Delay(1, cancellationToken); // over all of the holds
        }
    }

    private static async Task<byte[]> ReceiveAsync(Socket socket, int length, CancellationToken cancellationToken)
    {
        byte[] received = new byte[length];
        for (int count = 0; count < length;)
        {
            int more = await socket.ReceiveAsync(received.AsMemory(count), cancellationToken);
            Assert.NotEqual(0, more);
            count += more;
        }

        return received;
    }
}
