namespace Tcpcp.Cli;

/// <summary>How this program is started again.</summary>
internal static class OwnProgram
{
    /// <returns>The program, and arguments that come before those of the command line.</returns>
    public static (string Program, IReadOnlyList<string> Before) Find()
    {
        // Under native AOT or an apphost the process is the program; under `dotnet Tcpcp.Cli.dll` it is not.
        string process = Environment.ProcessPath!;
        return Path.GetFileNameWithoutExtension(process) == "dotnet"
            ? (process, [Path.Combine(AppContext.BaseDirectory, "Tcpcp.Cli.dll")])
            : (process, []);
    }
}
