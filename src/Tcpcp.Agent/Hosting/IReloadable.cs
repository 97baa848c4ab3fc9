namespace Tcpcp.Agent.Hosting;

/// <summary>An agent that can follow changes of its configuration while it runs.</summary>
internal interface IReloadable
{
    /// <summary>The keys that it follows, and all below them; of others a change counts from the next start.</summary>
    IReadOnlyList<string> LiveKeys { get; }

    /// <summary>Follows the values of those keys. It returns when they count.</summary>
    Task ReloadAsync(AgentConfiguration configuration);
}
