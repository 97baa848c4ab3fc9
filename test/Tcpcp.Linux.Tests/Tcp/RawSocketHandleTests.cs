using System.Net.Sockets;
using Tcpcp.Linux.Processes;
using Tcpcp.Linux.Tcp;
using static Tcpcp.Linux.Tcp.SocketLevel;
using LingerOption = Tcpcp.Linux.Tcp.LingerOption;

namespace Tcpcp.Linux.Tests.Tcp;

public sealed class RawSocketHandleTests
{
    [Fact]
    public void Closing_it_leaves_the_options_of_the_socket_as_other_descriptors_have_them()
    {
        RawSocketHandle socket = RawSocket.Create(ipv6: false);
        using ProcessDescriptor self = ProcessDescriptor.Open(Environment.ProcessId);
        using DuplicatedDescriptor other = self.Duplicate((int)socket.DangerousGetHandle());
        socket.Dispose();
        SocketOption.Get(other, SOL_SOCKET, SO_LINGER, out LingerOption linger);
        Assert.Equal(0, linger.l_onoff);
    }

    [Fact]
    public void Handed_over_the_descriptor_stays_open_under_its_new_owner()
    {
        RawSocketHandle socket = RawSocket.Create(ipv6: false);
        using SafeSocketHandle owner = socket.HandOver();
        socket.Dispose();
        Assert.Equal(IPPROTO_TCP, SocketOption.Get(owner, SOL_SOCKET, SO_PROTOCOL));
        Assert.Throws<ObjectDisposedException>(() => socket.HandOver());
    }

    [Fact]
    public void Disposed_while_it_is_held_it_is_closed_when_the_scope_is_left()
    {
        RawSocketHandle socket = RawSocket.Create(ipv6: false);
        using RawSocketHandle another = RawSocket.Create(ipv6: true);
        using (HeldDescriptor.Hold(socket))
        {
            socket.Dispose();
            using (HeldDescriptor.Hold(another))
                Assert.Equal(AF_INET6, SocketOption.Get(another, SOL_SOCKET, SO_DOMAIN));
            Assert.Equal(AF_INET, SocketOption.Get(socket, SOL_SOCKET, SO_DOMAIN));
        }

        Assert.Throws<ObjectDisposedException>(() => SocketOption.Get(socket, SOL_SOCKET, SO_DOMAIN));
    }
}
