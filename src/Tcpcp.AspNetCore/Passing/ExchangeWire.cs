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

    /// <summary>Of connections that stand still.</summary>
    public static ReadOnlyMemory<byte> Write(IEnumerable<ServerConnection> connections) => new ServedConnections { Version = Version, Connections = { connections } }.ToByteArray();

    /// <param name="count">Of the connections that came.</param>
    /// <param name="fault">Why they cannot be taken, in one sentence.</param>
    /// <returns>Null if they cannot be taken.</returns>
    public static IReadOnlyList<ServerConnection>? Read(ReadOnlyMemory<byte> bytes, int count, out string fault)
    {
        ServedConnections state;
        try
        {
            state = ServedConnections.Parser.ParseFrom(bytes.Span);
        }
        catch (InvalidProtocolBufferException)
        {
            fault = "The state is not that of a server's connections.";
            return null;
        }

        fault = state.Version != Version ? $"The connections' state is of version {state.Version}; this application knows version {Version}: upgrade the older one of both."
            : state.Connections.Count != count ? $"{count} connections came with the state of {state.Connections.Count}."
            : state.Connections.All(IsWhole) ? "" : "The connections' state lacks what belongs to it.";
        return fault.Length == 0 ? state.Connections : null;
    }

    /// <summary>What must be true of the head that the server writes again.</summary>
    public static ResponseHeadFilter FilterOf(ServerExchange exchange) => exchange.KindCase == ServerExchange.KindOneofCase.WebSocket
        ? new ResponseHeadFilter(SwitchingProtocols, isChunked: null, length: null)
        : new ResponseHeadFilter((int)exchange.Status, exchange.Response.Chunked, exchange.Response.File is { } file ? (long)(file.End - file.Next) : null);

    private static bool IsWhole(ServerConnection connection) => connection.Passes is > 0 and <= int.MaxValue && (connection.Exchange is not { } exchange || IsWhole(exchange));

    private static bool IsWhole(ServerExchange exchange) => exchange.Head.Length is > 0 and <= MaxHeadBytes && exchange.Head.Span.EndsWith("\r\n\r\n"u8) && exchange.KindCase switch
    {
        ServerExchange.KindOneofCase.Response => exchange.Status is >= 200 and <= 599 && (exchange.Response.File is not { } file
            || (file.Next <= file.End && file.End <= file.Length && file.Length <= long.MaxValue && file.Path.Length > 0)),
        ServerExchange.KindOneofCase.WebSocket => exchange.WebSocket.ClientWindowBits <= 15 && exchange.WebSocket.ServerWindowBits <= 15,
        _ => false,
    };
}
