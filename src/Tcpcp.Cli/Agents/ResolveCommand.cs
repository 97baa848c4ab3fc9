using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Spectre.Console;
using Tcpcp.Client;
using Tcpcp.Core;

namespace Tcpcp.Cli.Agents;

/// <summary>tcpcp resolve: passes in doubt.</summary>
internal static class ResolveCommand
{
    private const string Help = """
        Lists passes whose owner this host does not know, since the destination has not answered; or settles one. The agent asks the destination by itself
        until there is an answer: settle by hand only what cannot wait.

        --abandon closes the frozen copies silently: if the destination never took the connections, they are lost. --destination-is-dead lets them go on
        here: if the destination lives after all, THEY HAVE TWO OWNERS, and both may corrupt what the peer receives. Make sure that it is off.
        Exit codes: 0 listed, or settled; 1 failed; 2 wrong use; 3 it is in doubt still.

        Examples:
          tcpcp resolve
          tcpcp resolve 5f0c2a… --ask
          tcpcp resolve 5f0c2a… --abandon
          tcpcp resolve 5f0c2a… --destination-is-dead
        """;

    public static Command Create()
    {
        Argument<string?> pass = new("PASS") { Description = "Id of the pass, as it is listed, or its first digits.", Arity = ArgumentArity.ZeroOrOne };
        Option<bool> all = new("--all") { Description = "Lists all passes that are open, not only those in doubt." };
        Option<bool> ask = new("--ask") { Description = "Asks the destination now." };
        Option<bool> abandon = new("--abandon") { Description = "Gives the connections up." };
        Option<bool> dead = new("--destination-is-dead") { Description = "Lets the connections go on here. Makes two owners if the destination is not dead." };
        Option<string> agent = LocalAgent.CreateOption();
        Option<bool> json = LocalAgent.CreateJsonOption();
        Command command = new("resolve", Help) { pass, all, ask, abandon, dead, agent, json };
        command.Validators.Add(result =>
        {
            int ways = new[] { ask, abandon, dead }.Count(option => result.GetValue(option));
            if (ways > 1)
                result.AddError("Choose one of --ask, --abandon and --destination-is-dead.");
            if (ways == 1 != (result.GetValue(pass) is not null))
                result.AddError("To settle a pass, name it and say how: --ask, --abandon or --destination-is-dead.");
        });
        command.SetAction((parsed, _) => LocalAgent.UseAsync(parsed.GetRequiredValue(agent), client => parsed.GetValue(pass) is { } id
            ? SettleAsync(client, id, parsed.GetValue(abandon) ? SettleWay.Abandon : parsed.GetValue(dead) ? SettleWay.DestinationIsDead : SettleWay.AskAgain, parsed.GetValue(json))
            : ListAsync(client, !parsed.GetValue(all), parsed.GetValue(json))));
        return command;
    }

    private static async Task<int> ListAsync(AgentClient client, bool inDoubtOnly, bool json)
    {
        IReadOnlyList<OpenPass> passes = await client.ListPassesAsync(inDoubtOnly);
        if (json)
        {
            foreach (OpenPass pass in passes)
                Console.WriteLine(JsonSerializer.Serialize(OpenPassReport.Of(pass), AgentJson.Default.OpenPassReport));
            return ExitCode.Done;
        }

        IAnsiConsole console = PeopleConsole.Create();
        if (passes.Count == 0)
        {
            console.WriteLine(inDoubtOnly ? "No pass is in doubt." : "No pass is open.");
            return ExitCode.Done;
        }

        Table table = new Table().Border(TableBorder.Simple);
        table.AddColumn("Pass", column => column.NoWrap());
        table.AddColumns("Side", "State", "Connections", "Application", "Other host", "Age", "Kernel's time left", "Detail");
        foreach (OpenPass pass in passes)
        {
            table.AddRow(new Text(pass.Pass.ToString()), new Text(pass.Role.ToString()), new Text(pass.State), new Text(string.Join('\n', pass.Connections)),
                new Text(pass.Application), new Text(pass.OtherHost), new Text(Show(pass.Age)), new Text(pass.KernelTimeLeft is { } left ? Show(left) : ""), new Text(pass.Detail));
        }

        console.Write(table);
        return ExitCode.Done;
    }

    private static async Task<int> SettleAsync(AgentClient client, string id, SettleWay way, bool json)
    {
        OpenPass[] found = [.. (await client.ListPassesAsync()).Where(pass => pass.Pass.ToString().StartsWith(id, StringComparison.OrdinalIgnoreCase))];
        if (found.Length != 1)
            throw new AgentException(found.Length == 0 ? $"No open pass begins with '{id}': 'tcpcp resolve --all' lists them." : $"{found.Length} passes begin with '{id}': write more of it.");
        PassResult result = await client.SettlePassAsync(found[0].Pass, way);
        if (json)
            Console.WriteLine(JsonSerializer.Serialize(SettledReport.Of(found[0].Pass, result), AgentJson.Default.SettledReport));
        else
            Console.WriteLine($"{found[0].Pass}: owner {result.Owner}{(result.Detail.Length > 0 ? $" ({result.Detail})" : "")}");
        return result.Owner == ConnectionOwner.InDoubt ? ExitCode.InDoubt : ExitCode.Done;
    }

    private static string Show(TimeSpan time) => time.ToString(time.TotalDays >= 1 ? @"d\.hh\:mm\:ss" : @"hh\:mm\:ss", CultureInfo.InvariantCulture);
}
