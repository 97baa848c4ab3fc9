using System.ComponentModel;
using System.Diagnostics;

namespace Tcpcp.Relay.Control;

/// <summary>A new process of this program that takes over, with the same arguments; it outlives this one.</summary>
internal sealed class Successor : IDisposable
{
    /// <summary>By which the program is told to take over.</summary>
    public const string Option = "--upgrade";

    private readonly Process _process;

    private Successor(Process process)
    {
        _process = process;
        Exit = UntilExitAsync();
    }

    public int Id => _process.Id;

    /// <summary>Its exit code, when it has ended.</summary>
    public Task<int> Exit { get; }

    /// <summary>Starts what is installed now where this program was started from.</summary>
    /// <exception cref="IOException">It cannot be started.</exception>
    public static Successor Start()
    {
        const string Replaced = " (deleted)"; // so the kernel names a file that another one has taken the place of
        string program = Environment.ProcessPath ?? throw new IOException("The path of this program is not known.");
        string[] arguments = Environment.GetCommandLineArgs();
        bool isHosted = Path.GetFileNameWithoutExtension(program) == "dotnet"; // then the first argument is the assembly
        ProcessStartInfo start = new(program.EndsWith(Replaced, StringComparison.Ordinal) ? program[..^Replaced.Length] : program) { UseShellExecute = false };
        foreach (string argument in arguments.Skip(isHosted ? 0 : 1).Where(argument => argument != Option).Append(Option))
            start.ArgumentList.Add(argument);
        try
        {
            return new Successor(Process.Start(start)!);
        }
        catch (Exception e) when (e is Win32Exception or InvalidOperationException)
        {
            throw new IOException($"'{start.FileName}' cannot be started: {e.Message}", e);
        }
    }

    public void Dispose() => _process.Dispose();

    private async Task<int> UntilExitAsync()
    {
        await _process.WaitForExitAsync();
        return _process.ExitCode;
    }
}
