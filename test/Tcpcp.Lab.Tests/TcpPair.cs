using System.Net;
using System.Net.Sockets;

namespace Tcpcp.Lab.Tests;

/// <summary>A TCP connection between two hosts.</summary>
internal sealed record TcpPair(Socket Client, Socket Server) : IDisposable
{
    public static TcpPair Connect(Host client, Host server, IPAddress address)
    {
        using Socket listener = Listen(server, address);
        Socket near = ConnectTo(client, (IPEndPoint)listener.LocalEndPoint!);
        return new TcpPair(near, listener.Accept());
    }

    public static Socket Listen(Host host, IPAddress address, int port = 0) => host.Run(() =>
    {
        Socket listener = new(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(address, port));
        listener.Listen();
        return listener;
    });

    public static Socket ConnectTo(Host host, IPEndPoint server) => host.Run(() =>
    {
        Socket socket = new(server.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.Connect(server);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    });

    public void Dispose()
    {
        Client.Dispose();
        Server.Dispose();
    }
}
