using System.CommandLine;
using System.Net;
using Tcpcp.Cli.Agents;
using Tcpcp.Client;
using Tcpcp.Core.Wire;
using Tcpcp.Relay.Control;

namespace Tcpcp.Cli.Relays;

/// <summary>tcpcp relay drain and rebalance: sessions move to the relay of another host.</summary>
internal static class RelayMoveCommand
{
    private const string DrainHelp = """
        Passes all sessions of this host's relay to the relay of another host, both connections of each together, and then those that have opened meanwhile.
        A session that cannot move goes on here, and is named.

        With --take-addresses the service addresses move first (docs/configuration.md, Redirection): new sessions open there from the beginning, and that host sends the packets of
        the others back here until they are passed. Where servers are connected from addresses that move too (source), all of them move when the sessions are there, since that host
        could open none before; this host may be switched off then. It needs the rights of an operator of the agent.

        Ctrl-C begins no new pass, ends those under way and says what moved. --json prints a line for each session as its outcome is known.
        Exit codes: 0 all passed; 1 some go on here, an address stays, or there was nothing to pass; 2 wrong use; 3 the owner of some is not known yet.

        Examples:
          tcpcp relay drain --to host-b
          tcpcp relay drain --to host-b --take-addresses --json
        """;

    private const string RebalanceHelp = """
        Passes some sessions of this host's relay to the relay of another host, the youngest first, and nothing else.

        Exit codes: 0 all of them passed; 1 some go on here, or there was nothing to pass; 2 wrong use; 3 the owner of some is not known yet.

        Examples:
          tcpcp relay rebalance --to host-b --percent 50
          tcpcp relay rebalance --to host-b --sessions 100
        """;

    public static Command CreateDrain()
    {
        Option<string> to = CreateDestination();
        Option<bool> takeAddresses = new("--take-addresses") { Description = "The service addresses go too." };
        Option<string> control = LocalRelay.CreateOption();
        Option<string> application = new("--app") { Description = "The relay's name at its agent (application in its configuration).", HelpName = "NAME", DefaultValueFactory = _ => "relay" };
        Option<string> agent = LocalAgent.CreateOption();
        Option<bool> json = LocalAgent.CreateJsonOption();
        Command command = new("drain", DrainHelp) { to, takeAddresses, control, application, agent, json };
        command.SetAction((parsed, _) => LocalRelay.UseAsync(parsed.GetRequiredValue(control), relay =>
        {
            MoveSessions sessions = new() { Destination = parsed.GetRequiredValue(to) };
            DrainOrder addresses = new() { Destinations = [sessions.Destination], Applications = [parsed.GetRequiredValue(application)], TakeAddresses = true };
            return parsed.GetValue(takeAddresses)
                ? LocalAgent.UseAsync(parsed.GetRequiredValue(agent), client => DrainAsync(relay, client, sessions, addresses, parsed.GetValue(json)))
                : new SessionMoveRun(relay, sessions, parsed.GetValue(json), mayBeNothing: false).RunAsync();
        }));
        return command;
    }

    private static async Task<int> DrainAsync(RelayClient relay, AgentClient agent, MoveSessions sessions, DrainOrder addresses, bool json)
    {
        IPAddress[] own = await FindAddressesAsync(relay);
        DrainRun first = new(agent, addresses with { AddressesFirst = own, AddressesAlone = true }, json, isPart: true) { IsFirst = true };
        if (own.Length > 0)
            await first.RunAsync();
        if (first.WasStopped)
            return ExitCode.Failed;
        int moved = await new SessionMoveRun(relay, sessions, json, mayBeNothing: true).RunAsync();
        return moved != ExitCode.Done ? moved : await new DrainRun(agent, addresses, json, isPart: true).RunAsync();
    }

    // Where clients connect to. None if the other relay could not connect them to servers yet: the addresses that it would do so from are here until no session needs them.
    private static async Task<IPAddress[]> FindAddressesAsync(RelayClient relay)
    {
        List<IPAddress> addresses = [];
        bool haveSources = false;
        await foreach (RelayMessage row in relay.AskAsync(new RelayMessage { GetStatus = new GetRelayStatus() }))
        {
            haveSources |= row.Server is { Sources.Count: > 0 };
            addresses.AddRange((row.Listener?.Addresses ?? []).Select(text => IPEndPoint.Parse(text).Address));
        }

        return haveSources ? [] : [.. addresses.Distinct().Where(address => !address.Equals(IPAddress.Any) && !address.Equals(IPAddress.IPv6Any))];
    }

    public static Command CreateRebalance()
    {
        Option<string> to = CreateDestination();
        Option<uint> sessions = new("--sessions") { Description = "How many move.", HelpName = "N" };
        Option<uint> percent = new("--percent") { Description = "How many of the open ones move, 1 to 100.", HelpName = "N" };
        Option<string> control = LocalRelay.CreateOption();
        Option<bool> json = LocalAgent.CreateJsonOption();
        Command command = new("rebalance", RebalanceHelp) { to, sessions, percent, control, json };
        command.Validators.Add(result =>
        {
            if ((result.GetValue(sessions) == 0) == (result.GetValue(percent) == 0))
                result.AddError("Say how many move: --sessions or --percent.");
            if (result.GetValue(percent) > 100)
                result.AddError("--percent is 1 to 100.");
        });
        command.SetAction((parsed, _) => LocalRelay.UseAsync(parsed.GetRequiredValue(control), relay => new SessionMoveRun(relay, new MoveSessions
        {
            Destination = parsed.GetRequiredValue(to), Count = parsed.GetValue(sessions), Percent = parsed.GetValue(percent),
        }, parsed.GetValue(json), mayBeNothing: false).RunAsync()));
        return command;
    }

    private static Option<string> CreateDestination() => new("--to") { Description = "Name of the agent of the host that takes them.", HelpName = "HOST", Required = true };
}
