using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Grpc.Core;
using Grpc.Net.Client;
using Tcpcp.Agent.Passing;
using Tcpcp.Agent.Redirection;
using Tcpcp.Core;
using Tcpcp.Core.Wire;
using ForwardedConnection = Tcpcp.Agent.Redirection.ForwardedConnection;
using FourTuple = Tcpcp.Core.FourTuple;
using OwnedConnection = Tcpcp.Agent.Redirection.OwnedConnection;
using OwnershipClient = Tcpcp.Core.Wire.Ownership.OwnershipClient;
using PassingClient = Tcpcp.Core.Wire.Passing.PassingClient;
using RedirectionClient = Tcpcp.Core.Wire.Redirection.RedirectionClient;
using ServicePorts = Tcpcp.Agent.Redirection.ServicePorts;

namespace Tcpcp.Agent.Link;

/// <summary>
/// One connection to a destination's agent, with one stream that carries the messages of all passes to there. Once broken it stays so; its certificate is
/// that of the time when it was opened.
/// </summary>
internal sealed class AgentConnection : IDisposable
{
    /// <summary>What waits to be sent before a sender waits too: a few chunks of a transfer.</summary>
    private const long MaxQueuedBytes = 8 << 20;

    private const int StreamWindowBytes = 4 << 20;

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_keepAlive = TimeSpan.FromSeconds(5);

    private readonly DestinationAddress _destination;
    private readonly IPAddress? _ownAddress;
    private readonly GrpcChannel _channel;
    private readonly PassingClient _client;
    private readonly CancellationTokenSource _ending = new();
    private readonly ConcurrentDictionary<PassId, SharedStreamLink> _links = new();
    private readonly TaskCompletionSource<LinkException> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private AsyncDuplexStreamingCall<PassMessage, PassMessage>? _call;
    private readonly StrayAnswer? _strays;
    private OutgoingMessages? _outgoing;
    private string? _certificateFault;

    private AgentConnection(DestinationAddress destination, IPAddress? ownAddress, HostCertificate certificate, SslStreamCertificateContext shown, StrayAnswer? strays)
    {
        (_destination, _strays) = (destination, strays);
        _ownAddress = ownAddress;
        SocketsHttpHandler handler = new()
        {
            ConnectCallback = ConnectAsync,
            EnableMultipleHttp2Connections = false,
            InitialHttp2StreamWindowSize = StreamWindowBytes,
            KeepAlivePingDelay = s_keepAlive,
            KeepAlivePingTimeout = s_keepAlive,
            KeepAlivePingPolicy = HttpKeepAlivePingPolicy.Always,
            PooledConnectionIdleTimeout = Timeout.InfiniteTimeSpan,
            UseProxy = false,
            UseCookies = false,
            ActivityHeadersPropagator = null,
            SslOptions = new SslClientAuthenticationOptions
            {
                TargetHost = destination.Name,
                EnabledSslProtocols = SslProtocols.Tls13,
                ClientCertificateContext = shown,
                CertificateChainPolicy = certificate.ChainPolicy(),
                AllowTlsResume = false, // else an authority that has been removed would still be trusted
                RemoteCertificateValidationCallback = IsDestination,
            },
        };
        _channel = GrpcChannel.ForAddress($"https://{destination.Name}", new GrpcChannelOptions
        {
            HttpHandler = handler,
            DisposeHttpClient = true,
            MaxReceiveMessageSize = StreamLink.MaxMessageBytes,
            MaxSendMessageSize = StreamLink.MaxMessageBytes,
            ThrowOperationCanceledOnCancellation = true,
        });
        _client = new PassingClient(_channel);
    }

    /// <summary>Completes, with the reason, when it is broken.</summary>
    public Task<LinkException> Ended => _ended.Task;

    public bool IsOpen => !_ended.Task.IsCompleted;

    /// <param name="ownAddress">The address of this host that it comes from; null: any, which may be a service address that moves away.</param>
    /// <exception cref="LinkException">The destination was not reached, or is not who it should be.</exception>
    public static async Task<AgentConnection> OpenAsync(
        DestinationAddress destination, IPAddress? ownAddress, HostCertificate certificate, StrayAnswer? strays, CancellationToken cancellationToken)
    {
        AgentConnection connection = new(destination, ownAddress, certificate, await certificate.Context.WaitAsync(cancellationToken), strays);
        try
        {
            await connection.OpenAsync(cancellationToken);
            return connection;
        }
        catch (Exception e)
        {
            connection.Dispose();
            if (e is OperationCanceledException && cancellationToken.IsCancellationRequested)
                throw;
            throw new LinkException($"The agent of {destination} was not reached: {connection.Explain(e)}", e);
        }
    }

    /// <summary>The link of one pass. Disposing of it leaves those of others as they are.</summary>
    public IPassLink Open(PassId pass)
    {
        SharedStreamLink link = new(pass, _outgoing!, Close);
        _links[pass] = link;
        if (_ended.Task is { IsCompleted: true, Result: { } fault })
            link.Inbox.End(fault);
        return link;
    }

    /// <exception cref="LinkException">There was no answer.</exception>
    public Task<PingReply> PingAsync(CancellationToken cancellationToken) =>
        AskAsync(async () => await _client.PingAsync(new PingRequest(), cancellationToken: cancellationToken));

    /// <summary>Asks a home what it forwards to this host.</summary>
    /// <param name="named">Of these; empty: of all.</param>
    /// <exception cref="LinkException">There was no answer.</exception>
    public Task<IReadOnlyList<ForwardedConnection>> ListForwardedAsync(IEnumerable<FourTuple> named, CancellationToken cancellationToken) => AskAsync(async () =>
    {
        ForwardedRequest request = new() { Connections = { named.Select(EndPointWire.ToMessage) } };
        using AsyncServerStreamingCall<ForwardedReply> call = _client.Forwarded(request, cancellationToken: cancellationToken);
        List<ForwardedConnection> forwarded = [];
        await foreach (ForwardedReply part in call.ResponseStream.ReadAllAsync(cancellationToken))
            forwarded.AddRange(ForwardingMessages.FromMessages(part.Connections));
        return (IReadOnlyList<ForwardedConnection>)forwarded;
    });

    /// <summary>Says to a home that connections have ended.</summary>
    /// <returns>Those that are forwarded still.</returns>
    /// <exception cref="LinkException">There was no answer.</exception>
    public Task<IReadOnlyList<FourTuple>> EndForwardedAsync(IEnumerable<ForwardedConnection> ended, CancellationToken cancellationToken) => AskAsync(async () =>
    {
        EndedRequest request = new() { Connections = { ended.Select(ForwardingMessages.ToMessage) } };
        return ForwardingMessages.FromMessages((await _client.EndedAsync(request, cancellationToken: cancellationToken)).Standing);
    });

    /// <summary>Asks a redirector whether it could send packets to a host.</summary>
    /// <exception cref="LinkException">There was no answer.</exception>
    public Task<(string? Obstacle, ulong LastNumber)> ExamineAsync(IEnumerable<FourTuple> connections, string host, CancellationToken cancellationToken) => AskAsync(async () =>
    {
        ExamineRequest request = new() { Connections = { connections.Select(EndPointWire.ToMessage) }, Host = host };
        ExamineReply reply = await new RedirectionClient(_channel).ExamineAsync(request, cancellationToken: cancellationToken);
        return ((string?)(reply.Obstacle.Length == 0 ? null : reply.Obstacle), reply.LastNumber);
    });

    /// <summary>Has a redirector send packets to a host.</summary>
    /// <returns>The highest of the numbers that hold now.</returns>
    /// <exception cref="LinkException">There was no answer, or it was refused.</exception>
    public Task<ulong> RedirectAsync(RedirectOrder order, CancellationToken cancellationToken) => AskAsync(async () =>
    {
        RedirectReply reply = await new RedirectionClient(_channel).RedirectAsync(RedirectionMessages.ToMessage(order), cancellationToken: cancellationToken);
        return reply.Numbers.Count == order.Connections.Count && reply.Numbers.All(number => number >= order.Number) ? reply.Numbers.Max()
            : throw new InvalidSnapshotException("It acknowledges another redirection.");
    });

    /// <summary>Asks a host for its connections.</summary>
    /// <exception cref="LinkException">There was no answer.</exception>
    public Task<IReadOnlyList<OwnedConnection>> ListOwnedAsync(IEnumerable<ServicePorts> services, CancellationToken cancellationToken) => AskAsync(async () =>
    {
        OwnedRequest request = new() { Services = { services.Select(RedirectionMessages.ToMessage) } };
        using AsyncServerStreamingCall<OwnedReply> call = new OwnershipClient(_channel).Owned(request, cancellationToken: cancellationToken);
        List<OwnedConnection> owned = [];
        await foreach (OwnedReply part in call.ResponseStream.ReadAllAsync(cancellationToken))
            owned.AddRange(part.Connections.Select(RedirectionMessages.FromMessage));
        return (IReadOnlyList<OwnedConnection>)owned;
    });

    /// <summary>Has a home send packets to another host.</summary>
    /// <exception cref="LinkException">There was no answer.</exception>
    public Task<RepointAnswer> RepointAsync(RepointOrder order, CancellationToken cancellationToken) => AskAsync(async () =>
    {
        RepointReply reply = await _client.RepointAsync(ForwardingMessages.ToMessage(order), cancellationToken: cancellationToken);
        return new RepointAnswer(reply.Number, reply.Obstacle.Length > 0 ? reply.Obstacle : null);
    });

    /// <summary>Says to a home that connections are this host's.</summary>
    /// <exception cref="LinkException">There was no answer.</exception>
    public Task ClaimForwardedAsync(IEnumerable<FourTuple> connections, CancellationToken cancellationToken) => AskAsync(async () =>
        await _client.ClaimAsync(new ClaimRequest { Connections = { connections.Select(EndPointWire.ToMessage) } }, cancellationToken: cancellationToken));

    /// <summary>Asks an owner to take the address of its connections.</summary>
    /// <param name="staying">Connections of the address that stay here: their packets come here still.</param>
    /// <returns>Null if it has done so, or would; else why not.</returns>
    /// <exception cref="LinkException">There was no answer.</exception>
    public Task<string?> TakeAddressAsync(
        IPAddress address, AddressPorts ports, IEnumerable<FourTuple> staying, bool isQuestion, CancellationToken cancellationToken) => AskAsync(async () =>
    {
        TakeAddressRequest request = new()
        {
            Address = Google.Protobuf.ByteString.CopyFrom(address.GetAddressBytes()),
            Ports = { ports.Listened.Select(port => (uint)port) },
            OpenedPorts = { ports.Opened.Select(port => (uint)port) },
            Staying = { staying.Select(EndPointWire.ToMessage) },
            IsQuestion = isQuestion,
        };
        TakeAddressReply reply = await _client.TakeAddressAsync(request, cancellationToken: cancellationToken);
        return reply.Obstacle.Length > 0 ? reply.Obstacle : null;
    });

    private async Task<T> AskAsync<T>(Func<Task<T>> ask)
    {
        try
        {
            return await ask();
        }
        catch (RpcException e)
        {
            throw new LinkException($"The agent of {_destination} did not answer: {Explain(e)}", e)
            {
                IsRefusal = e.StatusCode is StatusCode.PermissionDenied or StatusCode.FailedPrecondition or StatusCode.InvalidArgument or StatusCode.Unimplemented,
            };
        }
        catch (InvalidSnapshotException e)
        {
            throw new LinkException($"The agent of {_destination} gave an answer that makes no sense: {e.Message}", e);
        }
    }

    public void Dispose() => Break(new LinkException($"The link to {_destination} was closed."));

    private async Task OpenAsync(CancellationToken cancellationToken)
    {
        _call = _client.Exchange(cancellationToken: _ending.Token);
        _outgoing = new OutgoingMessages(_call.RequestStream, MaxQueuedBytes, s_patience, Break);
        // The destination sends its headers when it has found the certificate right.
        await _call.ResponseHeadersAsync.WaitAsync(cancellationToken);
        _ = ReadAsync(_call.ResponseStream);
    }

    private async Task ReadAsync(IAsyncStreamReader<PassMessage> stream)
    {
        try
        {
            while (await stream.MoveNext(_ending.Token))
                Deliver(stream.Current);
            Break(new LinkException($"{_destination} closed the link."));
        }
        catch (Exception e)
        {
            Break(new LinkException($"The link to {_destination} broke: {Explain(e)}", e));
        }
    }

    // A lone pass goes on in this very call, which spares the change of threads; where there are several, none waits for another.
    private void Deliver(PassMessage message)
    {
        if (PassMessages.IdOf(message) is not { } id)
            return;
        if (_links.TryGetValue(id, out SharedStreamLink? link))
            link.Deliver(message, runReader: _links.Count == 1);
        else if (_strays?.Invoke(id, message) is { } answer)
            _outgoing!.Send(answer);
    }

    private void Close(SharedStreamLink link) => _links.TryRemove(new KeyValuePair<PassId, SharedStreamLink>(link.Pass, link));

    private void Break(LinkException fault)
    {
        if (!_ended.TrySetResult(fault))
            return;
        foreach (SharedStreamLink link in _links.Values)
            link.Inbox.End(fault);
        _ = _outgoing?.EndAsync(fault);
        _ending.Cancel();
        _call?.Dispose();
        _channel.Dispose();
    }

    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        IPEndPoint endPoint = _destination.EndPoint;
        Socket socket = new(endPoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            // Not from a service address, which the kernel might choose: the link would break when that moves.
            if (_ownAddress is { } own && own.AddressFamily == endPoint.AddressFamily)
                socket.Bind(new IPEndPoint(own, 0));
            await socket.ConnectAsync(endPoint, cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private bool IsDestination(object sender, X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors)
    {
        _certificateFault = HostCertificate.FindFault(certificate, chain, errors);
        if (_certificateFault is null)
        {
            IReadOnlyList<string> names = CertificateNames.Of((X509Certificate2)certificate!);
            if (!names.Any(name => CertificateNames.AreSame(name, _destination.Name)))
                _certificateFault = $"Its certificate is of {string.Join(", ", names)}.";
        }

        return _certificateFault is null;
    }

    // gRPC wraps what went wrong several times; the innermost is what helps.
    private string Explain(Exception e)
    {
        if (_certificateFault is { } fault)
            return fault;
        if (e is RpcException { StatusCode: not (StatusCode.Unavailable or StatusCode.Internal or StatusCode.Cancelled) } answered)
            return $"{answered.StatusCode}: {answered.Status.Detail}";
        Exception cause = e is RpcException { Status.DebugException: { } debug } ? debug : e;
        while (cause.InnerException is { } inner)
            cause = inner;
        return cause.Message;
    }
}
