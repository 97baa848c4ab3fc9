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
                [new(connection, TcpState.Established, 0x7C70_0001u), new ListedSocket(connection.Reversed, TcpState.Established, 0u)],
                _diagnostics.List().OrderByDescending(socket => socket.Mark));
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
