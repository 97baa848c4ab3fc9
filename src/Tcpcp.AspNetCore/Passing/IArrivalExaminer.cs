namespace Tcpcp.AspNetCore;

/// <summary>Says of a request that comes in the middle of its response whether it can go on here, before anything has changed for the client. A service: all that are registered
/// are asked.</summary>
public interface IArrivalExaminer
{
    /// <summary>Looks at a request. It must be quick: the client waits, and what takes longer than 2 s counts as a refusal.</summary>
    /// <param name="arriving">The request.</param>
    /// <param name="cancellationToken">It does not come after all.</param>
    /// <returns>Null: nothing is against it, or it is not this examiner's; else why not, in one sentence for a person.</returns>
    ValueTask<string?> ExamineAsync(ArrivingExchange arriving, CancellationToken cancellationToken);
}

/// <summary>A request that comes from another host before its response is over.</summary>
/// <param name="Origin">Name of the agent that it comes from.</param>
/// <param name="Target">As the request's line has it: <c>/path?query</c>.</param>
/// <param name="IsWebSocket">It is a WebSocket.</param>
/// <param name="State">What the endpoint there gave; empty for a file.</param>
public sealed record ArrivingExchange(string Origin, string Target, bool IsWebSocket, ReadOnlyMemory<byte> State);
