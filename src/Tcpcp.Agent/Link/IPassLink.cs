using Tcpcp.Core.Wire;

namespace Tcpcp.Agent.Link;

/// <summary>Carries messages of passes between two agents, in order, until it breaks. One reader at a time; any thread may send.</summary>
internal interface IPassLink : IDisposable
{
    /// <exception cref="LinkException">The link broke.</exception>
    void Send(PassMessage message);

    /// <returns>Null when the other side has closed the link between two messages.</returns>
    /// <exception cref="LinkException">The link broke, or what came is not a message.</exception>
    ValueTask<PassMessage?> ReceiveAsync(CancellationToken cancellationToken);
}

/// <summary>The link broke, or the other side does not speak this protocol.</summary>
internal sealed class LinkException(string message, Exception? inner = null) : IOException(message, inner)
{
    /// <summary>The other side has answered, and will not: to ask again leads to nothing else.</summary>
    public bool IsRefusal { get; init; }
}
