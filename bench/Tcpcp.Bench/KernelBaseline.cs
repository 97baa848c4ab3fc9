using System.Diagnostics;
using System.Globalization;

namespace Tcpcp.Bench;

/// <summary>
/// The C program (bench/kernel/pass.c) with connections of its own. It sleeps between its turns, and its turns are waited for asleep: neither side takes
/// time from the other.
/// </summary>
internal sealed class KernelBaseline : IDisposable
{
    private readonly Process _program;

    /// <param name="address">Where its listener is.</param>
    /// <param name="queueBytes">As in <see cref="KernelConnections.Make"/>.</param>
    /// <param name="secondThread">With a second thread, which sleeps.</param>
    public KernelBaseline(string program, string address, int count, int queueBytes, bool secondThread = false)
    {
        string[] arguments = [address, Text(count), Text(queueBytes)];
        _program = Process.Start(new ProcessStartInfo(program, secondThread ? [.. arguments, "second-thread"] : arguments)
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        })!;
        Answer(); // "ready"
    }

    /// <summary>Passes each of a part of the connections once.</summary>
    public PassCost Pass(int first, int count)
    {
        _program.StandardInput.WriteLine($"{Text(first)} {Text(count)}");
        string[] nanoseconds = Answer().Split(' ');
        return new PassCost(Microseconds(nanoseconds[0]), Microseconds(nanoseconds[1]));
    }

    public void Dispose()
    {
        _program.StandardInput.Close(); // its end
        _program.WaitForExit();
        _program.Dispose();
    }

    private string Answer() => _program.StandardOutput.ReadLine() ?? throw new InvalidOperationException("The C program failed; it has said why.");

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    private static double Microseconds(string nanoseconds) => long.Parse(nanoseconds, CultureInfo.InvariantCulture) / 1000.0;
}
