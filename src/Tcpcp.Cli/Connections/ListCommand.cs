using System.CommandLine;
using System.Text.Json;
using Tcpcp.Core;
using Tcpcp.Linux;
using Tcpcp.Linux.Diagnostics;

namespace Tcpcp.Cli.Connections;

/// <summary><c>tcpcp list</c>: the TCP connections of this network namespace.</summary>
internal static class ListCommand
{
    private const string Help = """
        Lists the TCP connections of this network namespace: state, queues, the processes that hold them, and whether they can be passed,
        as far as their state shows it. It looks only (sock_diag and /proc). Processes of other users show to root alone.

        Exit codes: 0 listed, even if there is none; 1 the kernel refused; 2 wrong use.

        Examples:
          tcpcp list
          tcpcp list --pid 4711 --state established
          tcpcp list --local :443 --json | jq -r '.[] | select(.passable) | .connection'
        """;

    private static readonly TcpState[] s_connections =
    [
        TcpState.Established, TcpState.SynSent, TcpState.SynReceived, TcpState.FinWait1, TcpState.FinWait2, TcpState.TimeWait, TcpState.CloseWait,
        TcpState.LastAck, TcpState.Closing,
    ];

    public static Command Create()
    {
        Option<bool> json = new("--json") { Description = "One JSON array on standard output, and nothing else." };
        Option<int?> pid = new("--pid") { Description = "Only those that this process holds.", HelpName = "PID" };
        Option<LocalFilter?> local = new("--local")
        {
            Description = "Only those with this end here: ADDRESS, ADDRESS:PORT or :PORT.",
            HelpName = "END",
            CustomParser = LocalFilter.Parse,
        };
        Option<TcpState[]> state = new("--state")
        {
            Description = "Only those in this state; may repeat. LISTEN is shown only if asked for.",
            HelpName = "STATE",
            CustomParser = result =>
            {
                List<TcpState> states = [];
                foreach (System.CommandLine.Parsing.Token token in result.Tokens)
                {
                    if (StateNames.TryParse(token.Value) is { } known)
                        states.Add(known);
                    else
                        result.AddError($"'{token.Value}' is no state: write {string.Join(", ", StateNames.All)}.");
                }

                return [.. states];
            },
        };
        state.CompletionSources.Add([.. StateNames.All]);
        Command command = new("list", Help) { json, pid, state, local };
        command.SetAction(parsed => Run(parsed.GetValue(json), parsed.GetValue(pid), parsed.GetValue(state) ?? [], parsed.GetValue(local)));
        return command;
    }

    private static int Run(bool json, int? processId, TcpState[] states, LocalFilter? local)
    {
        try
        {
            if (processId is { } given && SocketOwners.CommandOf(given) is null)
            {
                Console.Error.WriteLine($"tcpcp list: There is no process {given}: 'ps' lists those that there are.");
                return ExitCode.Failed;
            }

            using SocketDiagnostics diagnostics = new();
            IReadOnlyList<ListedSocket> sockets = diagnostics.List(states is [] ? s_connections : states);
            SocketOwners owners = SocketOwners.Read();
            IReadOnlyList<ConnectionReport> reports =
            [
                .. sockets
                    .Where(socket => (local is null || local.Matches(socket.Connection.Local))
                        && (processId is null || owners.Of(socket.Inode).Any(owner => owner.ProcessId == processId)))
                    .OrderBy(socket => socket.Connection.IsIPv6).ThenBy(socket => socket.Connection.ToString(), StringComparer.Ordinal)
                    .Select(socket => ConnectionReport.Of(socket, owners.Of(socket.Inode))),
            ];
            if (json)
                Console.WriteLine(JsonSerializer.Serialize(reports, ConnectionJson.Default.IReadOnlyListConnectionReport));
            else
                ConnectionTable.Write(reports, owners.Unreadable);
            return ExitCode.Done;
        }
        catch (KernelException e)
        {
            Console.Error.WriteLine($"tcpcp list: {FailureAdvice.Add(e)}");
            return ExitCode.Failed;
        }
    }
}
