using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using Grpc.Core;
using Grpc.Net.Client;
using Tcpcp.Agent.Link;

namespace Tcpcp.Agent.Tests.Link;

/// <summary>Whoever connects to an agent without keeping to its protocol.</summary>
internal static class RawOrigin
{
    private static readonly Marshaller<byte[]> s_bytes = new(data => data, data => data);

    private static readonly Method<byte[], byte[]> s_exchange = new(MethodType.DuplexStreaming, "tcpcp.v1.Passing", "Exchange", s_bytes, s_bytes);

    public static async Task<NetworkStream> ConnectAsync(IPEndPoint endPoint)
    {
        Socket socket = new(endPoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(endPoint);
        return new NetworkStream(socket, ownsSocket: true);
    }

    /// <param name="own">The certificate that is shown; null: none.</param>
    public static async Task<SslStream> SecureAsync(IPEndPoint endPoint, HostCertificate? own, SslProtocols protocols = SslProtocols.Tls13)
    {
        SslStream stream = new(await ConnectAsync(endPoint));
        await stream.AuthenticateAsClientAsync(new SslClientAuthenticationOptions
        {
            TargetHost = LinkPair.Destination,
            EnabledSslProtocols = protocols,
            ClientCertificateContext = own is null ? null : await own.Context,
            ApplicationProtocols = [SslApplicationProtocol.Http2],
            RemoteCertificateValidationCallback = (_, shown, _, _) => shown is not null,
        });
        return stream;
    }

    /// <summary>Opens the stream of passes, sends these bytes as its one message, and returns how the server ends it.</summary>
    public static async Task<RpcException> ExchangeAsync(IPEndPoint endPoint, HostCertificate own, byte[] message)
    {
        using SocketsHttpHandler handler = new()
        {
            ConnectCallback = async (_, _) => await ConnectAsync(endPoint),
            SslOptions = new SslClientAuthenticationOptions
            {
                TargetHost = LinkPair.Destination,
                ClientCertificateContext = await own.Context,
                RemoteCertificateValidationCallback = (_, shown, _, _) => shown is not null,
            },
        };
        using GrpcChannel channel = GrpcChannel.ForAddress("https://agent", new GrpcChannelOptions { HttpHandler = handler, MaxSendMessageSize = null });
        using AsyncDuplexStreamingCall<byte[], byte[]> call = channel.CreateCallInvoker().AsyncDuplexStreamingCall(s_exchange, null, default);
        try
        {
            await call.RequestStream.WriteAsync(message);
        }
        catch (RpcException)
        {
            // Refused while it was still being sent: the answer says why.
        }

        return await Assert.ThrowsAsync<RpcException>(() => call.ResponseStream.MoveNext(CancellationToken.None));
    }
}
