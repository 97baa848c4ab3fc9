using System.Net;
using System.Net.Sockets;
using Tcpcp.Agent.Journal;
using Tcpcp.Agent.Link;
using Tcpcp.Agent.Redirection;
using Tcpcp.Core;
using Tcpcp.Core.Wire;

namespace Tcpcp.Agent.Passing;

/// <summary>
/// Both sides of passing for one host, in the process of an application: passes its connections to another host's agent, and takes those that come.
/// Opened on a thread in the host's network namespace, where all threads of the process must be.
/// </summary>
internal sealed class PassAgent : IDisposable
{
    private readonly HostServices _host;
    private readonly DestinationSide _destination;
    private readonly PassObserver _observer;
    private readonly CancellationTokenSource _stopping = new();
    private IPAddress? _ownAddress;

    private PassAgent(HostServices host, PassObserver observer)
    {
        _host = host;
        _observer = observer;
        _destination = new DestinationSide(host, observer);
    }

    /// <param name="interfaceName">The interface that peers and the other hosts are behind.</param>
    /// <param name="observer">Hears of every step.</param>
    /// <param name="journal">Where passes that are not ended are found after a restart; null: nowhere, they end with the process.</param>
    public static PassAgent Open(string interfaceName, PassOptions options, PassObserver observer, IPassJournal? journal = null) =>
        new(HostServices.Open(interfaceName, options, journal ?? new MemoryJournal()), observer);

    public void Register(IPassReceiver receiver)
    {
        if (!TryRegister(receiver))
            throw new ArgumentException($"An application named '{receiver.Application}' is registered already.", nameof(receiver));
    }

    /// <summary>Adds an application; false if its name is taken.</summary>
    public bool TryRegister(IPassReceiver receiver) => _destination.TryRegister(receiver);

    /// <summary>Takes an application away again: its name is free.</summary>
    public void Unregister(IPassReceiver receiver) => _destination.Unregister(receiver);

    /// <summary>
    /// Goes on with what the journal has, then listens for other agents until this is disposed: the applications must be registered. The link is neither
    /// encrypted nor authenticated: only on a network of trusted hosts.
    /// </summary>
    public void Listen(IPEndPoint endPoint)
    {
        _ownAddress = endPoint.Address;
        foreach (JournalRecord record in _host.Journal.ReadAtStart().Where(record => record.Side != JournalSide.Home))
            Recover(record);
        Socket listener = new(endPoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(endPoint);
        listener.Listen();
        _ = AcceptAsync(listener);
    }

    /// <summary>Passes a connection to the agent at <paramref name="destination"/>.</summary>
    public Task<PassResult> PassAsync(PassRequest request, IPEndPoint destination, CancellationToken cancellationToken) =>
        OriginPass.RunAsync(_host, request, (_, token) => ConnectAsync(destination, token), new OtherHost(destination.ToString(), [destination.Address]), _observer,
            cancellationToken);

    private void Recover(JournalRecord record)
    {
        if (record.Side == JournalSide.Destination)
            _destination.Recover(record, held: null, _stopping.Token);
        else
            _ = OriginPass.RecoverAsync(_host, record, (_, token) => ConnectAsync(IPEndPoint.Parse(record.Destination), token),
                sockets: [], _destination.FindReceiver(record.Application), _observer);
    }

    public void Dispose()
    {
        _stopping.Cancel();
        _host.Dispose();
        _stopping.Dispose();
    }

    // A link that takes nothing any more is as good as broken.
    private int SendMilliseconds => (int)_host.Options.DecisionTime.TotalMilliseconds;

    private async ValueTask<IPassLink> ConnectAsync(IPEndPoint destination, CancellationToken cancellationToken)
    {
        Socket socket = new(destination.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true, SendTimeout = SendMilliseconds };
        try
        {
            // Not from a service address, which the kernel might choose: the link would break when that moves.
            if (_ownAddress is { } own && own.AddressFamily == destination.AddressFamily)
                socket.Bind(new IPEndPoint(own, 0));
            await socket.ConnectAsync(destination, cancellationToken);
            return new StreamLink(new NetworkStream(socket, ownsSocket: true));
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private async Task AcceptAsync(Socket listener)
    {
        using (listener)
        {
            while (!_stopping.IsCancellationRequested)
            {
                try
                {
                    Socket socket = await listener.AcceptAsync(_stopping.Token);
                    (socket.NoDelay, socket.SendTimeout) = (true, SendMilliseconds);
                    _ = _destination.ServeAsync(new StreamLink(new NetworkStream(socket, ownsSocket: true)), peer: null, _stopping.Token);
                }
                catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
                {
                    return;
                }
                catch (SocketException)
                {
                    // One connection that ended before it was accepted.
                }
            }
        }
    }
}
