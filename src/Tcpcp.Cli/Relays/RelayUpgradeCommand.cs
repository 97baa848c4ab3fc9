using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Tcpcp.Cli.Agents;
using Tcpcp.Core.Wire;

namespace Tcpcp.Cli.Relays;

/// <summary>tcpcp relay upgrade: a new process of the relay takes everything over.</summary>
internal static class RelayUpgradeCommand
{
    public static Command Create()
    {
        Option<string> control = LocalRelay.CreateOption();
        Option<bool> json = LocalAgent.CreateJsonOption();
        Command command = new("upgrade", """
            Puts a new process in the relay's place: install the new version, then order this. The relay starts what is installed now, with its own arguments, and gives it all listening
            sockets and sessions as descriptors; then it ends. No session is frozen, none is lost, and clients that connect meanwhile are accepted. If the new process cannot run, the old one goes on.
            A session that the new configuration has no listener, pool or server for is served by the old process to its end.
            Exit codes: 0 done; 1 not done, the relay goes on as before; 2 wrong use.

            Examples:
              tcpcp relay upgrade
            """)
        {
            control, json,
        };
        command.SetAction((parsed, _) => LocalRelay.UseAsync(parsed.GetRequiredValue(control), async relay =>
        {
            await foreach (RelayMessage answer in relay.AskAsync(new RelayMessage { Upgrade = new UpgradeRelay() }))
            {
                RelayUpgraded upgraded = answer.Upgraded;
                Console.WriteLine(parsed.GetValue(json)
                    ? new JsonObject { ["process_id"] = upgraded.ProcessId, ["sessions"] = upgraded.Sessions, ["staying"] = upgraded.Staying }.ToJsonString()
                    : string.Create(CultureInfo.InvariantCulture, $"Process {upgraded.ProcessId} has taken {upgraded.Sessions} sessions over.{(upgraded.Staying > 0 ? $" {upgraded.Staying} stay with the old process to their end; its log says why." : "")}"));
            }

            return ExitCode.Done;
        }));
        return command;
    }
}
