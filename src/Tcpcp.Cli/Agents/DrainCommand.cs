using System.CommandLine;
using System.CommandLine.Parsing;
using System.Net;
using Tcpcp.Client;

namespace Tcpcp.Cli.Agents;

/// <summary>tcpcp drain: everything that the applications of this host have.</summary>
internal static class DrainCommand
{
    private const string Help = """
        Passes all connections of this host's registered applications to other hosts, through its agent. A bounded number stands still at a time
        (limits:frozen of the agent's configuration), the rest runs on. What cannot be passed goes on where it is, and is named.

        With --take-addresses, where packets are forwarded: when all connections of a service address are at that one host, the address itself moves there,
        new connections go there, and this host may be switched off. What has to stay is sent its packets by that host. An address that --address-first names moves
        before its connections do: new ones open there from the beginning, and those that are here still are sent their packets by that host.

        Ctrl-C takes no new ones, ends those under way and says what moved. --json prints a line for each connection as its outcome is known.
        Exit codes: 0 all passed; 1 some go on here, an address stays, or there was nothing to pass; 2 wrong use; 3 the owner of some is not known yet.

        Examples:
          tcpcp drain --to host-b
          tcpcp drain --to host-b --take-addresses
          tcpcp drain --to host-b --take-addresses --address-first 10.0.0.100
          tcpcp drain --to host-b,host-c --app file-server --rate 200
        """;

    public static Command Create()
    {
        Option<string[]> to = new("--to")
        {
            Description = "Names of the agents that take them, in turn; separated by commas.",
            HelpName = "HOST,...",
            Required = true,
            CustomParser = result => [.. result.Tokens.SelectMany(token => token.Value.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))],
        };
        Option<string[]> applications = new("--app") { Description = "Only connections of this application; may repeat.", HelpName = "NAME" };
        Option<int> rate = new("--rate") { Description = "Passes begun a second at most; 0: as fast as it goes.", HelpName = "N" };
        rate.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int>() < 0)
                result.AddError("--rate is 0 or more.");
        });
        Option<bool> takeAddresses = new("--take-addresses") { Description = "Their addresses go too, to the one host that --to names." };
        Option<IPAddress[]> first = new("--address-first")
        {
            Description = "With --take-addresses: this one moves before its connections; may repeat.",
            HelpName = "ADDRESS",
            CustomParser = ParseAddresses,
        };
        Option<string> agent = LocalAgent.CreateOption();
        Option<bool> json = LocalAgent.CreateJsonOption();
        Command command = new("drain", Help) { to, applications, rate, takeAddresses, first, agent, json };
        command.Validators.Add(result =>
        {
            if (result.GetResult(first) is not null && !result.GetValue(takeAddresses))
                result.AddError("--address-first is for a drain with --take-addresses.");
        });
        command.SetAction((parsed, _) => LocalAgent.UseAsync(parsed.GetRequiredValue(agent), client => new DrainRun(client, new DrainOrder
        {
            Destinations = parsed.GetRequiredValue(to),
            Applications = parsed.GetValue(applications) ?? [],
            Rate = parsed.GetValue(rate),
            TakeAddresses = parsed.GetValue(takeAddresses),
            AddressesFirst = parsed.GetValue(first) ?? [],
        }, parsed.GetValue(json)).RunAsync()));
        return command;
    }

    private static IPAddress[] ParseAddresses(ArgumentResult result)
    {
        List<IPAddress> addresses = [];
        foreach (Token token in result.Tokens)
        {
            if (IPAddress.TryParse(token.Value, out IPAddress? address))
                addresses.Add(address);
            else
                result.AddError($"--address-first: '{token.Value}' is no IP address.");
        }

        return [.. addresses];
    }
}
