using System.Text.Json;
using System.Text.Json.Serialization;
using System.Threading.Channels;
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

/// <summary>Writes events, one a line, in the order in which they happened; on a task of its own, since steps are told on the path of a pass.</summary>
internal sealed class ServerEvents : IAsyncDisposable
{
    private readonly Channel<ServerEvent> _waiting = Channel.CreateUnbounded<ServerEvent>(new UnboundedChannelOptions { SingleReader = true });
    private readonly TextWriter _output;
    private readonly Task _writing;

    public ServerEvents(TextWriter output)
    {
        _output = output;
        _writing = Task.Run(WriteAllAsync);
    }

    public void Write(ServerEvent what) => _waiting.Writer.TryWrite(what);

    public async ValueTask DisposeAsync()
    {
        _waiting.Writer.TryComplete();
        await _writing;
    }

    private async Task WriteAllAsync()
    {
        await foreach (ServerEvent what in _waiting.Reader.ReadAllAsync())
        {
            await _output.WriteLineAsync(JsonSerializer.Serialize(what, ServerEventContext.Default.ServerEvent));
            await _output.FlushAsync();
        }
    }
}
