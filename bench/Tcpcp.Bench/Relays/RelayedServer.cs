using System.Net;
using System.Net.Sockets;
using Tcpcp.Lab;
using Tcpcp.Linux;
using Tcpcp.Linux.Streams;

namespace Tcpcp.Bench.Relays;

/// <summary>The servers behind the relays: one that sends without end, and one that answers what it gets.</summary>
internal sealed class RelayedServer : IDisposable
{
    public const int BulkPort = 9001;
    public const int EchoPort = 9002;

    private readonly Socket _bulk;
    private readonly Socket _echo;
    private readonly ReadinessPoll _poll = ReadinessPoll.Open();
    private readonly Thread _answering;
    private volatile bool _isStopping;

    public RelayedServer(Host host)
    {
        (_bulk, _echo) = host.Run(() => (Listen(host.IPv4, BulkPort), Listen(host.IPv4, EchoPort)));
        new Thread(AcceptBulk) { IsBackground = true }.Start();
        _answering = new Thread(Answer) { IsBackground = true };
        _answering.Start();
    }

    public void Dispose()
    {
        _isStopping = true;
        _poll.Wake();
        _answering.Join();
        _bulk.Dispose();
        _echo.Dispose();
        _poll.Dispose();
    }

    private static Socket Listen(IPAddress address, int port)
    {
        Socket socket = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        socket.Bind(new IPEndPoint(address, port));
        socket.Listen(4096);
        return socket;
    }

    private void AcceptBulk()
    {
        byte[] bytes = new byte[256 << 10];
        try
        {
            while (true)
            {
                Socket socket = _bulk.Accept();
                new Thread(() => SendAll(socket, bytes)) { IsBackground = true }.Start();
            }
        }
        catch (SocketException)
        {
            // It is closed: the end.
        }
    }

    private static void SendAll(Socket socket, byte[] bytes)
    {
        using (socket)
        {
            while (socket.Send(bytes, SocketFlags.None, out SocketError error) > 0 && error == SocketError.Success)
            {
                // Until the client has gone.
            }
        }
    }

    // One thread for all: it waits for connections and for what they say.
    private void Answer()
    {
        const ulong Listener = 0;
        Dictionary<ulong, Socket> sockets = [];
        ulong next = 1;
        byte[] buffer = new byte[16 << 10];
        ReadyDescriptor[] ready = new ReadyDescriptor[256];
        _echo.Blocking = false;
        _poll.Add(_echo.SafeHandle, Listener);
        while (!_isStopping)
        {
            int count = _poll.Wait(ready, -1);
            for (int i = 0; i < count; i++)
            {
                if (ready[i].Key == Listener)
                    AcceptAll();
                else if (sockets.TryGetValue(ready[i].Key, out Socket? socket) && !AnswerAll(socket))
                {
                    sockets.Remove(ready[i].Key);
                    _poll.Remove(socket.SafeHandle);
                    socket.Dispose();
                }
            }
        }

        foreach (Socket socket in sockets.Values)
            socket.Dispose();

        void AcceptAll()
        {
            while (_echo.Poll(0, SelectMode.SelectRead))
            {
                Socket socket = _echo.Accept();
                socket.NoDelay = true;
                socket.Blocking = false;
                sockets[next] = socket;
                _poll.Add(socket.SafeHandle, next++);
            }
        }

        bool AnswerAll(Socket socket)
        {
            while (true)
            {
                int read = StreamSocket.Receive(socket.SafeHandle, buffer);
                if (read == -Errno.EAGAIN)
                    return true;
                if (read <= 0 || StreamSocket.Send(socket.SafeHandle, buffer.AsSpan(0, read)) != read)
                    return false;
                if (read < buffer.Length)
                    return true;
            }
        }
    }
}
