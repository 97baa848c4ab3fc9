using System.Text.Json;
using System.Text.Json.Serialization;
using Tcpcp.Agent.Passing;
using Tcpcp.Core;

namespace Tcpcp.Samples.FileServer;

/// <summary>One line of standard output: a JSON object that says what happened.</summary>
/// <param name="Event">"ready", "step" or "passed".</param>
/// <param name="MonotonicNanoseconds">When, on the machine's monotonic clock.</param>
internal sealed record ServerEvent(string Event, long MonotonicNanoseconds)
{
    public string? Connection { get; init; }

    public PassSide? Side { get; init; }

    public PassAction? Action { get; init; }

    public PassFailure? Failure { get; init; }

    public ConnectionOwner? Owner { get; init; }

    public string? Detail { get; init; }

    public long? BlackoutNanoseconds { get; init; }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, UseStringEnumConverter = true, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(ServerEvent))]
internal sealed partial class ServerEventContext : JsonSerializerContext;

/// <summary>Writes events, one a line, in the order in which they happened.</summary>
internal sealed class ServerEvents(TextWriter output)
{
    private readonly Lock _lock = new();

    public void Write(ServerEvent what)
    {
        string line = JsonSerializer.Serialize(what, ServerEventContext.Default.ServerEvent);
        lock (_lock)
        {
            output.WriteLine(line);
            output.Flush();
        }
    }
}
