using System.CommandLine;
using Tcpcp.Cli.Connections;
using Tcpcp.Client;

namespace Tcpcp.Cli.Agents;

/// <summary>tcpcp pass: single connections.</summary>
internal static class PassCommand
{
    private const string Help = """
        Passes connections to another host through this host's agent. Their application is asked to let them go; with --as a process that knows
        nothing of tcpcp is stopped meanwhile and sees its socket end, and NAME takes the connection at the destination.

        What cannot be passed goes on where it is, and is named. Ctrl-C takes no new ones and ends those under way.
        Exit codes: 0 all passed; 1 some go on here; 2 wrong use; 3 the owner of some is not known yet (tcpcp resolve).

        Examples:
          tcpcp pass 192.0.2.1:80-192.0.2.9:51514 --to host-b
          tcpcp pass pid:4711/5 --as sshd --to host-b
        """;

    public static Command Create()
    {
        Argument<ConnectionArgument[]> connections = new("CONNECTION")
        {
            Description = "pid:PID/FD, or LOCAL-PEER as 192.0.2.1:80-192.0.2.9:51514.",
            Arity = ArgumentArity.OneOrMore,
            CustomParser = result =>
            {
                ConnectionArgument?[] parsed = [.. result.Tokens.Select(token => ConnectionArgument.TryParse(token.Value))];
                for (int i = 0; i < parsed.Length; i++)
                {
                    if (parsed[i] is null)
                        result.AddError($"'{result.Tokens[i].Value}' is not a connection: write pid:PID/FD or LOCAL-PEER; 'tcpcp list' shows both.");
                }

                return [.. parsed.OfType<ConnectionArgument>()];
            },
        };
        connections.CompletionSources.Add(_ => LiveConnections.Names());
        Option<string> to = new("--to") { Description = "Name of the destination's agent.", HelpName = "HOST", Required = true };
        Option<string> application = new("--as") { Description = "What takes it at the destination, if its process knows nothing of tcpcp.", HelpName = "NAME" };
        Option<string> agent = LocalAgent.CreateOption();
        Option<bool> json = LocalAgent.CreateJsonOption();
        Command command = new("pass", Help) { connections, to, application, agent, json };
        command.SetAction((parsed, _) => RunAsync(parsed.GetRequiredValue(connections), parsed.GetRequiredValue(to), parsed.GetValue(application) ?? "",
            parsed.GetRequiredValue(agent), parsed.GetValue(json)));
        return command;
    }

    private static async Task<int> RunAsync(ConnectionArgument[] connections, string to, string application, string agent, bool json) =>
        await LocalAgent.UseAsync(agent, async client =>
        {
            int worst = ExitCode.Done;
            foreach (DrainOrder order in Orders(connections, to, application))
                worst = Math.Max(worst, await new DrainRun(client, order, json).RunAsync());
            return worst;
        });

    private static IEnumerable<DrainOrder> Orders(ConnectionArgument[] connections, string to, string application)
    {
        Core.FourTuple[] ends = [.. connections.OfType<ConnectionArgument.Ends>().Select(one => one.Connection)];
        if (ends.Length > 0)
            yield return new DrainOrder { Destinations = [to], Connections = ends, AsApplication = application };
        foreach (ConnectionArgument.Descriptor one in connections.OfType<ConnectionArgument.Descriptor>())
            yield return new DrainOrder { Destinations = [to], ProcessId = one.ProcessId, Descriptor = one.Number, AsApplication = application };
    }
}
