using System.CommandLine;

namespace Tcpcp.Cli.Completions;

/// <summary><c>tcpcp completions</c>: prints the script that makes a shell complete the command's words.</summary>
internal static class CompletionsCommand
{
    private const string Help = """
        Prints a script for the shell. Commands and options are completed, and connections from those that there are now.

        Exit codes: 0 printed; 2 wrong use.

        Examples:
          tcpcp completions bash > /usr/share/bash-completion/completions/tcpcp
          tcpcp completions zsh > "${fpath[1]}/_tcpcp"
          tcpcp completions fish > ~/.config/fish/completions/tcpcp.fish
          source <(tcpcp completions bash)                       # for this shell alone
        """;

    public static Command Create()
    {
        Argument<string> shell = new("SHELL") { Description = "bash, zsh or fish." };
        shell.AcceptOnlyFromAmong([.. CompletionScripts.Shells]);
        Command command = new("completions", Help) { shell };
        command.SetAction(parsed =>
        {
            Console.Write(CompletionScripts.For(parsed.GetRequiredValue(shell)));
            return ExitCode.Done;
        });
        return command;
    }
}
