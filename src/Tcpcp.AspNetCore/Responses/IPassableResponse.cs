namespace Tcpcp.AspNetCore;

/// <summary>
/// A response that can go on at another host before it is over. The endpoint says after each piece that it has written what it would need to go on, by <see cref="CheckpointAsync"/>; at
/// the other host the same endpoint gets that with the same request, sets the same status and header fields, but a Content-Length of what is left, and writes the rest.
/// </summary>
/// <example>
/// <code>
/// app.MapGet("/numbers", async context =&gt;
/// {
///     IPassableResponse response = context.GetPassableResponse();
///     int next = response.IsResumed ? BinaryPrimitives.ReadInt32BigEndian(response.State.Span) : 0;
///     for (; next &lt; 1_000_000; next++)
///     {
///         await response.CheckpointAsync(() =&gt; StateOf(next));  // all before it is written, nothing after it
///         await context.Response.WriteAsync($"{next}\n");
///     }
/// });
/// </code>
/// </example>
public interface IPassableResponse
{
    /// <summary>The response has begun at another host.</summary>
    bool IsResumed { get; }

    /// <summary>What the endpoint gave there; empty if it has begun here.</summary>
    ReadOnlyMemory<byte> State { get; }

    /// <summary>A place where the response can go on at another host. Costs next to nothing unless the connection is to be passed; then it waits for the outcome.</summary>
    /// <param name="getState">Gives what the endpoint needs to go on from here; called only when the connection is to be passed.</param>
    /// <returns>Done when the response goes on here.</returns>
    /// <exception cref="ConnectionPassedException">It goes on at another host. Let it through.</exception>
    ValueTask CheckpointAsync(Func<ReadOnlyMemory<byte>> getState);
}
