using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http.Features;
using Tcpcp.AspNetCore;
using Tcpcp.AspNetCore.Transport;
using Tcpcp.AspNetCore.WebSockets;
using Tcpcp.Core.Wire;

namespace Microsoft.AspNetCore.Http;

/// <summary>WebSockets that can go on at another host.</summary>
public static class PassableWebSocketExtensions
{
    private const string HandshakeId = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; // RFC 6455, 1.3
    private const string TakeoverObstacle = "The WebSocket compresses with what earlier messages had (permessage-deflate with context takeover).";

    /// <summary>Whether this is a request for a WebSocket over HTTP/1.1.</summary>
    public static bool IsPassableWebSocketRequest(this HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        IHeaderDictionary fields = context.Request.Headers;
        return HttpMethods.IsGet(context.Request.Method) && context.Features.Get<IHttpUpgradeFeature>() is { IsUpgradableRequest: true }
            && string.Equals(fields.Upgrade, "websocket", StringComparison.OrdinalIgnoreCase) && fields.SecWebSocketVersion == "13" && IsKey(fields.SecWebSocketKey);
    }

    /// <summary>Accepts a WebSocket, or goes on with one that comes from another host. <c>UseWebSockets</c> is not needed.</summary>
    /// <param name="options">What goes with it.</param>
    /// <exception cref="InvalidOperationException">This is no such request (<see cref="IsPassableWebSocketRequest"/>).</exception>
    public static async Task<PassableWebSocket> AcceptPassableWebSocketAsync(this HttpContext context, PassableWebSocketOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (!context.IsPassableWebSocketRequest())
            throw new InvalidOperationException("This is not a request for a WebSocket over HTTP/1.1.");
        PassableConnection? connection = context.Features.Get<PassableConnection>() is { Obstacle: null } passable ? passable : null;
        ServerExchange? arrived = connection?.ArrivedExchange?.WebSocket is null ? null : connection.TakeArrivedExchange();
        WebSocketDeflateOptions? deflate = arrived is not null ? DeflateOf(arrived.WebSocket) : Negotiate(context, options);
        ServerWebSocket terms = arrived?.WebSocket ?? new ServerWebSocket
        {
            Subprotocol = options.SubProtocol ?? "",
            Deflate = deflate is not null,
            ClientWindowBits = (uint)(deflate?.ClientMaxWindowBits ?? 0),
            ServerWindowBits = (uint)(deflate?.ServerMaxWindowBits ?? 0),
        };
        string? obstacle = deflate is { ServerContextTakeover: true } or { ClientContextTakeover: true } ? TakeoverObstacle : null;
        WebSocketExchange? exchange = connection is null ? null : new WebSocketExchange(context, connection, options, terms, arrived, obstacle);
        IHeaderDictionary fields = context.Response.Headers;
        fields.Upgrade = "websocket";
        fields.SecWebSocketAccept = AcceptOf(context.Request.Headers.SecWebSocketKey.ToString());
        if (terms.Subprotocol.Length > 0)
            fields.SecWebSocketProtocol = terms.Subprotocol;
        Stream stream = await context.Features.GetRequiredFeature<IHttpUpgradeFeature>().UpgradeAsync();
        if (connection is not null)
        {
            connection.Input.BeginMessages();
            connection.Output.IsImmediate = true;
            stream = new MessageStream(stream, connection.Input);
        }

        WebSocket inner = WebSocket.CreateFromStream(stream, new WebSocketCreationOptions
        {
            IsServer = true,
            SubProtocol = terms.Subprotocol.Length > 0 ? terms.Subprotocol : null,
            KeepAliveInterval = options.KeepAliveInterval,
            DangerousDeflateOptions = deflate,
        });
        PassableWebSocket socket = new(inner, arrived is null ? (ReadOnlyMemory<byte>?)null : terms.State.Memory);
        exchange?.Begin(socket);
        return socket;
    }

    private static WebSocketDeflateOptions? Negotiate(HttpContext context, PassableWebSocketOptions options)
    {
        if (!options.DangerousEnableCompression || DeflateOffer.Choose(context.Request.Headers.SecWebSocketExtensions, options.KeepCompressionContext, out string answer) is not { } chosen)
            return null;
        context.Response.Headers.SecWebSocketExtensions = answer;
        return chosen;
    }

    private static WebSocketDeflateOptions? DeflateOf(ServerWebSocket terms) => !terms.Deflate ? null : new WebSocketDeflateOptions
    {
        ClientContextTakeover = false, ServerContextTakeover = false, ClientMaxWindowBits = (int)terms.ClientWindowBits, ServerMaxWindowBits = (int)terms.ServerWindowBits,
    };

    private static bool IsKey(string? key)
    {
        Span<byte> bytes = stackalloc byte[16];
        return key is { Length: 24 } && Convert.TryFromBase64String(key, bytes, out int length) && length == bytes.Length;
    }

    // SHA-1 is what RFC 6455 (4.2.2) has; it protects nothing.
#pragma warning disable CA5350
    private static string AcceptOf(string key) => Convert.ToBase64String(SHA1.HashData(Encoding.ASCII.GetBytes(key + HandshakeId)));
#pragma warning restore CA5350
}
