using System.Text.Json;
using System.Text.Json.Serialization;
using Tcpcp.Core;

namespace Tcpcp.Samples.FileServer;

/// <summary>One line of standard output: a JSON object that says what happened.</summary>
/// <param name="Event">"ready" or "passed".</param>
/// <param name="MonotonicNanoseconds">When, on the machine's monotonic clock.</param>
internal sealed record ServerEvent(string Event, long MonotonicNanoseconds)
{
    public PassFailure? Failure { get; init; }

    public ConnectionOwner? Owner { get; init; }

    public string? Detail { get; init; }

    public void Write() => Console.WriteLine(JsonSerializer.Serialize(this, ServerEventContext.Default.ServerEvent));
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, UseStringEnumConverter = true, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(ServerEvent))]
internal sealed partial class ServerEventContext : JsonSerializerContext;
