namespace Tcpcp.EndToEnd.Tests.Chaos;

/// <summary>What may happen to a host.</summary>
internal enum ChaosFault
{
    /// <summary>kill -9, and another one starts a little later.</summary>
    AgentKilled,

    /// <summary>SIGSTOP, and SIGCONT a little later.</summary>
    AgentStopped,

    /// <summary>SIGSTOP between a restore and its verdict: the pass is in doubt until SIGCONT.</summary>
    AgentStoppedAtVerdict,

    /// <summary>SIGSTOP, and SIGCONT a little later.</summary>
    ApplicationStopped,

    /// <summary>kill -9: its connections end, and no others.</summary>
    ApplicationKilled,

    /// <summary>Between its agent and the others.</summary>
    LinkCut,

    /// <summary>Packets to it and from it are lost.</summary>
    Loss,

    /// <summary>On the journal of the running one.</summary>
    SecondAgent,

    /// <summary>Everything on it is gone, the journal too: its connections end, and no others.</summary>
    Rebooted,

    /// <summary>The file system of the journal has no room.</summary>
    JournalFull,

    /// <summary>The agent can open hardly another descriptor.</summary>
    DescriptorsShort,

    /// <summary>The agent gets no more memory from the kernel; it may die of that.</summary>
    MemoryShort,

    /// <summary>The time of day jumps, and jumps back.</summary>
    ClockStepped,
}
