using System.Net;
using System.Net.Sockets;
using Tcpcp.Core;
using Tcpcp.Linux.Tcp;

namespace Tcpcp.Linux.Tests.Tcp;

public sealed class RawSocketTests : IDisposable
{
    private const int ENETUNREACH = 101;

    private readonly LoopbackHost _host = new();

    public void Dispose() => _host.Dispose();

    [Theory]
    [InlineData("127.0.0.1", false, false)]
    [InlineData("::1", true, false)]
    [InlineData("::ffff:127.0.0.1", true, true)]
    public void The_ends_of_a_connection_are_those_on_the_wire(string address, bool ipv6, bool mapped)
    {
        (Socket client, Socket server) = _host.Connect(IPAddress.Parse(address));
        using (client)
        using (server)
        {
            FourTuple connection = RawSocket.Ends(client.SafeHandle, out bool ipv6Socket, out bool v4Mapped);
            Assert.Equal((ipv6, mapped), (ipv6Socket, v4Mapped));
            Assert.Equal(new FourTuple((IPEndPoint)client.LocalEndPoint!, (IPEndPoint)client.RemoteEndPoint!), connection);
            Assert.Equal(ipv6 && !mapped, connection.IsIPv6);
            Assert.Equal(connection.Reversed, RawSocket.Ends(server.SafeHandle, out _, out _));
        }
    }

    [Fact]
    public void The_ends_of_a_link_local_connection_have_their_scope()
    {
        int loopback = _host.Network.Links.Get("lo").Index;
        _host.AddAddress("lo", "fe80::1/64");
        (Socket client, Socket server) = _host.Connect(IPAddress.Parse($"fe80::1%{loopback}"));
        using (client)
        using (server)
        {
            FourTuple connection = RawSocket.Ends(client.SafeHandle, out _, out _);
            Assert.Equal((loopback, loopback), (connection.Local.Address.ScopeId, connection.Peer.Address.ScopeId));
        }
    }

    [Fact]
    public void A_socket_without_a_peer_is_told()
    {
        using RawSocketHandle socket = RawSocket.Create(ipv6: false);
        KernelException refused = Assert.Throws<KernelException>(() => RawSocket.Ends(socket, out _, out _));
        Assert.Equal(("getpeername", Errno.ENOTCONN), (refused.Call, refused.Errno));
    }

    [Fact]
    public void A_socket_of_another_family_is_told()
    {
        using Socket socket = _host.Run(() => new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified));
        KernelException refused = Assert.Throws<KernelException>(() => RawSocket.Ends(socket.SafeHandle, out _, out _));
        Assert.Contains("getsockname (address family 1)", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_address_in_use_is_named()
    {
        using Socket listener = _host.Listen(IPAddress.Loopback);
        IPEndPoint taken = (IPEndPoint)listener.LocalEndPoint!;
        using RawSocketHandle socket = _host.Run(() => RawSocket.Create(ipv6: false));
        KernelException refused = Assert.Throws<KernelException>(() => RawSocket.Bind(socket, taken, ipv6: false));
        Assert.Equal($"bind ({taken}): Address already in use (errno {Errno.EADDRINUSE})", refused.Message);
    }

    [Theory]
    [InlineData("192.0.2.1", false)]
    [InlineData("2001:db8::1", true)]
    [InlineData("192.0.2.1", true)]
    public void An_address_of_another_host_is_named(string address, bool ipv6)
    {
        IPEndPoint foreign = new(IPAddress.Parse(address), 80);
        using RawSocketHandle socket = _host.Run(() => RawSocket.Create(ipv6));
        KernelException refused = Assert.Throws<KernelException>(() => RawSocket.Bind(socket, foreign, ipv6));
        Assert.Equal(("bind", Errno.EADDRNOTAVAIL), (refused.Call, refused.Errno));
        Assert.Contains($"({foreign})", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("192.0.2.1", false)]
    [InlineData("2001:db8::1", true)]
    public void A_peer_without_a_route_is_named(string address, bool ipv6)
    {
        IPEndPoint far = new(IPAddress.Parse(address), 80);
        using RawSocketHandle socket = _host.Run(() => RawSocket.Create(ipv6));
        KernelException refused = Assert.Throws<KernelException>(() => RawSocket.Connect(socket, far, ipv6));
        Assert.Equal(("connect", ENETUNREACH), (refused.Call, refused.Errno));
        Assert.Contains($"({far})", refused.Message, StringComparison.Ordinal);
    }
}
