using System.CommandLine;
using Tcpcp.Core.Wire;

namespace Tcpcp.Cli.Relays;

/// <summary>tcpcp relay set: a server's state and weight, while the relay runs.</summary>
internal static class RelaySetCommand
{
    private const string Help = """
        Sets the state or the weight of a server of this host's relay, at once. It counts until the relay is started again, or reads a configuration that says
        something else of that server than before.

        ready: it takes sessions; drain: it gets no new ones, those that it has go on; maint: as drain, and it is not checked.
        Exit codes: 0 set; 1 there is no such server, no relay, or this user may not; 2 wrong use.

        Examples:
          tcpcp relay set databases/db1 --state drain
          tcpcp relay set databases/db2 --weight 10
        """;

    public static Command Create()
    {
        Argument<string[]> server = new("server")
        {
            Description = "The server with its pool.",
            HelpName = "POOL/SERVER",
            Arity = ArgumentArity.ExactlyOne,
            CustomParser = result =>
            {
                if (result.Tokens[0].Value.Split('/') is [{ Length: > 0 }, { Length: > 0 }] parts)
                    return parts;
                result.AddError($"'{result.Tokens[0].Value}' is no server: write POOL/SERVER, for example databases/db1.");
                return null;
            },
        };
        Option<string> state = new("--state") { Description = "ready, drain or maint." };
        state.AcceptOnlyFromAmong("ready", "drain", "maint");
        Option<uint?> weight = new("--weight") { Description = "Its share beside the others, 0 to 256.", HelpName = "N" };
        Option<string> control = LocalRelay.CreateOption();
        Command command = new("set", Help) { server, state, weight, control };
        command.Validators.Add(result =>
        {
            if (result.GetValue(state) is null && result.GetValue(weight) is null)
                result.AddError("Say what to set: --state or --weight.");
        });
        command.SetAction((parsed, _) => LocalRelay.UseAsync(parsed.GetRequiredValue(control), async relay =>
        {
            string[] name = parsed.GetRequiredValue(server);
            SetServer order = new() { Pool = name[0], Server = name[1], State = parsed.GetValue(state) ?? "" };
            if (parsed.GetValue(weight) is { } number)
                order.Weight = number;
            await foreach (RelayMessage _ in relay.AskAsync(new RelayMessage { SetServer = order }))
                continue;
            return ExitCode.Done;
        }));
        return command;
    }
}
