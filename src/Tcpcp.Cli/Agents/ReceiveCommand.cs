using System.CommandLine;
using System.Runtime.InteropServices;
using Tcpcp.Client;
using Tcpcp.Linux.Processes;

namespace Tcpcp.Cli.Agents;

/// <summary>tcpcp receive: a program that knows nothing of tcpcp takes connections.</summary>
internal static class ReceiveCommand
{
    private const string Help = """
        Takes the connections that other hosts pass to NAME, and starts COMMAND for each pass: with the connections as descriptors from 3 on, by the
        convention of systemd's socket activation (LISTEN_FDS, LISTEN_PID, LISTEN_FDNAMES=connection), or with --inetd as standard input and output.
        REMOTE_ADDR and REMOTE_PORT name the peer. The connections are held here, silent, until they belong to this host; then COMMAND starts.

        What may come is the agent's policy at this host (NAME is one of its applications). It runs until SIGTERM or SIGINT; programs that it has
        started go on. It needs no privilege, but the group of the agent's applications.
        Exit codes: 0 it was stopped; 1 it could not run; 2 wrong use.

        Examples:
          tcpcp receive sshd -- /usr/sbin/sshd -i
          tcpcp receive echo --inetd -- cat
        """;

    public static Command Create()
    {
        Argument<string> name = new("NAME") { Description = "Name that connections are passed to ('tcpcp pass ... --as NAME')." };
        Argument<string[]> program = new("COMMAND") { Description = "The program and its arguments, after --.", Arity = ArgumentArity.OneOrMore };
        Option<bool> inetd = new("--inetd") { Description = "Give the connection as standard input and output instead of descriptor 3." };
        Option<string> agent = LocalAgent.CreateOption();
        Command command = new("receive", Help) { name, program, inetd, agent };
        command.SetAction((parsed, _) => RunAsync(parsed.GetRequiredValue(name), parsed.GetRequiredValue(program), parsed.GetValue(inetd), parsed.GetRequiredValue(agent)));
        return command;
    }

    private static async Task<int> RunAsync(string name, string[] program, bool inetd, string agent)
    {
        string file;
        try
        {
            file = ProgramFile.Find(program[0]);
        }
        catch (ProcessException e)
        {
            Console.Error.WriteLine($"tcpcp receive: {e.Message}");
            return ExitCode.WrongUse;
        }

        TaskCompletionSource stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
        using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        return await LocalAgent.UseAsync(agent, async client =>
        {
            CommandReceiver receiver = new(file, program[1..], inetd, Console.WriteLine);
            await client.RegisterAsync(name, receiver);
            Console.WriteLine($"Takes connections that are passed to {name}.");
            await stopped.Task;
            return ExitCode.Done;
        });

        void Stop(PosixSignalContext signal)
        {
            signal.Cancel = true;
            stopped.TrySetResult();
        }
    }
}
