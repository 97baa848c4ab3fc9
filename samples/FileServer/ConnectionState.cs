using System.Text.Json;
using System.Text.Json.Serialization;

namespace Tcpcp.Samples.FileServer;

/// <summary>
/// What a connection carries to another host besides the kernel's state: the response or the upload under way, and bytes that were read and not
/// served yet. The file itself is not carried: downloads need the same files on both hosts, uploads a directory that both share.
/// </summary>
/// <param name="Received">Bytes received from the client that belong to requests not served yet, or to the upload.</param>
/// <param name="Response">The response under way; null between two requests. An upload begins when it is written.</param>
/// <param name="Upload">The upload under way.</param>
internal sealed record ConnectionState(byte[] Received, HttpResponse? Response, HttpUpload? Upload)
{
    public ReadOnlyMemory<byte> Serialize() => JsonSerializer.SerializeToUtf8Bytes(this, ConnectionStateContext.Default.ConnectionState);

    /// <exception cref="JsonException">The bytes are something else.</exception>
    public static ConnectionState Deserialize(ReadOnlyMemory<byte> bytes) =>
        JsonSerializer.Deserialize(bytes.Span, ConnectionStateContext.Default.ConnectionState) ?? throw new JsonException("The state is null.");
}

[JsonSerializable(typeof(ConnectionState))]
internal sealed partial class ConnectionStateContext : JsonSerializerContext;
