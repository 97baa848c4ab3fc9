using System.Collections.Concurrent;
using System.Net;
using Google.Protobuf;
using Tcpcp.Agent.Link;
using Tcpcp.Core;
using Tcpcp.Core.Wire;

namespace Tcpcp.Agent.Tests.Link;

/// <summary>A server and the way to it over loopback, with TLS and certificates as in life. The server sends every message back.</summary>
internal sealed class LinkPair : IAsyncDisposable
{
    public const string Origin = "host-a.example";
    public const string Destination = "host-b.example";

    public static readonly Guid Incarnation = Guid.NewGuid();

    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(20);

    private readonly List<DestinationChannel> _channels = [];

    private LinkPair()
    {
    }

    public required TestAuthority Authority { get; init; }

    public required string Directory { get; init; }

    public ConcurrentQueue<LinkEvent> Events { get; } = [];

    public required CertificateFiles ServerFiles { get; init; }

    public AgentServer Server { get; private set; } = null!;

    /// <param name="serve">What the server does with a stream; null: it sends every message back.</param>
    public static async Task<LinkPair> StartAsync(
        PassServing? serve = null, TimeSpan? handshakeTime = null, TimeSpan? silenceTime = null, Func<TestAuthority, string, CertificateFiles>? issue = null)
    {
        
        TestAuthority authority = new();
        string directory = System.IO.Directory.CreateTempSubdirectory("tcpcp-link-").FullName;
        LinkPair pair = new()
        {
            Authority = authority,
            Directory = directory,
            ServerFiles = issue?.Invoke(authority, Path.Combine(directory, "server")) ?? authority.Issue(Path.Combine(directory, "server"), Destination),
        };
        await pair.StartServerAsync(0, serve ?? EchoAsync, handshakeTime, silenceTime);
        return pair;
    }

    /// <summary>Starts the server again, where it was.</summary>
    public async Task RestartServerAsync()
    {
        int port = Server.EndPoint.Port;
        await Server.DisposeAsync();
        await StartServerAsync(port, EchoAsync, null, null);
    }

    /// <summary>The way of an origin to the server.</summary>
    /// <param name="files">Its certificate; null: a good one.</param>
    /// <param name="name">The name that it expects of the server.</param>
    public DestinationChannel Channel(CertificateFiles? files = null, string name = Destination)
    {
        AgentCredentials credentials = AgentCredentials.Open(files ?? Authority.Issue(Path.Combine(Directory, "origin"), Origin), Events.Enqueue);
        DestinationChannel channel = new(new DestinationAddress(name, Server.EndPoint), IPAddress.Loopback, credentials, Events.Enqueue);
        _channels.Add(channel);
        return channel;
    }

    /// <summary>The event, when it has come.</summary>
    public async Task<LinkEvent> EventAsync(LinkEventKind kind)
    {
        await Until.True(() => Events.Any(one => one.Kind == kind), s_limit, () => string.Join(Environment.NewLine, Events));
        return Events.First(one => one.Kind == kind);
    }

    /// <summary>Nothing of those who have gone is left, and a good origin is served.</summary>
    public async Task AssertHealthyAsync()
    {
        await Until.True(() => Server.OpenConnections == 0 && Server.OpenStreams == 0, s_limit,
            () => $"{Server.OpenConnections} connections, {Server.OpenStreams} streams");
        using DestinationChannel channel = Channel();
        Assert.Equal(Destination, (await channel.PingAsync(CancellationToken.None)).HostName);
        using IPassLink link = await channel.ConnectAsync(PassId.New(), CancellationToken.None);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (DestinationChannel channel in _channels)
            channel.Dispose();
        await Server.DisposeAsync();
        Authority.Dispose();
        System.IO.Directory.Delete(Directory, recursive: true);
    }

    private static async Task<string?> EchoAsync(IPassLink link, string peer, CancellationToken cancellationToken)
    {
        try
        {
            while (await link.ReceiveAsync(cancellationToken) is { } message)
                link.Send(message);
        }
        catch (LinkException)
        {
            // The stream says why.
        }

        return null;
    }

    private async Task StartServerAsync(int port, PassServing serve, TimeSpan? handshakeTime, TimeSpan? silenceTime)
    {
        AgentServerOptions options = new()
        {
            EndPoint = new IPEndPoint(IPAddress.Loopback, port),
            Credentials = AgentCredentials.Open(ServerFiles, Events.Enqueue),
            Serve = serve,
            Describe = () => new PingReply { AgentVersion = "0.1.0", HostName = Destination, Incarnation = ByteString.CopyFrom(Incarnation.ToByteArray()) },
            Observer = Events.Enqueue,
        };
        Server = await AgentServer.StartAsync(options with
        {
            HandshakeTime = handshakeTime ?? options.HandshakeTime,
            SilenceTime = silenceTime ?? options.SilenceTime,
        });
    }
}
