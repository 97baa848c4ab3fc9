using System.CommandLine;
using Tcpcp.Relay.Control;

namespace Tcpcp.Cli.Relays;

/// <summary>The relay of this host, as commands reach it.</summary>
internal static class LocalRelay
{
    public static Option<string> CreateOption() => new("--control")
    {
        Description = "The control socket of this host's relay.",
        HelpName = "PATH",
        DefaultValueFactory = _ => "/run/tcpcp/relay.sock",
    };

    /// <summary>Runs a command with the relay; what goes wrong is said on standard error.</summary>
    public static async Task<int> UseAsync(string path, Func<RelayClient, Task<int>> command)
    {
        try
        {
            if (!File.Exists(path))
                throw new RelayRefusedException($"No relay listens at {path}: start it (tcpcp relay), or name its socket with --control.");
            using RelayClient relay = await RelayClient.ConnectAsync(path);
            return await command(relay);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or System.Net.Sockets.SocketException)
        {
            await Console.Error.WriteLineAsync($"tcpcp: {e.Message}");
            return ExitCode.Failed;
        }
    }
}
