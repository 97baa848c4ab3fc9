using System.Text.Json;
using System.Text.Json.Serialization;

namespace Tcpcp.Samples.FileServer;

/// <summary>
/// What a connection carries to another host besides the kernel's state: the response under way, and request bytes that were read and not served yet.
/// </summary>
/// <param name="Received">Bytes received from the client that belong to requests not served yet.</param>
/// <param name="Response">The response under way; null between two requests.</param>
internal sealed record DownloadState(byte[] Received, HttpResponse? Response)
{
    public ReadOnlyMemory<byte> Serialize() => JsonSerializer.SerializeToUtf8Bytes(this, DownloadStateContext.Default.DownloadState);

    /// <exception cref="JsonException">The bytes are something else.</exception>
    public static DownloadState Deserialize(ReadOnlyMemory<byte> bytes) =>
        JsonSerializer.Deserialize(bytes.Span, DownloadStateContext.Default.DownloadState) ?? throw new JsonException("The state is null.");
}

[JsonSerializable(typeof(DownloadState))]
internal sealed partial class DownloadStateContext : JsonSerializerContext;
