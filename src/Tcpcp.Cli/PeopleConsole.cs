using Spectre.Console;

namespace Tcpcp.Cli;

/// <summary>Standard output for people.</summary>
internal static class PeopleConsole
{
    private const int FileWidth = 240; // a file has no edge to wrap at

    public static IAnsiConsole Create()
    {
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Out) });
        if (Console.IsOutputRedirected)
            console.Profile.Width = FileWidth;
        return console;
    }
}
