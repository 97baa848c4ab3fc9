using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;
using Tcpcp.Linux.Tcp;
using static Tcpcp.Linux.Tcp.SocketLevel;
using LingerOption = Tcpcp.Linux.Tcp.LingerOption;

namespace Tcpcp.Linux.Tests.Tcp;

public sealed class SocketOptionTests : IDisposable
{
    private readonly RawSocketHandle _socket = RawSocket.Create(ipv6: false);

    public void Dispose() => _socket.Dispose();

    [Fact]
    public void An_option_reads_as_it_was_set()
    {
        SocketOption.Set(_socket, IPPROTO_TCP, TcpOption.TCP_KEEPIDLE, 123);
        Assert.Equal(123, SocketOption.Get(_socket, IPPROTO_TCP, TcpOption.TCP_KEEPIDLE));
    }

    [Fact]
    public void A_structure_reads_as_it_was_set()
    {
        SocketOption.Set(_socket, SOL_SOCKET, SO_LINGER, new LingerOption { l_onoff = 1, l_linger = 17 });
        Assert.Equal(8, SocketOption.Get(_socket, SOL_SOCKET, SO_LINGER, out LingerOption linger));
        Assert.Equal((1, 17), (linger.l_onoff, linger.l_linger));
    }

    [Fact]
    public void Of_a_text_only_what_the_kernel_has_filled_is_returned()
    {
        SocketOption.SetBytes(_socket, IPPROTO_TCP, TcpOption.TCP_CONGESTION, "reno"u8);
        ReadOnlySpan<byte> name = SocketOption.GetBytes(_socket, IPPROTO_TCP, TcpOption.TCP_CONGESTION, stackalloc byte[64]);
        Assert.Equal(16, name.Length); // TCP_CA_NAME_MAX
        Assert.Equal("reno", Encoding.ASCII.GetString(name.TrimEnd((byte)0)));
    }

    [Fact]
    public void A_refused_read_names_call_option_and_error()
    {
        KernelException refused = Assert.Throws<KernelException>(() => SocketOption.Get(_socket, SOL_SOCKET, SocketLevel.SO_COOKIE)); // 8 bytes
        Assert.Equal(("getsockopt(SO_COOKIE)", Errno.EINVAL), (refused.Call, refused.Errno));
        Assert.Equal("getsockopt(SO_COOKIE): Invalid argument (errno 22)", refused.Message);
    }

    [Fact]
    public void A_refused_write_names_call_option_and_error()
    {
        KernelException refused = Assert.Throws<KernelException>(() => SocketOption.Set(_socket, IPPROTO_TCP, TcpOption.TCP_KEEPIDLE, 0));
        Assert.Equal("setsockopt(TCP_KEEPIDLE): Invalid argument (errno 22)", refused.Message);
        refused = Assert.Throws<KernelException>(() => SocketOption.SetBytes(_socket, IPPROTO_TCP, TcpOption.TCP_CONGESTION, "no such one"u8));
        Assert.Equal("setsockopt(TCP_CONGESTION): No such file or directory (errno 2)", refused.Message);
    }

    [Fact]
    public void An_attempt_that_is_refused_is_told_without_an_exception()
    {
        Assert.False(SocketOption.TrySet(_socket, IPPROTO_TCP, TcpOption.TCP_KEEPIDLE, 0));
        Assert.Equal(Errno.EINVAL, Marshal.GetLastPInvokeError());
        Assert.False(SocketOption.TryGet(_socket, IPPROTO_TCP, 9999, out int _, out _));
        Assert.Equal(Errno.ENOPROTOOPT, Marshal.GetLastPInvokeError());
    }
}
