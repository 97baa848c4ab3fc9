using System.Net;
using System.Net.Sockets;
using Tcpcp.Core;
using Tcpcp.Linux.Diagnostics;
using Tcpcp.Linux.Tcp;

namespace Tcpcp.Linux.Tests.Diagnostics;

public sealed class SocketDiagnosticsTests : IDisposable
{
    private readonly LoopbackHost _host = new();
    private readonly SocketDiagnostics _diagnostics;

    public SocketDiagnosticsTests() => _diagnostics = _host.Run(() => new SocketDiagnostics());

    public void Dispose()
    {
        _diagnostics.Dispose();
        _host.Dispose();
    }

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("::1")]
    [InlineData("::ffff:127.0.0.1")]
    public void Both_ends_of_a_connection_are_listed_with_their_marks(string address)
    {
        (Socket client, Socket server) = _host.Connect(IPAddress.Parse(address));
        using (client)
        using (server)
        {
            SocketOption.Set(client.SafeHandle, SocketLevel.SOL_SOCKET, SocketLevel.SO_MARK, 0x7C70_0001u);
            FourTuple connection = RawSocket.Ends(client.SafeHandle, out _, out _);
            Assert.Equal(
                [(connection, TcpState.Established, 0x7C70_0001u), (connection.Reversed, TcpState.Established, 0u)],
                _diagnostics.List().OrderByDescending(socket => socket.Mark).Select(socket => (socket.Connection, socket.State, socket.Mark!.Value)));
        }
    }

    [Fact]
    public async Task A_half_closed_connection_is_listed_with_its_states()
    {
        (Socket client, Socket server) = _host.Connect(IPAddress.Loopback);
        using (client)
        using (server)
        {
            FourTuple connection = RawSocket.Ends(client.SafeHandle, out _, out _);
            client.Shutdown(SocketShutdown.Send);
            await Eventually.Equal((TcpState.FinWait2, TcpState.CloseWait), () =>
            {
                IReadOnlyList<ListedSocket> sockets = _diagnostics.List();
                return (sockets.Single(socket => socket.Connection == connection).State,
                    sockets.Single(socket => socket.Connection == connection.Reversed).State);
            });
        }
    }

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("::1")]
    [InlineData("::ffff:127.0.0.1")]
    public async Task One_connection_is_described_with_its_queues_and_its_owner(string address)
    {
        (Socket client, Socket server) = _host.Connect(IPAddress.Parse(address));
        using (client)
        using (server)
        {
            FourTuple connection = RawSocket.Ends(server.SafeHandle, out bool ipv6, out bool v4Mapped);
            client.Send(new byte[1234]);
            await Eventually.Equal(1234u, () => _diagnostics.Find(connection)!.Value.UnreadBytes);
            ListedSocket found = _diagnostics.Find(connection)!.Value;
            Assert.Equal((connection, TcpState.Established, ipv6, v4Mapped), (found.Connection, found.State, found.IPv6Socket, found.V4Mapped));
            Assert.Equal(found.Inode, SocketOwners.InodeOf(Environment.ProcessId, (int)server.Handle));
            Assert.Equal((Environment.ProcessId, (int)server.Handle),
                Assert.Single(SocketOwners.Read().Of(found.Inode).Select(owner => (owner.ProcessId, owner.Descriptor))));

            SocketOption.Get(server.SafeHandle, SocketLevel.SOL_SOCKET, SocketLevel.SO_COOKIE, out ulong cookie);
            Assert.Equal(cookie, found.Cookie);
            SocketDetails details = _diagnostics.Describe(found)!;
            Assert.Equal(1234u, details.Info!.Value.tcpi_bytes_received);
            Assert.NotEmpty(details.Congestion!);
            Assert.True(details.Memory!.Value.ReceiveAllocated >= 1234);
            Assert.Equal((byte)0, details.Shutdown);
        }
    }

    [Fact]
    public void A_connection_that_is_gone_is_not_found()
    {
        (Socket client, Socket server) = _host.Connect(IPAddress.Loopback);
        FourTuple connection = RawSocket.Ends(client.SafeHandle, out _, out _);
        ListedSocket listed = _diagnostics.Find(connection)!.Value;
        client.LingerState = new System.Net.Sockets.LingerOption(enable: true, 0); // an RST: neither end stays
        client.Dispose();
        server.Dispose();
        Assert.Null(_diagnostics.Describe(listed));
        Assert.Null(_diagnostics.Find(connection));
    }

    [Fact]
    public void A_socket_that_has_ended_and_is_held_still_is_not_listed()
    {
        (Socket client, Socket server) = _host.Connect(IPAddress.Loopback);
        using (client)
        using (server)
        {
            FourTuple connection = RawSocket.Ends(client.SafeHandle, out _, out _);
            Assert.True(_diagnostics.Destroy(_diagnostics.Find(connection)!.Value));
            Assert.DoesNotContain(_diagnostics.List(), socket => socket.Connection == connection);
            Assert.Null(_diagnostics.Find(connection));
        }
    }

    [Fact]
    public void A_listening_socket_is_found_only_among_those_that_listen()
    {
        using Socket listener = _host.Listen(IPAddress.Loopback);
        ListedSocket listed = Assert.Single(_diagnostics.List(TcpState.Listen));
        Assert.Equal(((IPEndPoint)listener.LocalEndPoint!).Port, listed.Connection.Local.Port);
        Assert.Null(_diagnostics.Find(new FourTuple(listed.Connection.Local, new IPEndPoint(IPAddress.Loopback, 9))));
    }

    [Fact]
    public void A_listening_socket_with_a_mapped_address_is_not_taken_for_a_connection()
    {
        using Socket listener = _host.MakeSocket(AddressFamily.InterNetworkV6);
        listener.DualMode = true;
        listener.Bind(new IPEndPoint(IPAddress.Loopback.MapToIPv6(), 0));
        listener.Listen();
        IPEndPoint local = new(IPAddress.Loopback, ((IPEndPoint)listener.LocalEndPoint!).Port);
        Assert.Equal(local, Assert.Single(_diagnostics.List(TcpState.Listen)).Connection.Local);
        Assert.Null(_diagnostics.Find(new FourTuple(local, new IPEndPoint(IPAddress.Loopback, 9))));
    }

    [Fact]
    public void A_descriptor_that_is_no_socket_has_no_inode_and_one_that_is_not_there_fails()
    {
        using FileStream file = File.OpenRead("/proc/self/status");
        Assert.Null(SocketOwners.InodeOf(Environment.ProcessId, (int)file.SafeFileHandle.DangerousGetHandle()));
        Assert.Equal(Errno.ENOENT, Assert.Throws<KernelException>(() => SocketOwners.InodeOf(Environment.ProcessId, 999_999)).Errno);
        Assert.Equal(Errno.ENOENT, Assert.Throws<KernelException>(() => SocketOwners.InodeOf(int.MaxValue, 0)).Errno);
    }

    [Fact]
    public void A_listening_socket_is_no_connection()
    {
        using Socket listener = _host.Listen(IPAddress.Loopback);
        Assert.Empty(_diagnostics.List());
    }

    [Fact]
    public void A_list_of_many_is_complete()
    {
        List<Socket> sockets = [];
        for (int i = 0; i < 300; i++)
        {
            (Socket client, Socket server) = _host.Connect(IPAddress.Loopback);
            sockets.AddRange([client, server]);
        }

        Assert.Equal(
            sockets.Select(socket => RawSocket.Ends(socket.SafeHandle, out _, out _)).ToHashSet(),
            _diagnostics.List().Select(socket => socket.Connection).ToHashSet());
        sockets.ForEach(socket => socket.Dispose());
    }

    [Fact]
    public void Another_host_s_connections_are_not_listed()
    {
        using LoopbackHost other = new();
        (Socket client, Socket server) = other.Connect(IPAddress.Loopback);
        using (client)
        using (server)
            Assert.Empty(_diagnostics.List());
    }
}
