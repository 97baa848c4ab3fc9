using Tcpcp.Linux.Namespaces;

namespace Tcpcp.EndToEnd.Tests.Agents;

/// <summary>A memory file system of 128 MiB for an agent's journal alone, which can be filled.</summary>
internal sealed class JournalSpace
{
    private const string Options = "size=128m";

    private readonly LabAgent _agent;

    private JournalSpace(LabAgent agent) => _agent = agent;

    private string Filler => Path.Combine(_agent.JournalDirectory, "filler");

    /// <param name="agent">It has not been started.</param>
    public static JournalSpace Mount(LabAgent agent)
    {
        Directory.CreateDirectory(agent.JournalDirectory);
        agent.Host.Run(() => MountSystemCalls.MountFresh("tmpfs", agent.JournalDirectory, Options));
        return new JournalSpace(agent);
    }

    public void Fill() => _agent.Host.Run(() =>
    {
        using FileStream filler = new(Filler, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0);
        byte[] bytes = new byte[64 << 10];
        try
        {
            while (true)
                filler.Write(bytes);
        }
        catch (IOException)
        {
            // It is full.
        }
    });

    public void Free() => _agent.Host.Run(() => File.Delete(Filler));
}
