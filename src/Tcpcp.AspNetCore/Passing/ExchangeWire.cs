using Google.Protobuf;
using Tcpcp.AspNetCore.Transport;
using Tcpcp.Core.Wire;

namespace Tcpcp.AspNetCore.Passing;

/// <summary>What goes with a connection that is passed, as bytes.</summary>
internal static class ExchangeWire
{
    /// <summary>An application takes connections of this version only.</summary>
    public const uint Version = 1;

    private const int SwitchingProtocols = 101;
    private const int MaxHeadBytes = 1 << 20;

    /// <param name="fault">Why it cannot be taken, in one sentence.</param>
    /// <returns>Null if it cannot be taken.</returns>
    public static ServerConnection? Read(ReadOnlyMemory<byte> bytes, out string fault)
    {
        ServerConnection state;
        try
        {
            state = ServerConnection.Parser.ParseFrom(bytes.Span);
        }
        catch (InvalidProtocolBufferException)
        {
            fault = "The state is not that of a server's connection.";
            return null;
        }

        fault = state.Version != Version ? $"The connection's state is of version {state.Version}; this application knows version {Version}: upgrade the older one of both."
            : state.Passes is 0 or > int.MaxValue || state.Exchange is { } exchange && !IsWhole(exchange) ? "The connection's state lacks what belongs to it." : "";
        return fault.Length == 0 ? state : null;
    }

    /// <summary>What must be true of the head that the server writes again.</summary>
    public static ResponseHeadFilter FilterOf(ServerExchange exchange) => exchange.KindCase == ServerExchange.KindOneofCase.WebSocket
        ? new ResponseHeadFilter(SwitchingProtocols, isChunked: null, length: null)
        : new ResponseHeadFilter((int)exchange.Status, exchange.Response.Chunked, exchange.Response.File is { } file ? (long)(file.End - file.Next) : null);

    private static bool IsWhole(ServerExchange exchange) => exchange.Head.Length is > 0 and <= MaxHeadBytes && exchange.Head.Span.EndsWith("\r\n\r\n"u8) && exchange.KindCase switch
    {
        ServerExchange.KindOneofCase.Response => exchange.Status is >= 200 and <= 599 && (exchange.Response.File is not { } file
            || (file.Next <= file.End && file.End <= file.Length && file.Length <= long.MaxValue && file.Path.Length > 0)),
        ServerExchange.KindOneofCase.WebSocket => exchange.WebSocket.ClientWindowBits <= 15 && exchange.WebSocket.ServerWindowBits <= 15,
        _ => false,
    };
}
