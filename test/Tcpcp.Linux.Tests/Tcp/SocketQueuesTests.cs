using System.Net;
using System.Net.Sockets;
using Tcpcp.Linux.Tcp;

namespace Tcpcp.Linux.Tests.Tcp;

public sealed class SocketQueuesTests : IDisposable
{
    private const int EPIPE = 32;

    private readonly LoopbackHost _host = new();
    private readonly Socket _client;
    private readonly Socket _server;

    public SocketQueuesTests() => (_client, _server) = _host.Connect(IPAddress.Loopback);

    public void Dispose()
    {
        _client.Dispose();
        _server.Dispose();
        _host.Dispose();
    }

    [Fact]
    public async Task What_is_not_read_is_counted_and_can_be_looked_at()
    {
        _client.Send("hello"u8);
        await Eventually.Equal(5, () => SocketQueues.UnreadBytes(_server.SafeHandle));
        byte[] start = new byte[3];
        Assert.Equal(3, SocketQueues.Peek(_server.SafeHandle, start));
        Assert.Equal("hel"u8.ToArray(), start);
        Assert.Equal(5, SocketQueues.UnreadBytes(_server.SafeHandle));
        Assert.Equal(0, SocketQueues.UnacknowledgedBytes(_client.SafeHandle));
    }

    [Fact]
    public async Task What_finds_no_room_is_told_and_counted_as_unsent()
    {
        byte[] much = new byte[100_000];
        await Eventually.Equal(-Errno.EAGAIN, () => SocketQueues.Send(_client.SafeHandle, much));
        int unacknowledged = SocketQueues.UnacknowledgedBytes(_client.SafeHandle);
        Assert.InRange(SocketQueues.UnsentBytes(_client.SafeHandle), 1, unacknowledged);
    }

    [Fact]
    public void Sending_after_the_end_is_told_without_a_signal()
    {
        _client.Shutdown(SocketShutdown.Send);
        Assert.Equal(-EPIPE, SocketQueues.Send(_client.SafeHandle, "x"u8));
    }

    [Fact]
    public async Task Urgent_data_is_noticed_until_it_is_read()
    {
        Assert.False(SocketQueues.HasUrgentData(_server.SafeHandle));
        _client.Send("!"u8, SocketFlags.OutOfBand);
        await Eventually.Equal(true, () => SocketQueues.HasUrgentData(_server.SafeHandle));
        _server.Receive(new byte[1], SocketFlags.OutOfBand);
        Assert.False(SocketQueues.HasUrgentData(_server.SafeHandle));
    }

    [Fact]
    public void A_socket_that_has_no_such_queue_is_told()
    {
        using Socket listener = _host.Listen(IPAddress.Loopback);
        KernelException refused = Assert.Throws<KernelException>(() => SocketQueues.UnreadBytes(listener.SafeHandle));
        Assert.Equal(("ioctl(SIOCINQ)", Errno.EINVAL), (refused.Call, refused.Errno));
    }
}
