namespace Tcpcp.Traffic;

/// <summary>What a host's agent, its application and its kernel hold for connections.</summary>
internal sealed record ResourceUse(int AgentDescriptors, int AgentThreads, double AgentMegabytes, int ApplicationDescriptors, int Rules, long JournalBytes)
{
    public static ResourceUse Of(AgentProcess agent) => new(Count(agent.Pid, "fd"), Count(agent.Pid, "task"), agent.MemoryMegabytes("VmRSS"), Count(agent.ApplicationPid, "fd"),
        HostRules.List(agent.Host).Count, agent.JournalBytes);

    private static int Count(int process, string what) => Directory.EnumerateFileSystemEntries($"/proc/{process}/{what}").Count();
}
