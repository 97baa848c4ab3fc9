namespace Tcpcp.Agent.Tests.Recovery;

/// <summary>What happens at a step of a pass. The step's host is the origin or the destination, whichever takes the step.</summary>
public enum RecoveryFault
{
    /// <summary>The agent of the step's host is killed and started again.</summary>
    AgentKilled,

    /// <summary>Then the other one is killed too; both are started again.</summary>
    BothAgentsKilled,

    /// <summary>The link between the agents is cut, until the pass has suffered from it or has ended.</summary>
    LinkCut,

    /// <summary>The destination's host is destroyed with all that its kernel has, and made again; its journal is empty.</summary>
    DestinationRebooted,

    /// <summary>The agent of the step's host is killed, and its journal deleted before it is started again.</summary>
    JournalDeleted,

    /// <summary>The application orders a second pass of the same connection.</summary>
    SecondPass,

    /// <summary>The origin's application is killed; all agents live.</summary>
    OriginApplicationKilled,

    /// <summary>The destination's application is killed; all agents live.</summary>
    DestinationApplicationKilled,

    /// <summary>Agent and application of the step's host are killed and started again.</summary>
    AgentAndApplicationKilled,
}
