namespace Tcpcp.Agent.Link;

/// <summary>The stream that a host keeps open to a redirector as to any agent: no passes go over it.</summary>
internal static class RedirectorStream
{
    /// <inheritdoc cref="PassServing"/>
    public static async Task<string?> RefuseAsync(IPassLink link, string peer, CancellationToken cancellationToken)
    {
        try
        {
            return await link.ReceiveAsync(cancellationToken) is null ? null : "This agent moves packets for other hosts: it takes no connections.";
        }
        catch (LinkException)
        {
            return null;
        }
    }
}
