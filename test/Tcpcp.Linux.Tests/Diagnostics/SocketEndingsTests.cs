using System.Net;
using System.Net.Sockets;
using Tcpcp.Core;
using Tcpcp.Linux.Diagnostics;
using Tcpcp.Linux.Tcp;
using LingerOption = System.Net.Sockets.LingerOption;

namespace Tcpcp.Linux.Tests.Diagnostics;

public sealed class SocketEndingsTests : IDisposable
{
    private static readonly TimeSpan s_wait = TimeSpan.FromMilliseconds(10);

    private readonly LoopbackHost _host = new();
    private readonly SocketDiagnostics _diagnostics;

    public SocketEndingsTests() => _diagnostics = _host.Run(() => new SocketDiagnostics());

    public void Dispose()
    {
        _diagnostics.Dispose();
        _host.Dispose();
    }

    [Theory]
    [InlineData("127.0.0.1", false)]
    [InlineData("127.0.0.1", true)]
    [InlineData("::1", false)]
    [InlineData("::1", true)]
    [InlineData("::ffff:127.0.0.1", true)]
    public async Task Both_ends_of_a_connection_are_told_by_their_cookies_reset_or_not(string address, bool reset)
    {
        using SocketEndings endings = _host.Run(() => SocketEndings.Open(s_wait));
        (Socket client, Socket server) = _host.Connect(IPAddress.Parse(address));
        ulong[] cookies = [CookieOf(client), CookieOf(server)];
        List<ulong> ended = [];
        Assert.True(endings.Wait(ended));
        Assert.Empty(ended.Intersect(cookies));
        if (reset)
            client.LingerState = new LingerOption(true, 0);
        client.Dispose();
        server.Dispose();
        await Eventually.Equal(2, () => endings.Wait(ended) ? ended.Intersect(cookies).Count() : -1);
    }

    [Fact]
    public async Task A_socket_whose_connection_goes_into_TIME_WAIT_is_told_then_and_its_four_tuple_stays_listed()
    {
        using SocketEndings endings = _host.Run(() => SocketEndings.Open(s_wait));
        (Socket client, Socket server) = _host.Connect(IPAddress.Loopback);
        FourTuple connection = RawSocket.Ends(client.SafeHandle, out _, out _);
        ulong cookie = CookieOf(client);
        client.Dispose();
        server.Dispose();
        List<ulong> ended = [];
        await Eventually.Equal(true, () => endings.Wait(ended) && ended.Contains(cookie));
        ListedSocket left = _diagnostics.List().Single(socket => socket.Connection == connection);
        Assert.Equal((TcpState.TimeWait, TcpTimer.TimeWait), (left.State, left.Timer));
        Assert.Equal(cookie, left.Cookie);
    }

    [Fact]
    public async Task What_is_left_of_a_FIN_WAIT2_that_nobody_holds_is_listed_as_one_that_waits()
    {
        (Socket client, Socket server) = _host.Connect(IPAddress.Loopback);
        using (server)
        {
            FourTuple connection = RawSocket.Ends(client.SafeHandle, out _, out _);
            client.Dispose();
            await Eventually.Equal((TcpState.FinWait2, TcpTimer.TimeWait), () =>
            {
                ListedSocket left = _diagnostics.List().SingleOrDefault(socket => socket.Connection == connection); // none for a moment
                return (left.State, left.Timer);
            });
        }
    }

    [Fact]
    public void What_was_lost_is_said_once_and_what_comes_later_is_told()
    {
        using SocketEndings endings = _host.Run(() => SocketEndings.Open(s_wait, bufferBytes: 1));
        for (int i = 0; i < 100; i++)
        {
            (Socket one, Socket other) = _host.Connect(IPAddress.Loopback);
            one.LingerState = new LingerOption(true, 0);
            one.Dispose();
            other.Dispose();
        }

        List<ulong> ended = [];
        Assert.True(SpinWait.SpinUntil(() => !endings.Wait(ended), 20_000));
        Assert.True(SpinWait.SpinUntil(() => IsTold(endings), 20_000)); // not the first perhaps: the others' events come still
    }

    private bool IsTold(SocketEndings endings)
    {
        (Socket client, Socket server) = _host.Connect(IPAddress.Loopback);
        ulong cookie = CookieOf(client);
        client.Dispose();
        server.Dispose();
        List<ulong> ended = [];
        return SpinWait.SpinUntil(() => endings.Wait(ended) && ended.Contains(cookie), 200);
    }

    private ulong CookieOf(Socket socket)
    {
        FourTuple connection = RawSocket.Ends(socket.SafeHandle, out _, out _);
        return _diagnostics.Find(connection)!.Value.Cookie;
    }
}
