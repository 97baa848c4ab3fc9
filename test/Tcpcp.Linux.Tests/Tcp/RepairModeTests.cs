using System.Net;
using System.Net.Sockets;
using Tcpcp.Core;
using Tcpcp.Linux.Tcp;

namespace Tcpcp.Linux.Tests.Tcp;

public sealed class RepairModeTests : IDisposable
{
    private readonly LoopbackHost _host = new();

    public void Dispose() => _host.Dispose();

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("::1")]
    [InlineData("::ffff:127.0.0.1")]
    public void What_repair_mode_reads_at_one_end_is_what_it_reads_at_the_other(string address)
    {
        (Socket client, Socket server) = _host.Connect(IPAddress.Parse(address));
        using (client)
        using (server)
        {
            client.Send("hello"u8);
            server.Receive(new byte[5]);
            RepairMode.Enter(client.SafeHandle);
            RepairMode.Enter(server.SafeHandle);
            Assert.True(RepairMode.IsOn(client.SafeHandle));

            Assert.Equal(Sequence(server, TcpOption.TCP_RECV_QUEUE), Sequence(client, TcpOption.TCP_SEND_QUEUE));
            Assert.Equal(Sequence(server, TcpOption.TCP_SEND_QUEUE), Sequence(client, TcpOption.TCP_RECV_QUEUE));
            RepairWindow window = RepairMode.Window(server.SafeHandle);
            Assert.Equal(Sequence(server, TcpOption.TCP_RECV_QUEUE) - 5, window.SndWl1); // the segment that carried the five bytes
            Assert.True(window.MaxWindow >= window.SndWnd && window.RcvWnd > 0);

            RepairMode.Leave(client.SafeHandle, probe: false, reuseAddress: false);
            RepairMode.Leave(server.SafeHandle, probe: false, reuseAddress: false);
            Assert.False(RepairMode.IsOn(client.SafeHandle));
            client.Send("again"u8);
            Assert.Equal(5, server.Receive(new byte[10]));
        }
    }

    [Theory]
    [InlineData("127.0.0.1", false)]
    [InlineData("::1", true)]
    [InlineData("127.0.0.1", true)]
    public void A_connection_can_be_made_and_dissolved_without_a_packet(string address, bool ipv6)
    {
        _host.Nft("""
            add table inet test
            add counter inet test sent
            add chain inet test out { type filter hook output priority 0; }
            add rule inet test out counter name sent
            """);
        (IPEndPoint local, IPEndPoint peer) = (new(IPAddress.Parse(address), 8080), new(IPAddress.Parse(address), 51514));
        using RawSocketHandle socket = _host.Run(() => RawSocket.Create(ipv6));
        RepairMode.Enter(socket);
        RawSocket.Bind(socket, local, ipv6);
        RepairMode.SelectQueue(socket, TcpOption.TCP_SEND_QUEUE);
        RepairMode.SetQueueSequence(socket, new SequenceNumber(0xFFFF_FFF0));
        RepairMode.SelectQueue(socket, TcpOption.TCP_RECV_QUEUE);
        RepairMode.SetQueueSequence(socket, new SequenceNumber(0x1234_5678));
        RawSocket.Connect(socket, peer, ipv6);
        Assert.Equal(new FourTuple(local, peer), RawSocket.Ends(socket, out _, out bool mapped));
        Assert.Equal(ipv6 && local.AddressFamily == AddressFamily.InterNetwork, mapped);

        RepairMode.SetNegotiated(socket, new NegotiatedOptions(1234, 1234, WindowScaling: true, 5, 9, Sack: true, Timestamps: true, Ecn: false));
        RepairMode.SetTimestamp(socket, 0xFFFF_FF00, microseconds: false);
        Assert.Equal(new SequenceNumber(0x1234_5678), RepairMode.QueueSequence(socket));
        RepairMode.SelectQueue(socket, TcpOption.TCP_SEND_QUEUE);
        Assert.Equal(new SequenceNumber(0xFFFF_FFF0), RepairMode.QueueSequence(socket));
        RepairWindow window = new(new SequenceNumber(0x1234_5600), 40_000, 50_000, 30_000, new SequenceNumber(0x1234_5670));
        RepairMode.SetWindow(socket, window);
        Assert.Equal(window, RepairMode.Window(socket));
        SocketOption.Get(socket, SocketLevel.IPPROTO_TCP, TcpOption.TCP_INFO, out TcpInfo info);
        Assert.Equal(((byte)TcpState.Established, (byte)5, (byte)9), (info.tcpi_state, info.SndWscale, info.RcvWscale));
        Assert.Equal(TcpOption.TCPI_OPT_TIMESTAMPS | TcpOption.TCPI_OPT_SACK | TcpOption.TCPI_OPT_WSCALE, info.tcpi_options);
        uint clock = RepairMode.Timestamp(socket).Value;
        Assert.InRange(unchecked(clock - 0xFFFF_FF00), 0u, 60_000u); // milliseconds

        RawSocket.Dissolve(socket);
        Assert.Equal(Errno.ENOTCONN, Assert.Throws<KernelException>(() => RawSocket.Ends(socket, out _, out _)).Errno);
        Assert.Contains("packets 0 bytes 0", _host.Nft("list counter inet test sent"), StringComparison.Ordinal);
    }

    [Fact]
    public void A_listening_socket_cannot_enter_it()
    {
        using Socket listener = _host.Listen(IPAddress.Loopback);
        AssertRefused("setsockopt(TCP_REPAIR)", Errno.EPERM, () => RepairMode.Enter(listener.SafeHandle));
    }

    [Fact]
    public void Outside_it_state_is_neither_read_nor_written()
    {
        (Socket client, Socket server) = _host.Connect(IPAddress.Loopback);
        using (client)
        using (server)
        {
            AssertRefused("setsockopt(TCP_REPAIR_QUEUE)", Errno.EPERM, () => RepairMode.SelectQueue(client.SafeHandle, TcpOption.TCP_SEND_QUEUE));
            AssertRefused("getsockopt(TCP_REPAIR_WINDOW)", Errno.EPERM, () => RepairMode.Window(client.SafeHandle));
            AssertRefused("setsockopt(TCP_REPAIR_WINDOW)", Errno.EPERM, () => RepairMode.SetWindow(client.SafeHandle, default));
            AssertRefused("setsockopt(TCP_TIMESTAMP)", Errno.EPERM, () => RepairMode.SetTimestamp(client.SafeHandle, 1, microseconds: false));
        }
    }

    [Fact]
    public void Without_a_queue_there_is_no_sequence_number()
    {
        (Socket client, Socket server) = _host.Connect(IPAddress.Loopback);
        using (client)
        using (server)
        {
            RepairMode.Enter(client.SafeHandle);
            AssertRefused("getsockopt(TCP_QUEUE_SEQ)", Errno.EINVAL, () => RepairMode.QueueSequence(client.SafeHandle));
            AssertRefused("setsockopt(TCP_REPAIR_QUEUE)", Errno.EINVAL, () => RepairMode.SelectQueue(client.SafeHandle, 99));
            RepairMode.Leave(client.SafeHandle, probe: false, reuseAddress: false);
        }
    }

    [Fact]
    public void The_sequence_numbers_of_a_connection_that_lives_are_not_changed()
    {
        (Socket client, Socket server) = _host.Connect(IPAddress.Loopback);
        using (client)
        using (server)
        {
            RepairMode.Enter(client.SafeHandle);
            RepairMode.SelectQueue(client.SafeHandle, TcpOption.TCP_SEND_QUEUE);
            AssertRefused("setsockopt(TCP_QUEUE_SEQ)", Errno.EPERM, () => RepairMode.SetQueueSequence(client.SafeHandle, default));
            RepairMode.Leave(client.SafeHandle, probe: false, reuseAddress: false);
        }
    }

    private static SequenceNumber Sequence(Socket socket, int queue)
    {
        RepairMode.SelectQueue(socket.SafeHandle, queue);
        SequenceNumber number = RepairMode.QueueSequence(socket.SafeHandle);
        RepairMode.SelectQueue(socket.SafeHandle, TcpOption.TCP_NO_QUEUE);
        return number;
    }

    private static void AssertRefused(string call, int errno, Action work)
    {
        KernelException refused = Assert.Throws<KernelException>(work);
        Assert.Equal((call, errno), (refused.Call, refused.Errno));
        Assert.Contains($"(errno {errno})", refused.Message, StringComparison.Ordinal);
    }
}
