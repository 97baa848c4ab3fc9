namespace Tcpcp.Client;

/// <summary>How an <see cref="AgentClient"/> reaches the agent of its host.</summary>
public sealed record AgentClientOptions
{
    /// <summary>Path of the agent's socket. Default <c>/run/tcpcp/agent.sock</c>.</summary>
    public string Path { get; init; } = LocalApi.LocalProtocol.DefaultPath;

    /// <summary>What the agent calls this program in its logs. Default: the process's name.</summary>
    public string Program { get; init; } = System.IO.Path.GetFileNameWithoutExtension(Environment.ProcessPath) ?? "";

    /// <summary>First pause before the agent is tried again when it has gone; it doubles up to <see cref="ReconnectBackOffMax"/>. Default 50 ms.</summary>
    public TimeSpan ReconnectBackOff { get; init; } = TimeSpan.FromMilliseconds(50);

    /// <summary>Longest pause between two tries. Default 2 s.</summary>
    public TimeSpan ReconnectBackOffMax { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>How long a connection that came is named to an agent that was restarted. Default 60 s; it is only needed while the origin asks.</summary>
    public TimeSpan LiveMemory { get; init; } = TimeSpan.FromSeconds(60);
}
