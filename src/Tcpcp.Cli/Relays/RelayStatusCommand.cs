using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Spectre.Console;
using Tcpcp.Cli.Agents;
using Tcpcp.Core.Wire;
using Tcpcp.Relay.Control;

namespace Tcpcp.Cli.Relays;

/// <summary>tcpcp relay status: listeners and servers, once or again and again.</summary>
internal static class RelayStatusCommand
{
    private const string Help = """
        Shows the listeners and servers of this host's relay: sessions, bytes, and how the servers are.

        Exit codes: 0 shown; 1 there is no relay, or this user may not ask it; 2 wrong use.

        Examples:
          tcpcp relay status
          tcpcp relay status --watch
          tcpcp relay status --csv
        """;

    private static readonly TimeSpan s_pause = TimeSpan.FromSeconds(1);
    private static readonly string[] s_columns =
    [
        "kind", "pool", "name", "address", "state", "health", "weight", "backup", "sessions", "max_sessions", "total", "failed", "bytes_to_server", "bytes_to_client",
        "passed_in", "passed_out", "last_check", "last_check_ms", "queued",
    ];

    public static Command Create()
    {
        Option<string> control = LocalRelay.CreateOption();
        Option<bool> json = LocalAgent.CreateJsonOption();
        Option<bool> csv = new("--csv") { Description = "Comma-separated values with a line of names, and nothing else." };
        Option<bool> watch = new("--watch") { Description = "Show it anew every second, until Ctrl-C." };
        Command command = new("status", Help) { control, json, csv, watch };
        command.Validators.Add(result =>
        {
            if (new[] { json, csv, watch }.Count(option => result.GetValue(option)) > 1)
                result.AddError("--json, --csv and --watch exclude each other.");
        });
        command.SetAction((parsed, stop) => LocalRelay.UseAsync(parsed.GetRequiredValue(control), relay =>
            RunAsync(relay, parsed.GetValue(json), parsed.GetValue(csv), parsed.GetValue(watch), stop)));
        return command;
    }

    private static async Task<int> RunAsync(RelayClient relay, bool json, bool csv, bool watch, CancellationToken stop)
    {
        (List<ListenerReport> listeners, List<ServerReport> servers) = await AskAsync(relay);
        if (json)
        {
            foreach (ListenerReport listener in listeners)
                Console.WriteLine(JsonSerializer.Serialize(listener, RelayJson.Default.ListenerReport));
            foreach (ServerReport server in servers)
                Console.WriteLine(JsonSerializer.Serialize(server, RelayJson.Default.ServerReport));
        }
        else if (csv)
        {
            WriteCsv(listeners, servers);
        }
        else if (watch)
        {
            await WatchAsync(relay, listeners, servers, stop);
        }
        else
        {
            PeopleConsole.Create().Write(TableOf(listeners, servers));
        }

        return ExitCode.Done;
    }

    private static async Task<(List<ListenerReport> Listeners, List<ServerReport> Servers)> AskAsync(RelayClient relay)
    {
        List<ListenerReport> listeners = [];
        List<ServerReport> servers = [];
        await foreach (RelayMessage row in relay.AskAsync(new RelayMessage { GetStatus = new GetRelayStatus() }))
        {
            if (row.Listener is { } listener)
                listeners.Add(ListenerReport.Of(listener));
            else if (row.Server is { } server)
                servers.Add(ServerReport.Of(server));
        }

        return (listeners, servers);
    }

    private static Task WatchAsync(RelayClient relay, List<ListenerReport> listeners, List<ServerReport> servers, CancellationToken stop) =>
        PeopleConsole.Create().Live(TableOf(listeners, servers)).StartAsync(async live =>
        {
            while (!stop.IsCancellationRequested)
            {
                await Task.Delay(s_pause, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                (listeners, servers) = await AskAsync(relay);
                live.UpdateTarget(TableOf(listeners, servers));
            }
        });

    private static Table TableOf(List<ListenerReport> listeners, List<ServerReport> servers)
    {
        Table table = new Table().AddColumns("", "Address", "State", "Weight", "Sessions", "Total", "Failed", "To server", "To client", "Passed in / out", "Check");
        foreach (ListenerReport one in listeners)
        {
            Add($"listener {one.Name}", string.Join(", ", one.Addresses), one.Pool.Length > 0 ? $"to {one.Pool}" : "by name", "", Of(one.Sessions, one.MaxSessions), Number(one.Total), Number(one.Refused),
                Number(one.BytesToServer), Number(one.BytesToClient), $"{Number(one.PassedIn)} / {Number(one.PassedOut)}", "");
        }

        foreach (ServerReport one in servers)
        {
            Add($"{one.Pool}/{one.Name}", one.Address, $"{one.State}, {one.Health}{(one.IsBackup ? ", backup" : "")}", Number(one.Weight),
                Of(one.Sessions, one.MaxSessions) + (one.Queued > 0 ? $" (+{Number(one.Queued)})" : ""), Number(one.Total), Number(one.ConnectFailures),
                Number(one.BytesToServer), Number(one.BytesToClient), "",
                one.LastCheck.Length == 0 ? "none" : string.Create(CultureInfo.InvariantCulture, $"{one.LastCheck}, {one.LastCheckMs:F1} ms"));
        }

        return table;

        void Add(params IReadOnlyList<string> cells) => table.AddRow(cells.Select(cell => new Text(cell)));
    }

    private static void WriteCsv(List<ListenerReport> listeners, List<ServerReport> servers)
    {
        Console.WriteLine(string.Join(',', s_columns));
        foreach (ListenerReport one in listeners)
        {
            Write("listener", one.Pool, one.Name, string.Join(' ', one.Addresses), "", "", "", "", Number(one.Sessions), Number(one.MaxSessions), Number(one.Total), Number(one.Refused),
                Number(one.BytesToServer), Number(one.BytesToClient), Number(one.PassedIn), Number(one.PassedOut), "", "", "");
        }

        foreach (ServerReport one in servers)
        {
            Write("server", one.Pool, one.Name, one.Address, one.State, one.Health, Number(one.Weight), one.IsBackup ? "true" : "false", Number(one.Sessions), Number(one.MaxSessions),
                Number(one.Total), Number(one.ConnectFailures), Number(one.BytesToServer), Number(one.BytesToClient), "", "", one.LastCheck,
                one.LastCheckMs.ToString("F3", CultureInfo.InvariantCulture), Number(one.Queued));
        }

        static void Write(params IReadOnlyList<string> values) => Console.WriteLine(string.Join(',', values.Select(Quote)));
    }

    // RFC 4180.
    private static string Quote(string value) => value.AsSpan().ContainsAny(",\"\r\n") ? $"\"{value.Replace("\"", "\"\"", StringComparison.Ordinal)}\"" : value;

    private static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);

    private static string Of(long value, long most) => most > 0 ? $"{Number(value)} of {Number(most)}" : Number(value);
}
