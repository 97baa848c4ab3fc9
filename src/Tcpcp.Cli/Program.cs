using System.CommandLine;
using Tcpcp.Cli;
using Tcpcp.Cli.Check;
using Tcpcp.Cli.Demo;
using Tcpcp.Cli.Save;
using Tcpcp.Samples.FileServer;

RootCommand root = new("Passes live TCP connections from one host to another while the peer notices nothing.")
{
    DemoCommand.Create(),
    CheckCommand.Create(),
    DumpCommand.Create(),
    RestoreCommand.Create(),
};
Command server = FileServerCommand.Create(DemoHosts.ServerCommand);
server.Hidden = true;
root.Add(server);

ParseResult parsed = root.Parse(args);
if (parsed.Errors.Count == 0)
    return await parsed.InvokeAsync();
await parsed.InvokeAsync(); // prints the errors and how it is used
return ExitCode.WrongUse;
