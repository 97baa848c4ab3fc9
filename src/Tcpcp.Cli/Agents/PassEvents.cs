using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Threading.Channels;
using Tcpcp.Agent.Passing;

namespace Tcpcp.Cli.Agents;

/// <summary>One line of <c>tcpcp agent --events</c>.</summary>
/// <param name="Event">"ready" or "step".</param>
/// <param name="MonotonicNanoseconds">When, on the machine's monotonic clock.</param>
internal sealed record PassEvent(string Event, long MonotonicNanoseconds)
{
    public string? Pass { get; init; }

    public string? Connection { get; init; }

    public PassSide? Side { get; init; }

    public PassAction? Action { get; init; }

    public string? Detail { get; init; }

    public long? BlackoutNanoseconds { get; init; }

    public static PassEvent Of(PassStep step) => new("step", (long)Stopwatch.GetElapsedTime(0, step.Timestamp).TotalNanoseconds)
    {
        Pass = step.Pass.ToString(),
        Connection = step.Connection.ToString(),
        Side = step.Side,
        Action = step.Action,
        Detail = step.Detail.Length > 0 ? step.Detail : null,
        BlackoutNanoseconds = (long?)step.Blackout?.TotalNanoseconds,
    };
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, UseStringEnumConverter = true, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(PassEvent))]
internal sealed partial class PassEventContext : JsonSerializerContext;

/// <summary>Writes events to standard output, one a line, in the order in which they happened; on a task of its own, since steps are told on the path of a
/// pass.</summary>
internal sealed class PassEvents : IAsyncDisposable
{
    private readonly Channel<PassEvent> _waiting = Channel.CreateUnbounded<PassEvent>(new UnboundedChannelOptions { SingleReader = true });
    private readonly Task _writing;

    public PassEvents() => _writing = Task.Run(WriteAllAsync);

    public void Write(PassEvent what) => _waiting.Writer.TryWrite(what);

    public async ValueTask DisposeAsync()
    {
        _waiting.Writer.TryComplete();
        await _writing;
    }

    private async Task WriteAllAsync()
    {
        await foreach (PassEvent what in _waiting.Reader.ReadAllAsync())
        {
            await Console.Out.WriteLineAsync(JsonSerializer.Serialize(what, PassEventContext.Default.PassEvent));
            await Console.Out.FlushAsync();
        }
    }
}
