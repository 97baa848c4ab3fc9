using System.CommandLine;
using Tcpcp.Core;
using Tcpcp.Linux.Processes;

namespace Tcpcp.Cli.Save;

/// <summary><c>tcpcp restore FILE -- COMMAND...</c>: revives a saved connection as a descriptor of a program.</summary>
internal static class RestoreCommand
{
    private const string Help = """
        Revives a saved connection and becomes COMMAND (execve in the same process, so that its exit code, signals and terminal are its
        own). COMMAND has the connection as descriptor 3, by the convention of systemd's socket activation: LISTEN_FDS=1, LISTEN_PID,
        LISTEN_FDNAMES=connection. With --inetd it is standard input and output. REMOTE_ADDR and REMOTE_PORT name the peer.

        The connection's own address must be an address of this host, and the peer's packets must come here; move both first. Nothing is
        sent before all that can be checked is checked; if it fails, the file stays usable. A file of 'dump --release' is renamed to
        FILE.used before the connection lives, and is not revived twice; do not copy it and revive the copy. A file without --release is
        refused, since the original may be alive: --force revives it all the same. One that is encrypted needs what it was saved with:
        --passphrase (or --passphrase-file), or --key-file.

        Exit codes: those of COMMAND; before it runs, 1 failed, nothing was revived and the file stays usable; 2 wrong use, or a file that
        cannot be used; 3 in doubt.

        Examples:
          tcpcp restore session.tcpcp -- socat - FD:3
          tcpcp restore session.tcpcp --inetd -- cat
          ip address add 192.0.2.1/32 dev eth0 && tcpcp restore session.tcpcp -- ./server
        """;

    public static Command Create()
    {
        Argument<string> file = new("FILE") { Description = "The file that 'tcpcp dump' wrote." };
        Argument<string[]> program = new("COMMAND")
        {
            Description = "The program and its arguments, after --.",
            Arity = ArgumentArity.OneOrMore,
        };
        Option<bool> inetd = new("--inetd") { Description = "Give the connection as standard input and output instead of descriptor 3." };
        Option<bool> force = new("--force")
        {
            Description = "Revive a copy, or a file that was used, although the connection may be alive: two owners destroy it.",
        };
        KeyOptions keys = new();
        Command command = new("restore", Help) { file, program, inetd, force };
        keys.AddTo(command);
        command.SetAction(result => Run(result.GetRequiredValue(file), result.GetRequiredValue(program), result.GetValue(inetd),
            result.GetValue(force), () => keys.Read(result, isNew: false)));
        return command;
    }

    private static int Run(string path, string[] program, bool inetd, bool force, Func<SnapshotKey?> readKey)
    {
        Revival? revival = null;
        try
        {
            ProgramImage image = new(ProgramFile.Find(program[0]), program);
            using SnapshotKey? key = readKey();
            using Revival opened = Revival.Open(path, key, force);
            revival = opened;
            opened.Activate();
            // Returns only if it failed.
            Linux.KernelException failure = image.Execute(opened.Environment, opened.Socket.SafeHandle, inetd ? [0, 1] : [3]);
            opened.TakeBack();
            return Say(ExitCode.Failed, $"{failure.Message}. The connection was taken back; {path} stays usable.");
        }
        catch (UnusableFileException e)
        {
            return Say(ExitCode.WrongUse, e.Message);
        }
        catch (ProcessException e) when (revival is null)
        {
            return Say(ExitCode.WrongUse, e.Message);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidOperationException
            or InvalidSnapshotException or DllNotFoundException)
        {
            return revival is { IsInDoubt: true }
                ? Say(ExitCode.InDoubt, $"{e.Message} The connection was alive for a moment and could not be taken back: " +
                    $"it ends. The file is {revival.FileNow}.")
                : Say(ExitCode.Failed, $"{FailureAdvice.Add(e)} Nothing was revived; {path} stays usable.");
        }
    }

    private static int Say(int exitCode, string message)
    {
        Console.Error.WriteLine($"tcpcp restore: {message}");
        return exitCode;
    }
}
