namespace Tcpcp.AspNetCore;

/// <summary>How a server passes its connections. Read from the section <c>Tcpcp</c> of the configuration, then changed by the code.</summary>
public sealed class TcpcpOptions
{
    /// <summary>The section of the configuration.</summary>
    public const string SectionName = "Tcpcp";

    /// <summary>Name of the application at the agents of all hosts. Default: the application's name in its environment.</summary>
    public string Application { get; set; } = "";

    /// <summary>Path of the agent's socket. Default <c>/run/tcpcp/agent.sock</c>.</summary>
    public string AgentSocket { get; set; } = new Client.AgentClientOptions().Path;

    /// <summary>Names of the agents that the connections go to when the application stops, in turn. Default none: then they end as without tcpcp.</summary>
    public IList<string> Destinations { get; } = [];

    /// <summary>How long a pass waits for a request under way to end. Default 1.5 s; the agent waits 2 s unless it is configured otherwise, so a longer time needs a longer
    /// <c>bounds.answer</c> there.</summary>
    public TimeSpan QuiesceTimeout { get; set; } = TimeSpan.FromSeconds(1.5);

    /// <summary>How long a drain tries connections again whose requests take longer. Default 20 s; when the application stops it should be below the host's
    /// <c>ShutdownTimeout</c>, of which the server needs a part too.</summary>
    public TimeSpan DrainTimeout { get; set; } = TimeSpan.FromSeconds(20);

    /// <summary>Passes under way at once. Default 16.</summary>
    public int MaxConcurrentPasses { get; set; } = 16;
}
