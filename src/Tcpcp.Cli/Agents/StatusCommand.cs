using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Spectre.Console;
using Tcpcp.Client;

namespace Tcpcp.Cli.Agents;

/// <summary>tcpcp status: how the agent is.</summary>
internal static class StatusCommand
{
    private const string Help = """
        Shows this host's agent: applications, other agents and how far away they are, passes since its start; and who else moves packets (gateways, agents that route, a
        hook): whether it is reached, and which orders it has not acknowledged.

        Exit codes: 0 shown; 1 there is no agent, or this user may not ask it; 2 wrong use; 3 shown, and passes are in doubt.

        Example:  tcpcp status --json
        """;

    public static Command Create()
    {
        Option<string> agent = LocalAgent.CreateOption();
        Option<bool> json = LocalAgent.CreateJsonOption();
        Command command = new("status", Help) { agent, json };
        command.SetAction((parsed, _) => LocalAgent.UseAsync(parsed.GetRequiredValue(agent), client => RunAsync(client, parsed.GetValue(json))));
        return command;
    }

    private static async Task<int> RunAsync(AgentClient client, bool json)
    {
        AgentStatus status = await client.GetStatusAsync();
        if (json)
            Console.WriteLine(JsonSerializer.Serialize(status, AgentJson.Default.AgentStatus));
        else
            Show(status);
        return status.InDoubt > 0 ? ExitCode.InDoubt : ExitCode.Done;
    }

    private static void Show(AgentStatus status)
    {
        IAnsiConsole console = PeopleConsole.Create();
        Grid grid = new Grid().AddColumns(2);
        Add("Agent", $"{status.Host}, version {status.AgentVersion}, up {status.Uptime:d\\.hh\\:mm\\:ss}");
        Add("Journal", string.Create(CultureInfo.InvariantCulture, $"{status.JournalBytes} bytes, incarnation {status.Incarnation}"));
        Add("Redirection", status.Redirection);
        Add("Passes", string.Create(CultureInfo.InvariantCulture,
            $"{status.PassedOut} out, {status.PassedIn} in, {status.Refused} refused here, {status.Failed} failed; {status.OpenPasses} open, {status.InDoubt} in doubt"));
        Add("Held packets", status.HeldPackets.ToString(CultureInfo.InvariantCulture));
        foreach (RegisteredApplicationStatus application in status.Applications)
            Add("Application", string.Create(CultureInfo.InvariantCulture, $"{application.Name} ({application.Program}, process {application.ProcessId})"));
        foreach (DestinationStatus destination in status.Destinations)
        {
            Add("Destination", $"{destination.Name} at {destination.Address}: " + (destination.IsConnected
                ? string.Create(CultureInfo.InvariantCulture, $"connected, {destination.RoundTrip?.TotalMicroseconds:F0} us") : "not reached"));
        }

        foreach (RedirectorStatus redirector in status.Redirectors)
        {
            string link = redirector.Address.Length == 0 ? redirector.IsConnected ? "a program" : "cannot be run"
                : redirector.IsConnected ? string.Create(CultureInfo.InvariantCulture, $"at {redirector.Address}, connected, {redirector.RoundTrip?.TotalMicroseconds:F0} us")
                : $"at {redirector.Address}, not reached";
            string orders = redirector.OutstandingOrders == 0 ? "no order outstanding"
                : string.Create(CultureInfo.InvariantCulture, $"{redirector.OutstandingOrders} orders outstanding, the oldest for {redirector.OldestOrder?.TotalSeconds:F1} s");
            Add("Redirector", $"{redirector.Name}: {link}; {orders}{(redirector.Fault.Length > 0 ? $". {redirector.Fault}" : "")}");
        }

        console.Write(grid);

        void Add(string name, string value) => grid.AddRow(new Text(name), new Text(value));
    }
}
