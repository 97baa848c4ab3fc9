using System.CommandLine;
using System.Text.Json;
using Tcpcp.Linux;
using Tcpcp.Linux.Diagnostics;

namespace Tcpcp.Cli.Connections;

/// <summary><c>tcpcp show</c>: the whole kernel state of one connection.</summary>
internal static class ShowCommand
{
    private const string Help = """
        Shows the kernel state of one connection without disturbing it: no repair mode, no descriptor, only sock_diag and /proc. The fields of
        tcp_info have the kernel's names (linux/tcp.h): rto, rtt and the limited times in microseconds, last_* in milliseconds, windows of
        congestion in segments. Mark, upper layer and MD5 keys show only with CAP_NET_ADMIN.

        Exit codes: 0 shown; 1 there is no such connection, or the kernel refused; 2 wrong use.

        Examples:
          tcpcp show pid:4711/5
          tcpcp show 192.0.2.1:80-192.0.2.9:51514
          tcpcp show '[2001:db8::1]:80-[2001:db8::9]:51514' --json | jq .tcp_info.rtt
        """;

    public static Command Create()
    {
        Argument<ConnectionArgument> connection = ConnectionArgument.Create();
        Option<bool> json = new("--json") { Description = "One JSON object on standard output, and nothing else." };
        Command command = new("show", Help) { connection, json };
        command.SetAction(parsed => Run(parsed.GetRequiredValue(connection), parsed.GetValue(json)));
        return command;
    }

    private static int Run(ConnectionArgument argument, bool json)
    {
        try
        {
            using SocketDiagnostics diagnostics = new();
            ResolvedConnection found = argument.Resolve(diagnostics);
            SocketDetails details = diagnostics.Describe(found.Socket)
                ?? throw new ConnectionNotFoundException($"{found.Socket.Connection} has ended meanwhile.");
            ConnectionDetailsReport report = ConnectionDetailsReport.Of(details, found.Owners);
            if (json)
                Console.WriteLine(JsonSerializer.Serialize(report, ConnectionJson.Default.ConnectionDetailsReport));
            else
                ConnectionDetailsTable.Write(report, found.UnreadableProcesses);
            return ExitCode.Done;
        }
        catch (Exception e) when (e is KernelException or ConnectionNotFoundException)
        {
            Console.Error.WriteLine($"tcpcp show: {FailureAdvice.Add(e)}");
            return ExitCode.Failed;
        }
    }
}
