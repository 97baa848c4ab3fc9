using System.Net;
using System.Net.Sockets;
using Tcpcp.Lab;

namespace Tcpcp.Agent.Tests.Conversations;

/// <summary>Forwards the links of one agent to another, message by message, and breaks the first one where the fault says.</summary>
internal sealed class LinkProxy : IDisposable
{
    private readonly Lock _lock = new();
    private readonly Host _host;
    private readonly Socket _listener;
    private readonly IPEndPoint _agent;
    private readonly LinkFault _fault;
    private readonly List<ProxiedLink> _links = [];
    private readonly TaskCompletionSource _broken = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Task _accepting;
    private volatile bool _isDown;

    private LinkProxy(Host host, Socket listener, IPEndPoint agent, LinkFault fault)
    {
        (_host, _listener, _agent, _fault) = (host, listener, agent, fault);
        _accepting = Task.Factory.StartNew(Accept, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    /// <summary>The fault has happened.</summary>
    public Task Broken => _broken.Task;

    /// <param name="host">Where it listens and dials from.</param>
    public static LinkProxy Start(Host host, IPEndPoint endPoint, IPEndPoint agent, LinkFault fault) => new(host, host.Run(() =>
    {
        Socket listener = new(endPoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(endPoint);
        listener.Listen();
        return listener;
    }), agent, fault);

    /// <summary>New links are forwarded again.</summary>
    public void Heal() => _isDown = false;

    public void Dispose()
    {
        _listener.Dispose();
        _accepting.Wait();
        lock (_lock)
        {
            foreach (ProxiedLink link in _links)
                link.Dispose();
        }
    }

    private void Accept()
    {
        try
        {
            while (true)
            {
                Socket origin = _listener.Accept();
                if (_isDown)
                {
                    origin.Dispose();
                    continue;
                }

                Socket destination = _host.Run(() =>
                {
                    Socket socket = new(_agent.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
                    socket.Connect(_agent);
                    return socket;
                });
                lock (_lock)
                    _links.Add(new ProxiedLink(origin, destination, _fault, TakeFault));
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The end.
        }
    }

    // The first link that comes to it.
    private bool TakeFault()
    {
        _isDown = _fault.StaysDown;
        return _broken.TrySetResult();
    }
}
