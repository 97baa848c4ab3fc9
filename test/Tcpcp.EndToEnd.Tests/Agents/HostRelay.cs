using System.Net;
using System.Net.Sockets;
using Tcpcp.Lab;

namespace Tcpcp.EndToEnd.Tests.Agents;

/// <summary>A way from this process to something that only a host of the lab can reach.</summary>
internal sealed class HostRelay : IDisposable
{
    private readonly Host _host;
    private readonly IPEndPoint _target;
    private readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);

    private HostRelay(Host host, IPEndPoint target)
    {
        (_host, _target) = (host, target);
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listener.Listen();
    }

    public IPEndPoint EndPoint => (IPEndPoint)_listener.LocalEndPoint!;

    public static HostRelay Start(Host host, IPEndPoint target)
    {
        HostRelay relay = new(host, target);
        _ = relay.AcceptAsync();
        return relay;
    }

    public void Dispose() => _listener.Dispose();

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
                _ = RelayAsync(await _listener.AcceptAsync());
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // It is closed.
        }
    }

    private async Task RelayAsync(Socket here)
    {
        using NetworkStream near = new(here, ownsSocket: true);
        Socket there = _host.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
        await there.ConnectAsync(_target);
        using NetworkStream far = new(there, ownsSocket: true);
        try
        {
            await Task.WhenAny(near.CopyToAsync(far), far.CopyToAsync(near));
        }
        catch (IOException)
        {
            // An end is closed.
        }
    }
}
