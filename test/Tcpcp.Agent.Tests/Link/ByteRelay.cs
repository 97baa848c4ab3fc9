using System.Net;
using System.Net.Sockets;
using Tcpcp.Lab;

namespace Tcpcp.Agent.Tests.Link;

/// <summary>Forwards TCP connections to an agent without looking into them, until it is cut.</summary>
internal sealed class ByteRelay : IDisposable
{
    private readonly Lock _lock = new();
    private readonly Host _host;
    private readonly IPEndPoint _agent;
    private readonly Socket _listener;
    private readonly List<Socket> _open = [];
    private bool _isCut;

    /// <param name="host">Where it listens and dials from.</param>
    public ByteRelay(Host host, IPEndPoint endPoint, IPEndPoint agent)
    {
        (_host, _agent) = (host, agent);
        _listener = host.Run(() =>
        {
            Socket listener = new(endPoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            listener.Bind(endPoint);
            listener.Listen();
            return listener;
        });
        _ = AcceptAsync();
    }

    /// <summary>Ends what is open, and whoever connects, until <see cref="Heal"/>.</summary>
    public void Cut()
    {
        lock (_lock)
        {
            _isCut = true;
            foreach (Socket socket in _open)
                socket.Dispose();
            _open.Clear();
        }
    }

    public void Heal()
    {
        lock (_lock)
            _isCut = false;
    }

    public void Dispose()
    {
        _listener.Dispose();
        Cut();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                Socket origin = await _listener.AcceptAsync();
                Socket destination = _host.Run(() => new Socket(_agent.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true });
                await destination.ConnectAsync(_agent);
                origin.NoDelay = true;
                lock (_lock)
                {
                    _open.AddRange([origin, destination]);
                    if (_isCut)
                        Cut();
                }

                _ = ForwardAsync(origin, destination);
                _ = ForwardAsync(destination, origin);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The end.
        }
    }

    private static async Task ForwardAsync(Socket from, Socket to)
    {
        byte[] buffer = new byte[64 << 10];
        try
        {
            while (await from.ReceiveAsync(buffer) is > 0 and int count)
                await to.SendAsync(buffer.AsMemory(0, count));
            to.Shutdown(SocketShutdown.Send);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Cut.
        }
    }
}
