using System.CommandLine;
using Tcpcp.Client;

namespace Tcpcp.Cli.Agents;

/// <summary>The agent of this host, as commands reach it.</summary>
internal static class LocalAgent
{
    public static Option<string> CreateOption() => new("--agent")
    {
        Description = "The socket of this host's agent.",
        HelpName = "PATH",
        DefaultValueFactory = _ => new AgentClientOptions().Path,
    };

    public static Option<bool> CreateJsonOption() => new("--json") { Description = "One JSON object a line on standard output, and nothing else." };

    /// <summary>Runs a command with the agent; what goes wrong is said on standard error.</summary>
    public static async Task<int> UseAsync(string path, Func<AgentClient, Task<int>> command)
    {
        try
        {
            if (!File.Exists(path))
                throw new AgentException($"No agent listens at {path}: start it (tcpcp agent), or name its socket with --agent.");
            await using AgentClient agent = await AgentClient.ConnectAsync(new AgentClientOptions { Path = path, Program = "tcpcp" });
            return await command(agent);
        }
        catch (Exception e) when (e is AgentException or IOException or UnauthorizedAccessException or System.Net.Sockets.SocketException)
        {
            Console.Error.WriteLine($"tcpcp: {e.Message}");
            return ExitCode.Failed;
        }
    }
}
