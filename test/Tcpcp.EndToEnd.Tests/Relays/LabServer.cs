using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Tcpcp.Lab;

namespace Tcpcp.EndToEnd.Tests.Relays;

/// <summary>A server behind a relay, of this process: says its name, if it has one, and then back what it hears, until the other side closes.</summary>
internal sealed class LabServer : IDisposable
{
    private readonly Socket _listener;
    private readonly byte[] _greeting;
    private readonly bool _isSilent;
    private readonly ConcurrentDictionary<Socket, bool> _connections = new();

    private LabServer(Socket listener, string greeting, bool isSilent)
    {
        (_listener, _greeting, _isSilent) = (listener, System.Text.Encoding.ASCII.GetBytes(greeting), isSilent);
        _ = AcceptAsync();
    }

    /// <summary>Connections that it has.</summary>
    public int Count => _connections.Count;

    /// <summary>What it has heard on the last connection that it took, at the start.</summary>
    public byte[] FirstBytes { get; private set; } = [];

    /// <param name="greeting">What it says first.</param>
    /// <param name="isSilent">It accepts, and neither reads nor writes.</param>
    public static LabServer Start(Host host, IPEndPoint address, string greeting = "", bool isSilent = false) => new(host.Run(() =>
    {
        Socket listener = new(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(address);
        listener.Listen();
        return listener;
    }), greeting, isSilent);

    /// <summary>Ends its connections by resets.</summary>
    public void ResetAll()
    {
        foreach (Socket socket in _connections.Keys)
        {
            socket.LingerState = new LingerOption(enable: true, 0);
            socket.Close();
        }
    }

    public void Dispose()
    {
        _listener.Dispose();
        foreach (Socket socket in _connections.Keys)
            socket.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                Socket socket = await _listener.AcceptAsync();
                _connections[socket] = true;
                if (!_isSilent)
                    _ = ServeAsync(socket);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // It is over.
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        byte[] buffer = new byte[32 << 10];
        try
        {
            if (_greeting.Length > 0)
                await socket.SendAsync(_greeting);
            for (bool isFirst = true; await socket.ReceiveAsync(buffer) is > 0 and int count; isFirst = false)
            {
                if (isFirst)
                    FirstBytes = buffer[..count];
                for (int sent = 0; sent < count;)
                    sent += await socket.SendAsync(buffer.AsMemory(sent, count - sent));
            }

            socket.Shutdown(SocketShutdown.Send);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // It is over.
        }

        _connections.TryRemove(socket, out _);
        socket.Dispose();
    }
}
