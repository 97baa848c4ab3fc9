using Tcpcp.Linux.Processes;

namespace Tcpcp.EndToEnd.Tests;

/// <summary>The built command, run as a user runs it: the one binary if TCPCP_TEST_COMMAND names it, as test.sh does; else what the build has made, which starts slowly.</summary>
internal static class Command
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(90);

    public static string Path { get; } = Environment.GetEnvironmentVariable("TCPCP_TEST_COMMAND") is { Length: > 0 } binary ? binary
        : System.IO.Path.Combine(AppContext.BaseDirectory, "Tcpcp.Cli");

    public static Task<(int ExitCode, string Output, string Error)> RunAsync(params string[] arguments) => RunProgramAsync(Path, arguments);

    public static Task<(int ExitCode, string Output, string Error)> RunProgramAsync(string program, params string[] arguments) => RunProgramAsync(s_limit, program, arguments);

    public static async Task<(int ExitCode, string Output, string Error)> RunProgramAsync(TimeSpan limit, string program, params string[] arguments)
    {
        await using ChildProcess process = ChildProcess.Start(program, arguments);
        int exitCode = await process.Exit.WaitAsync(limit);
        return (exitCode, await process.Output!.Completed.WaitAsync(limit), await process.ErrorOutput!.Completed.WaitAsync(limit));
    }
}
