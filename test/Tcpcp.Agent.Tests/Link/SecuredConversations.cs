using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using Grpc.Core;
using Grpc.Net.Client;
using Tcpcp.Agent.Link;
using Tcpcp.Agent.Tests.Conversations;
using Tcpcp.Core.Wire;
using Tcpcp.Lab;
using static Tcpcp.Agent.Tests.Conversations.ConversationLab;

namespace Tcpcp.Agent.Tests.Link;

/// <summary>The two hosts of <see cref="ConversationLab"/> with certificates: their agents speak gRPC over TLS.</summary>
internal sealed class SecuredConversations : IAsyncDisposable
{
    public const string NameOfA = "host-a.example";
    public const string NameOfB = "host-b.example";
    public const string Stranger = "host-x.example";

    private readonly TestAuthority _authority = new();
    private readonly string _directory = Directory.CreateTempSubdirectory("tcpcp-link-").FullName;
    private readonly List<IDisposable> _open = [];

    private SecuredConversations(ConversationLab lab)
    {
        Lab = lab;
        foreach (string name in (string[])[NameOfA, NameOfB, Stranger])
            _authority.Issue(_directory, name);
    }

    public ConversationLab Lab { get; }

    /// <param name="argumentsOfB">Of the application at the destination.</param>
    public static async Task<SecuredConversations> StartAsync(params string[] argumentsOfB)
    {
        SecuredConversations secured = new(await CreateAsync());
        await secured.StartAsync(A, NameOfA, NameOfB);
        await secured.StartAsync(B, NameOfB, NameOfA, argumentsOfB);
        return secured;
    }

    /// <summary>An origin that does as it likes: its connection comes from host A.</summary>
    public async Task<AsyncDuplexStreamingCall<PassMessage, PassMessage>> ExchangeAsync(string name)
    {
        HostCertificate own = HostCertificate.Load(new CertificateFiles(
            Path.Combine(_directory, $"{name}.pem"), Path.Combine(_directory, $"{name}.key"), Path.Combine(_directory, "authority.pem")));
        SocketsHttpHandler handler = new()
        {
            ConnectCallback = async (_, token) =>
            {
                Socket socket = Lab.HostA.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
                await socket.ConnectAsync(IPAddress.Parse(B), AgentPort, token);
                return new NetworkStream(socket, ownsSocket: true);
            },
            SslOptions = new SslClientAuthenticationOptions { TargetHost = NameOfB, ClientCertificateContext = await own.Context, CertificateChainPolicy = own.ChainPolicy() },
        };
        GrpcChannel channel = GrpcChannel.ForAddress($"https://{NameOfB}", new GrpcChannelOptions { HttpHandler = handler, DisposeHttpClient = true });
        AsyncDuplexStreamingCall<PassMessage, PassMessage> call = new Core.Wire.Passing.PassingClient(channel).Exchange();
        _open.AddRange([channel, call]);
        return call;
    }

    public ByteRelay Relay()
    {
        ByteRelay relay = new(Lab.AddBetween(), new IPEndPoint(IPAddress.Parse(Between), AgentPort), new IPEndPoint(IPAddress.Parse(B), AgentPort));
        _open.Add(relay);
        return relay;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (IDisposable one in Enumerable.Reverse(_open))
            one.Dispose();
        await Lab.DisposeAsync();
        _authority.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    private Task StartAsync(string address, string name, string other, params string[] arguments) =>
        Lab.StartAsync(address, [$"tls={_directory}", $"name={name}", $"other={other}", .. arguments]);
}
