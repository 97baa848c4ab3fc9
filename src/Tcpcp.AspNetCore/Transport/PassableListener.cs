using System.Net;
using System.Net.Sockets;
using System.Threading.Channels;
using Microsoft.AspNetCore.Connections;
using Tcpcp.AspNetCore.Passing;

namespace Tcpcp.AspNetCore.Transport;

/// <summary>A listening socket; connections that come from other hosts are accepted here too, if they were to this address and port.</summary>
internal sealed class PassableListener : IConnectionListener
{
    private readonly Socket _socket;
    private readonly TransportSettings _settings;
    private readonly bool _noDelay;
    private readonly Action<PassableListener> _unbound;
    private readonly Channel<PassableConnection> _accepted = Channel.CreateUnbounded<PassableConnection>();
    private readonly CancellationTokenSource _unbinding = new();
    private readonly Task _accepting;

    /// <param name="socket">It listens.</param>
    /// <param name="unbound">Hears that no more come.</param>
    public PassableListener(Socket socket, TransportSettings settings, bool noDelay, Action<PassableListener> unbound)
    {
        (_socket, _settings, _noDelay, _unbound) = (socket, settings, noDelay, unbound);
        EndPoint = socket.LocalEndPoint!;
        _accepting = AcceptAsync();
    }

    public EndPoint EndPoint { get; }

    /// <summary>Whether a connection to that address could have been accepted here.</summary>
    public bool Has(IPEndPoint local)
    {
        IPEndPoint own = (IPEndPoint)EndPoint;
        IPAddress address = own.Address.IsIPv4MappedToIPv6 ? own.Address.MapToIPv4() : own.Address;
        return own.Port == local.Port && !_unbinding.IsCancellationRequested && (address.Equals(local.Address) || address.Equals(IPAddress.IPv6Any)
            || (address.Equals(IPAddress.Any) && local.AddressFamily == AddressFamily.InterNetwork));
    }

    /// <summary>A connection that comes from another host.</summary>
    /// <returns>False: no more are accepted.</returns>
    public bool TryAdd(Socket socket, ArrivedConnection arrived) => TryAdd(new PassableConnection(socket, _settings, arrived));

    public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
    {
        while (await _accepted.Reader.WaitToReadAsync(cancellationToken))
        {
            if (_accepted.Reader.TryRead(out PassableConnection? connection))
            {
                connection.Start();
                return connection;
            }
        }

        return null;
    }

    public async ValueTask UnbindAsync(CancellationToken cancellationToken = default)
    {
        if (_unbinding.IsCancellationRequested)
            return;
        _unbound(this);
        await _unbinding.CancelAsync();
        await _accepting;
        _socket.Dispose();
    }

    public async ValueTask DisposeAsync()
    {
        await UnbindAsync(CancellationToken.None);
        while (_accepted.Reader.TryRead(out PassableConnection? connection))
        {
            connection.Start();
            await connection.DisposeAsync();
        }

        _unbinding.Dispose();
        _settings.MemoryPool.Dispose();
    }

    private bool TryAdd(PassableConnection connection)
    {
        _settings.Owner.Began(connection);
        if (_accepted.Writer.TryWrite(connection))
            return true;
        _settings.Owner.Ended(connection);
        return false;
    }

    private async Task AcceptAsync()
    {
        await Task.Yield();
        while (!_unbinding.IsCancellationRequested)
        {
            try
            {
                Socket socket = await _socket.AcceptAsync(_unbinding.Token);
                if (_noDelay)
                    socket.NoDelay = true;
                TryAdd(new PassableConnection(socket, _settings));
            }
            catch (OperationCanceledException)
            {
                break;
            }
            catch (SocketException)
            {
                // It was reset while it waited.
            }
        }

        _accepted.Writer.TryComplete();
    }
}
