using System.Net;
using System.Net.Sockets;
using Tcpcp.Lab;

namespace Tcpcp.AspNetCore.Tests.Labs;

/// <summary>Reaches a port of the loopback interface of a host from this process's own.</summary>
internal sealed class LoopbackForward : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _accepting;

    private LoopbackForward(Host host, int port)
    {
        _listener.Start();
        _accepting = AcceptAsync(host, port);
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    public static LoopbackForward Start(Host host, int port) => new(host, port);

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Dispose();
        await _accepting;
        _stop.Dispose();
    }

    private async Task AcceptAsync(Host host, int port)
    {
        List<Task> connections = [];
        try
        {
            while (true)
                connections.Add(ForwardAsync(await _listener.AcceptSocketAsync(_stop.Token), host, port));
        }
        catch (OperationCanceledException)
        {
            await Task.WhenAll(connections);
        }
    }

    private async Task ForwardAsync(Socket near, Host host, int port)
    {
        using Socket far = host.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
        try
        {
            await far.ConnectAsync(IPAddress.Loopback, port, _stop.Token);
            await using NetworkStream nearStream = new(near, ownsSocket: true), farStream = new(far);
            await Task.WhenAny(nearStream.CopyToAsync(farStream, _stop.Token), farStream.CopyToAsync(nearStream, _stop.Token));
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException)
        {
            near.Dispose(); // the browser is not there, or not any more
        }
    }
}
