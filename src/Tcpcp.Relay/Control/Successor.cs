using Tcpcp.Linux;
using Tcpcp.Linux.Processes;

namespace Tcpcp.Relay.Control;

/// <summary>A new process of this program that takes over, with the same arguments; it outlives this one.</summary>
internal static class Successor
{
    /// <summary>By which the program is told to take over.</summary>
    public const string Option = "--upgrade";

    /// <summary>Starts what is installed now where this program was started from.</summary>
    /// <returns>It is not to be disposed of: that would kill it.</returns>
    /// <exception cref="KernelException">It cannot be started.</exception>
    public static ChildProcess Start()
    {
        const string Replaced = " (deleted)"; // so the kernel names a file that another one has taken the place of
        string program = Environment.ProcessPath ?? throw new InvalidOperationException("The path of this program is not known.");
        bool isHosted = Path.GetFileNameWithoutExtension(program) == "dotnet"; // then the first argument is the assembly
        IEnumerable<string> arguments = Environment.GetCommandLineArgs().Skip(isHosted ? 0 : 1).Where(argument => argument != Option).Append(Option);
        return ChildProcess.Start(program.EndsWith(Replaced, StringComparison.Ordinal) ? program[..^Replaced.Length] : program, [.. arguments],
            new ChildOptions { Output = ChildOutput.Inherited, ErrorOutput = ChildOutput.Inherited });
    }
}
