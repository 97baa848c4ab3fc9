using System.CommandLine;
using System.CommandLine.Invocation;
using Tcpcp.Cli;
using Tcpcp.Cli.Agents;
using Tcpcp.Cli.Certificates;
using Tcpcp.Cli.Check;
using Tcpcp.Cli.Completions;
using Tcpcp.Cli.Connections;
using Tcpcp.Cli.Demo;
using Tcpcp.Cli.Doctor;
using Tcpcp.Cli.Relays;
using Tcpcp.Cli.Save;
using Tcpcp.Samples.FileServer;

// These know themselves what a signal means: what is under way ends, however long it takes.
Command agent = AgentCommand.Create(), pass = PassCommand.Create(), drain = DrainCommand.Create(), relay = RelayCommand.Create();
RootCommand root = new("Passes live TCP connections from one host to another while the peer notices nothing.")
{
    DoctorCommand.Create(),
    ListCommand.Create(),
    ShowCommand.Create(),
    DumpCommand.Create(),
    RestoreCommand.Create(),
    agent,
    pass,
    ReceiveCommand.Create(),
    drain,
    ResolveCommand.Create(),
    StatusCommand.Create(),
    relay,
    CheckCommand.Create(),
    CertificateCommand.Create(),
    DemoCommand.Create(),
    CompletionsCommand.Create(),
};
Command server = FileServerCommand.Create(DemoHosts.ServerCommand);
server.Hidden = true;
root.Add(server);

ParseResult parsed = root.Parse(args);
if (parsed.Action is not ParseErrorAction) // to complete a line is no wrong use, however wrong the line still is
{
    InvocationConfiguration invocation = new() { EnableDefaultExceptionHandler = false };
    if (parsed.CommandResult.Command is { } command && (command == agent || command == pass || command == drain || command == relay || command.Name is "drain" or "rebalance"))
        invocation.ProcessTerminationTimeout = null;
    try
    {
        return await parsed.InvokeAsync(invocation);
    }
    catch (Exception e) when (e is IOException or UnauthorizedAccessException or DllNotFoundException)
    {
        // What the command itself does not expect: standard output on a disk that is full, for one.
        await Console.Error.WriteLineAsync($"tcpcp: {FailureAdvice.Add(e)}");
        return ExitCode.Failed;
    }
    catch (OperationCanceledException)
    {
        return ExitCode.Failed;
    }
    catch (Exception e)
    {
        await Console.Error.WriteLineAsync($"tcpcp: a fault of tcpcp's own, please report it: {e}");
        return ExitCode.Failed;
    }
}

await parsed.InvokeAsync(); // prints the errors and how it is used
return ExitCode.WrongUse;
