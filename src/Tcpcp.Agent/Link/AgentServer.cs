using System.Net;
using System.Net.Sockets;
using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Tcpcp.Agent.Link;

/// <summary>
/// The server that origins' agents connect to: gRPC over HTTP/2 and TLS 1.3, for those with a certificate of the configured authority.
/// </summary>
internal sealed class AgentServer : IAsyncDisposable
{
    private const int StreamWindowBytes = 4 << 20;
    private const int MaxStreamsPerConnection = 32;
    private const int MaxHeaderBytes = 8 << 10;

    private static readonly TimeSpan s_keepAlive = TimeSpan.FromSeconds(5);

    private readonly AgentServerOptions _options;
    private readonly OpenLinks _open = new();
    private readonly CancellationTokenSource _stopping = new();
    private readonly WebApplication _application;

    private int _isDisposed;

    private AgentServer(AgentServerOptions options)
    {
        _options = options;
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(Configure);
        builder.Services.AddSingleton<IHostLifetime, OwnersLifetime>();
        builder.Services.AddRoutingCore();
        builder.Services.AddGrpc(grpc =>
        {
            grpc.MaxReceiveMessageSize = StreamLink.MaxMessageBytes;
            grpc.MaxSendMessageSize = StreamLink.MaxMessageBytes;
            grpc.IgnoreUnknownServices = true;
        });
        builder.Services.AddSingleton(new PassingService(options, _open, _stopping.Token));
        builder.Services.AddSingleton(new RedirectionService(options));
        builder.Services.AddSingleton(new OwnershipService(options));
        options.AddServices?.Invoke(builder.Services);
        _application = builder.Build();
        _application.MapGrpcService<PassingService>();
        _application.MapGrpcService<RedirectionService>();
        _application.MapGrpcService<OwnershipService>();
        options.Map?.Invoke(_application);
    }

    /// <summary>Where it listens for agents: the port too, if none was asked for.</summary>
    public IPEndPoint EndPoint { get; private set; } = new(IPAddress.None, 0);

    /// <summary>Agents' connections that are open now, verified or not.</summary>
    public int OpenConnections => _open.Connections;

    /// <summary>Origins' streams that are open now.</summary>
    public int OpenStreams => _open.Streams;

    /// <summary>Makes a server that does not listen yet.</summary>
    public static AgentServer Prepare(AgentServerOptions options) => new(options);

    /// <exception cref="IOException">The address cannot be listened on.</exception>
    public static async Task<AgentServer> StartAsync(AgentServerOptions options)
    {
        AgentServer server = Prepare(options);
        try
        {
            await server.StartAsync();
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <exception cref="IOException">The address cannot be listened on.</exception>
    public async Task StartAsync()
    {
        try
        {
            await _application.StartAsync();
        }
        catch (SocketException e)
        {
            throw new IOException($"The addresses of the agent (listen, metrics:listen) cannot be listened on: {e.Message}", e);
        }

        string address = _application.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
        EndPoint = new IPEndPoint(_options.EndPoint.Address, new Uri(address).Port);
    }

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _isDisposed, 1) != 0)
            return;
        await _stopping.CancelAsync(); // streams stay open between passes: none would end by itself
        await _application.DisposeAsync();
        _stopping.Dispose();
    }

    private void Configure(KestrelServerOptions kestrel)
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.MaxConcurrentConnections = _options.MaxConnections;
        kestrel.Limits.KeepAliveTimeout = _options.SilenceTime;
        kestrel.Limits.RequestHeadersTimeout = _options.HandshakeTime;
        kestrel.Limits.MaxRequestHeadersTotalSize = MaxHeaderBytes;
        Http2Limits http2 = kestrel.Limits.Http2;
        http2.InitialStreamWindowSize = StreamWindowBytes;
        http2.InitialConnectionWindowSize = StreamWindowBytes;
        http2.MaxStreamsPerConnection = MaxStreamsPerConnection;
        http2.KeepAlivePingDelay = s_keepAlive;
        http2.KeepAlivePingTimeout = s_keepAlive;
        kestrel.Listen(_options.EndPoint, listener =>
        {
            listener.Protocols = HttpProtocols.Http2;
            listener.Use(next => connection => WatchAsync(connection, next));
            listener.UseHttps(new TlsHandshakeCallbackOptions
            {
                HandshakeTimeout = _options.HandshakeTime,
                OnConnection = handshake => AuthenticationAsync(handshake.Connection.Features.Get<PeerConnection>()!),
            });
        });
        _options.Listen?.Invoke(kestrel);
    }

    private async Task WatchAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        PeerConnection peer = new();
        connection.Features.Set(peer);
        string from = connection.RemoteEndPoint?.ToString() ?? "";
        _open.AddConnection();
        try
        {
            await next(connection);
        }
        finally
        {
            _open.RemoveConnection();
            if (peer.Name is not { } name)
            {
                _options.Observer(new LinkEvent(LinkEventKind.HandshakeRefused, from,
                    $"A connection from {from} was refused. {peer.Fault ?? "It did not come to an agreement by TLS 1.3, or said nothing."}"));
            }
            else if (!peer.HasCalled)
            {
                _options.Observer(new LinkEvent(LinkEventKind.NoCall, name, $"{name} connected from {from} and called nothing that an agent offers."));
            }
        }
    }

    private async ValueTask<SslServerAuthenticationOptions> AuthenticationAsync(PeerConnection peer)
    {
        HostCertificate certificate = _options.Credentials.Current;
        return new SslServerAuthenticationOptions
        {
            EnabledSslProtocols = SslProtocols.Tls13,
            ServerCertificateContext = await certificate.Context,
            ClientCertificateRequired = true,
            CertificateChainPolicy = certificate.ChainPolicy(),
            AllowTlsResume = false, // else an authority that has been removed would still be trusted
            ApplicationProtocols = [SslApplicationProtocol.Http2],
            RemoteCertificateValidationCallback = (_, shown, chain, errors) =>
            {
                peer.Fault = HostCertificate.FindFault(shown, chain, errors);
                peer.Name = peer.Fault is null ? CertificateNames.Of((X509Certificate2)shown!)[0] : null;
                return peer.Fault is null;
            },
        };
    }

    // The program around the agent listens to signals.
    private sealed class OwnersLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
