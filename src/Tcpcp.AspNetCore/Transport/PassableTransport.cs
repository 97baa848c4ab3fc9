using System.Buffers;
using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Options;
using Tcpcp.AspNetCore.Passing;

namespace Tcpcp.AspNetCore.Transport;

/// <summary>The transport of TCP endpoints; it follows the options of Kestrel's own, which has the other endpoints.</summary>
internal sealed class PassableTransport(
    IMemoryPoolFactory<byte> pools, IOptions<SocketTransportOptions> sockets, IOptions<TcpcpOptions> options, ServerConnections connections)
    : IConnectionListenerFactory, IConnectionListenerFactorySelector
{
    private readonly ConcurrentDictionary<PassableListener, byte> _listeners = [];

    /// <summary>Where connections can come to.</summary>
    public IEnumerable<PassableListener> Listeners => _listeners.Keys;

    public bool CanBind(EndPoint endpoint) => endpoint is IPEndPoint;

    public ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default)
    {
        SocketTransportOptions settings = sockets.Value;
        Socket socket;
        try
        {
            socket = settings.CreateBoundListenSocket(endpoint);
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.AddressAlreadyInUse)
        {
            throw new AddressInUseException(e.Message, e);
        }

        socket.Listen(settings.Backlog);
        MemoryPool<byte> pool = pools.Create(new MemoryPoolOptions { Owner = "tcpcp" });
        PassableListener listener = new(socket, new TransportSettings(pool, settings, options.Value.QuiesceTimeout, connections), settings.NoDelay, Unbind);
        _listeners[listener] = 0;
        return new(listener);
    }

    private void Unbind(PassableListener listener) => _listeners.TryRemove(listener, out _);
}
